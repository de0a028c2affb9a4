// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/core/http_expectation.hpp>
#include <probekit/http/detail/characters.hpp>

// What an answer has to be, beyond a status from 200 to 399:
//     HttpOptions{.expect = {http::status_in({200, {301, 302}}),
//                            http::header("Content-Type").equals("application/json"),
//                            !http::body().contains("error"),
//                            http::any_of({http::header("X-Ready").is_present(),
//                            http::body(64).contains("ready")}), http::latency_at_most(200ms)}}
// All must hold. Of the body is read what the options say (body_limit) or what an expectation
// needs, whichever is more: nothing, so many bytes, or all of it. Where none speaks of the status,
// it still has to be one from 200 to 399.
namespace probekit::inline PROBEKIT_ABI::http {

/// The status is one of these; the rule of 200 to 399, and that a redirect is a warning, do not
/// count then.
template <class = detail::OnUse>
[[nodiscard]] inline Expectation status_in(std::vector<StatusRange> statuses) {
    return {.subject = Expectation::Subject::status, .statuses = std::move(statuses)};
}

/// The whole look takes no longer.
template <class = detail::OnUse>
[[nodiscard]] inline Expectation latency_at_most(Duration duration) {
    return {.subject = Expectation::Subject::latency, .at_most = duration};
}

/// One of them holds at least.
template <class = detail::OnUse>
[[nodiscard]] inline Expectation any_of(std::vector<Expectation> alternatives) {
    return {.subject = Expectation::Subject::any_of, .alternatives = std::move(alternatives)};
}

template <class = detail::OnUse>
[[nodiscard]] inline Expectation operator!(Expectation expectation) {
    expectation.is_negated = !expectation.is_negated;
    return expectation;
}

/// The beginning of an expectation about a header or the body.
class Expected {
public:
    explicit Expected(Expectation about) : about_(std::move(about)) {}

    [[nodiscard]] Expectation is_present() const { return satisfies({}); }
    [[nodiscard]] Expectation equals(std::string text) const {
        return satisfies({.kind = TextMatch::Kind::equals, .text = std::move(text)});
    }
    [[nodiscard]] Expectation contains(std::string text) const {
        return satisfies({.kind = TextMatch::Kind::contains, .text = std::move(text)});
    }
    [[nodiscard]] Expectation satisfies(TextMatch match) const {
        Expectation made = about_;
        made.match = std::move(match);
        return made;
    }

private:
    Expectation about_;
};

/// A header by its name, in any case. Values of one that comes several times are joined by ", ".
template <class = detail::OnUse>
[[nodiscard]] inline Expected header(std::string name) {
    return Expected{{.subject = Expectation::Subject::header, .header = std::move(name)}};
}

/// The first `bytes` of the body, or whole_body. More than `most_body` is never kept: a body that
/// is to be judged whole and is longer is not as expected.
template <class = detail::OnUse>
[[nodiscard]] inline Expected body(std::size_t bytes = 10240) {
    return Expected{{.subject = Expectation::Subject::body, .body_bytes = bytes}};
}

/// Most of a body that is kept to be judged.
inline constexpr std::size_t most_body = 1024 * 1024;

/// A match by a matcher of your own. `wish` completes "expected body ...": "to be a picture".
template <class = detail::OnUse>
[[nodiscard]] inline TextMatch matching(std::string wish, std::shared_ptr<const Matcher> matcher) {
    return {
        .kind = TextMatch::Kind::custom, .text = std::move(wish), .matcher = std::move(matcher)};
}

/// An answer as expectations see it.
struct Answer {
    int status = 0;
    std::span<const HttpHeader> headers =
        {};                     ///< at least those that expectations name; a value is one line
    std::string_view body = {}; ///< at least as much as expectations look at
    bool is_whole = false;      ///< there is no more of the body
    Duration elapsed = {};
};

} // namespace probekit::inline PROBEKIT_ABI::http

namespace probekit::inline PROBEKIT_ABI::detail {

using ExpectedSubject = http::Expectation::Subject;

/// Calls `see` for each expectation that stands alone, those within any_of included.
template <class See>
void each_expectation(std::span<const http::Expectation> expectations, const See& see) {
    for (const http::Expectation& one : expectations) {
        if (one.subject == ExpectedSubject::any_of)
            each_expectation(one.alternatives, see);
        else
            see(one);
    }
}

template <class = OnUse>
[[nodiscard]] inline bool matches(const http::TextMatch& match, std::string_view text) {
    switch (match.kind) {
    case http::TextMatch::Kind::any: return true;
    case http::TextMatch::Kind::equals: return text == match.text;
    case http::TextMatch::Kind::contains: return text.find(match.text) != std::string_view::npos;
    case http::TextMatch::Kind::regex:
    case http::TextMatch::Kind::json:
    case http::TextMatch::Kind::custom: break;
    }
    return match.matcher->matches(text);
}

/// The named header's value, or null.
template <class = OnUse>
[[nodiscard]] inline const std::string* find_header(const http::Answer& answer,
                                                    std::string_view name) noexcept {
    for (const HttpHeader& header : answer.headers)
        if (iequals(header.name, name)) return &header.value;
    return nullptr;
}

[[nodiscard]] inline bool is_too_long(const http::Expectation& expectation,
                                      const http::Answer& answer) noexcept {
    return expectation.body_bytes == http::whole_body && !answer.is_whole;
}

template <class = OnUse>
[[nodiscard]] inline bool holds(const http::Expectation& expectation, const http::Answer& answer) {
    const auto is_so = [&] {
        switch (expectation.subject) {
        case ExpectedSubject::status:
            return std::ranges::any_of(expectation.statuses, [&](const http::StatusRange& range) {
                return range.first <= answer.status && answer.status <= range.last;
            });
        case ExpectedSubject::header: {
            const std::string* const value = find_header(answer, expectation.header);
            return value != nullptr && matches(expectation.match, *value);
        }
        case ExpectedSubject::body:
            return matches(expectation.match, answer.body.substr(0, expectation.body_bytes));
        case ExpectedSubject::latency: return answer.elapsed <= expectation.at_most;
        case ExpectedSubject::any_of:
            return std::ranges::any_of(expectation.alternatives, [&](const http::Expectation& one) {
                return holds(one, answer);
            });
        }
        return false;
    };
    if (expectation.subject == ExpectedSubject::body && is_too_long(expectation, answer))
        return false;
    return is_so() != expectation.is_negated;
}

template <class = OnUse>
[[nodiscard]] inline std::string wish_of(const http::TextMatch& match) {
    switch (match.kind) {
    case http::TextMatch::Kind::any: return "to be present";
    case http::TextMatch::Kind::equals: return "to equal " + go_quoted(match.text);
    case http::TextMatch::Kind::contains: return "to contain " + go_quoted(match.text);
    case http::TextMatch::Kind::regex: return "to match " + go_quoted(match.text);
    case http::TextMatch::Kind::json:
        return "to have " + match.value + " at " + go_quoted(match.text);
    case http::TextMatch::Kind::custom: break;
    }
    return match.text;
}

/// "status in 200, 300-399"
template <class = OnUse>
[[nodiscard]] inline std::string wish_of(const http::Expectation& expectation) {
    std::string text = expectation.is_negated ? "not " : "";
    switch (expectation.subject) {
    case ExpectedSubject::status: {
        text += "status in ";
        const char* separator = "";
        for (const http::StatusRange& range : expectation.statuses) {
            text.append(std::exchange(separator, ", ")).append(std::to_string(range.first));
            if (range.last != range.first) text.append("-").append(std::to_string(range.last));
        }
        return text;
    }
    case ExpectedSubject::header:
        return text.append("header ").append(expectation.header).append(" ") +
               wish_of(expectation.match);
    case ExpectedSubject::body: return text.append("body ") + wish_of(expectation.match);
    case ExpectedSubject::latency:
        return text.append("latency at most ") + go_duration(expectation.at_most);
    case ExpectedSubject::any_of: break;
    }
    text += "any of: ";
    const char* separator = "";
    for (const http::Expectation& one : expectation.alternatives)
        text.append(std::exchange(separator, "; ")).append(wish_of(one));
    return text;
}

/// The beginning of a text, for a message.
template <class = OnUse>
[[nodiscard]] inline std::string excerpt(std::string_view text) {
    constexpr std::size_t most = 100;
    return go_quoted(text.substr(0, most)) + (text.size() > most ? "..." : "");
}

/// What there was instead.
template <class = OnUse>
[[nodiscard]] inline std::string sight_of(const http::Expectation& expectation,
                                          const http::Answer& answer) {
    const auto text_seen = [&](std::string_view text) {
        std::string found =
            expectation.match.matcher ? expectation.match.matcher->found_in(text) : std::string{};
        return found.empty() ? excerpt(text) : found;
    };
    switch (expectation.subject) {
    case ExpectedSubject::status: return std::to_string(answer.status);
    case ExpectedSubject::header: {
        const std::string* const value = find_header(answer, expectation.header);
        return value == nullptr ? "none" : text_seen(*value);
    }
    case ExpectedSubject::body:
        if (is_too_long(expectation, answer))
            return "more than " + std::to_string(http::most_body) + " bytes";
        return text_seen(answer.body.substr(0, expectation.body_bytes));
    case ExpectedSubject::latency: return go_duration(answer.elapsed);
    case ExpectedSubject::any_of: break;
    }
    std::string text;
    for (const http::Expectation& one : expectation.alternatives)
        text.append(text.empty() ? "" : "; ").append(sight_of(one, answer));
    return text;
}

template <class = OnUse>
inline void validate_expectation(const http::Expectation& expectation, const std::string& field,
                                 ConfigErrors& errors) {
    const auto refuse = [&](std::string_view part, std::string why) {
        errors.push_back({field + "." + std::string{part}, std::move(why)});
    };
    const http::TextMatch::Kind kind = expectation.match.kind;
    switch (expectation.subject) {
    case ExpectedSubject::status:
        if (expectation.statuses.empty()) refuse("statuses", "must not be empty");
        for (std::size_t i = 0; i != expectation.statuses.size(); ++i) {
            const http::StatusRange& range = expectation.statuses[i];
            if (range.first < 100 || range.last > 999 || range.first > range.last)
                refuse(indexed("statuses", i),
                       "must lie within 100 to 999, the first not above the last");
        }
        return;
    case ExpectedSubject::header:
        if (!is_token(expectation.header)) refuse("header", "must be a valid HTTP header name");
        break;
    case ExpectedSubject::body:
        if (expectation.body_bytes == 0) refuse("body_bytes", "must be greater than zero");
        if (expectation.body_bytes > http::most_body && expectation.body_bytes != http::whole_body)
            refuse("body_bytes", "must not be greater than " + std::to_string(http::most_body));
        break;
    case ExpectedSubject::latency:
        if (expectation.at_most <= Duration{}) refuse("at_most", "must be greater than zero");
        return;
    case ExpectedSubject::any_of:
        if (expectation.alternatives.empty()) refuse("alternatives", "must not be empty");
        for (std::size_t i = 0; i != expectation.alternatives.size(); ++i)
            validate_expectation(expectation.alternatives[i],
                                 field + "." + indexed("alternatives", i), errors);
        return;
    }
    const bool needs_matcher = kind == http::TextMatch::Kind::regex ||
                               kind == http::TextMatch::Kind::json ||
                               kind == http::TextMatch::Kind::custom;
    if (needs_matcher && !expectation.match.matcher)
        refuse("match", kind == http::TextMatch::Kind::regex
                            ? "is no valid regular expression: " + go_quoted(expectation.match.text)
                        : kind == http::TextMatch::Kind::json
                            ? "is no valid JSON pointer: " + go_quoted(expectation.match.text)
                            : std::string{"needs a matcher"});
}

} // namespace probekit::inline PROBEKIT_ABI::detail

namespace probekit::inline PROBEKIT_ABI::http {

/// Mistakes in expectations: "expect[1].header", "expect[2].alternatives[0].statuses[1]".
template <class = detail::OnUse>
[[nodiscard]] inline ConfigErrors validate(std::span<const Expectation> expectations) {
    ConfigErrors errors;
    for (std::size_t i = 0; i != expectations.size(); ++i)
        detail::validate_expectation(expectations[i], detail::indexed("expect", i), errors);
    return errors;
}

/// Why an answer is not as expected: the first expectation that does not hold, and what was seen
/// instead. Empty if all hold. They must be valid.
template <class = detail::OnUse>
[[nodiscard]] inline std::string unmet(std::span<const Expectation> expectations,
                                       const Answer& answer) {
    for (const Expectation& one : expectations) {
        if (!detail::holds(one, answer))
            return "expected " + detail::wish_of(one) + ", got " + detail::sight_of(one, answer);
    }
    return {};
}

} // namespace probekit::inline PROBEKIT_ABI::http
