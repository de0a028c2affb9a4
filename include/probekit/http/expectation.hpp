// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
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

/// \file
/// What an HTTP response must be like, beyond a status from 200 to 399.
/// \code
/// const HttpOptions options{
///     .expect = {http::status_in({200, {301, 302}}),
///                http::header("Content-Type").equals("application/json"),
///                !http::body().contains("error"),
///                http::any_of({http::header("X-Ready").is_present(), http::body(64).contains("up")}),
///                http::latency_at_most(200ms)}};
/// HttpGetProbe probe{io, HttpGetAction{.port = 8080, .path = "/health"}, options};
/// \endcode
/// All of them must hold. A probe reads as much of the body as HttpOptions::body_limit or an
/// expectation asks for, whichever is more. If no expectation is about the status, it must be from
/// 200 to 399 as without expectations.
namespace probekit::inline PROBEKIT_ABI::http {

/// The status is one of these. This replaces the rule of 200 to 399, and a redirect is no warning
/// then.
[[nodiscard]] inline Expectation status_in(std::vector<StatusRange> statuses) {
    return {.subject = Expectation::Subject::status, .statuses = std::move(statuses)};
}

/// The whole attempt takes no longer.
[[nodiscard]] inline Expectation latency_at_most(Duration duration) {
    return {.subject = Expectation::Subject::latency, .at_most = duration};
}

/// At least one of them holds.
[[nodiscard]] inline Expectation any_of(std::vector<Expectation> alternatives) {
    return {.subject = Expectation::Subject::any_of, .alternatives = std::move(alternatives)};
}

/// The expectation does not hold.
[[nodiscard]] inline Expectation operator!(Expectation expectation) {
    expectation.negated = !expectation.negated;
    return expectation;
}

/// Says what a header or the body must be like: header() and body() return one.
class ExpectationBuilder {
public:
    explicit ExpectationBuilder(Expectation subject) : subject_(std::move(subject)) {}

    [[nodiscard]] Expectation is_present() const { return satisfies({}); }
    [[nodiscard]] Expectation equals(std::string text) const {
        return satisfies({.kind = TextMatch::Kind::equals, .text = std::move(text)});
    }
    [[nodiscard]] Expectation contains(std::string text) const {
        return satisfies({.kind = TextMatch::Kind::contains, .text = std::move(text)});
    }
    [[nodiscard]] Expectation satisfies(TextMatch match) const {
        Expectation expectation = subject_;
        expectation.match = std::move(match);
        return expectation;
    }

private:
    Expectation subject_;
};

/// A header by its name, in any case. If it comes several times, its values are joined by ", ".
[[nodiscard]] inline ExpectationBuilder header(std::string name) {
    return ExpectationBuilder{{.subject = Expectation::Subject::header, .header = std::move(name)}};
}

/// The first `bytes` of the body, or whole_body. No more than `max_body` is kept, so a longer body
/// never fulfils an expectation about a whole body.
[[nodiscard]] inline ExpectationBuilder body(std::size_t bytes = 10240) {
    return ExpectationBuilder{{.subject = Expectation::Subject::body, .body_bytes = bytes}};
}

/// The most that is kept of a body to evaluate expectations.
inline constexpr std::size_t max_body = std::size_t{1024} * 1024;

/// The most work that evaluating the expectations of one attempt may be. A step is about half a
/// nanosecond to a few, so that no response holds up an event loop for longer than some milliseconds
/// (JSON made for it: some tens). An attempt for which they do not suffice fails, and says so.
///
/// `contains` takes a step for each byte of the text; a regular expression one, or as many as its
/// length if the text is made for that; JSON 24, so that it may have 256 KiB. Equality and matchers
/// of your own are not counted.
inline constexpr std::size_t max_steps = std::size_t{6} * 1024 * 1024;

/// A match by a matcher of your own. `description` completes "expected body ...": "to be a
/// picture".
[[nodiscard]] inline TextMatch matching(std::string description,
                                        std::shared_ptr<const Matcher> matcher) {
    return {.kind = TextMatch::Kind::custom,
            .text = std::move(description),
            .matcher = std::move(matcher)};
}

/// What expectations need to know of a response.
struct Response {
    int status = 0;
    /// At least the headers that expectations name, once each. A value is one line.
    std::span<const HttpHeader> headers = {};
    std::string_view body = {}; ///< at least as much as expectations are about
    bool is_whole = false;      ///< `body` is all of it
    Duration elapsed = {};
};

} // namespace probekit::inline PROBEKIT_ABI::http

namespace probekit::inline PROBEKIT_ABI::detail {

using ExpectationSubject = http::Expectation::Subject;

/// Calls `visit` for each expectation except any_of, whose alternatives are visited instead.
template <class Visit>
void each_expectation(std::span<const http::Expectation> expectations, const Visit& visit) {
    for (const http::Expectation& expectation : expectations) {
        if (expectation.subject == ExpectationSubject::any_of)
            each_expectation(expectation.alternatives, visit);
        else
            visit(expectation);
    }
}

/// Takes `cost` from `steps`. If they do not suffice, none are left, and the result is false.
[[nodiscard]] constexpr bool spend(std::size_t& steps, std::size_t cost) noexcept {
    const bool suffice = cost < steps;
    steps = suffice ? steps - cost : 0;
    return suffice;
}

template <class = OnUse>
[[nodiscard]] inline bool matches(const http::TextMatch& match, std::string_view text,
                                  std::size_t& steps) {
    switch (match.kind) {
    case http::TextMatch::Kind::any: return true;
    case http::TextMatch::Kind::equals: return text == match.text;
    case http::TextMatch::Kind::contains:
        // Not find(), which is quadratic: a target could send many beginnings of the text.
        return spend(steps, text.size()) &&
               ::memmem(text.data(), text.size(), match.text.data(), match.text.size()) != nullptr;
    case http::TextMatch::Kind::regex:
    case http::TextMatch::Kind::json:
    case http::TextMatch::Kind::custom: break;
    }
    return match.matcher->matches_within(text, steps);
}

/// The named header's value, or null.
[[nodiscard]] inline const std::string* find_header(const http::Response& response,
                                                    std::string_view name) noexcept {
    for (const HttpHeader& header : response.headers)
        if (iequals(header.name, name)) return &header.value;
    return nullptr;
}

[[nodiscard]] inline bool is_too_long(const http::Expectation& expectation,
                                      const http::Response& response) noexcept {
    return expectation.body_bytes == http::whole_body && !response.is_whole;
}

/// False, too, if there are no steps left.
template <class = OnUse>
[[nodiscard]] inline bool holds(const http::Expectation& expectation,
                                const http::Response& response, std::size_t& steps) {
    const auto holds_as_written = [&] {
        switch (expectation.subject) {
        case ExpectationSubject::status:
            return std::ranges::any_of(expectation.statuses, [&](const http::StatusRange& range) {
                return range.first <= response.status && response.status <= range.last;
            });
        case ExpectationSubject::header: {
            const std::string* const value = find_header(response, expectation.header);
            return value != nullptr && matches(expectation.match, *value, steps);
        }
        case ExpectationSubject::body:
            return matches(expectation.match, response.body.substr(0, expectation.body_bytes),
                           steps);
        case ExpectationSubject::latency: return response.elapsed <= expectation.at_most;
        case ExpectationSubject::any_of:
            return std::ranges::any_of(expectation.alternatives,
                                       [&](const http::Expectation& alternative) {
                                           return holds(alternative, response, steps);
                                       });
        }
        unreachable();
    };
    if (expectation.subject == ExpectationSubject::body && is_too_long(expectation, response))
        return false;
    return holds_as_written() != expectation.negated && steps != 0;
}

template <class = OnUse>
[[nodiscard]] inline std::string describe_expected(const http::TextMatch& match) {
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

/// What is expected: "status in 200, 300-399", "not body to contain \"error\"".
template <class = OnUse>
[[nodiscard]] inline std::string describe_expected(const http::Expectation& expectation) {
    std::string text = expectation.negated ? "not " : "";
    switch (expectation.subject) {
    case ExpectationSubject::status: {
        text += "status in ";
        const char* separator = "";
        for (const http::StatusRange& range : expectation.statuses) {
            text.append(std::exchange(separator, ", ")).append(std::to_string(range.first));
            if (range.last != range.first) text.append("-").append(std::to_string(range.last));
        }
        return text;
    }
    case ExpectationSubject::header:
        return text.append("header ").append(expectation.header).append(" ") +
               describe_expected(expectation.match);
    case ExpectationSubject::body:
        return text.append("body ") + describe_expected(expectation.match);
    case ExpectationSubject::latency:
        return text.append("latency at most ") + go_duration(expectation.at_most);
    case ExpectationSubject::any_of: break;
    }
    text += "any of: ";
    const char* separator = "";
    for (const http::Expectation& alternative : expectation.alternatives)
        text.append(std::exchange(separator, "; ")).append(describe_expected(alternative));
    return text;
}

/// The beginning of a text, quoted for a message.
[[nodiscard]] inline std::string excerpt(std::string_view text) {
    constexpr std::size_t most = 100;
    return go_quoted(text.substr(0, most)) + (text.size() > most ? "..." : "");
}

/// What the response has where the expectation is about it.
template <class = OnUse>
[[nodiscard]] inline std::string describe_actual(const http::Expectation& expectation,
                                                 const http::Response& response) {
    const auto describe_text = [&](std::string_view text) {
        std::string found =
            expectation.match.matcher ? expectation.match.matcher->found_in(text) : std::string{};
        return found.empty() ? excerpt(text) : found;
    };
    switch (expectation.subject) {
    case ExpectationSubject::status: return std::to_string(response.status);
    case ExpectationSubject::header: {
        const std::string* const value = find_header(response, expectation.header);
        return value == nullptr ? "none" : describe_text(*value);
    }
    case ExpectationSubject::body:
        if (is_too_long(expectation, response))
            return "more than " + std::to_string(http::max_body) + " bytes";
        return describe_text(response.body.substr(0, expectation.body_bytes));
    case ExpectationSubject::latency: return go_duration(response.elapsed);
    case ExpectationSubject::any_of: break;
    }
    std::string text;
    for (const http::Expectation& alternative : expectation.alternatives)
        text.append(text.empty() ? "" : "; ").append(describe_actual(alternative, response));
    return text;
}

template <class = OnUse>
inline void validate_expectation(const http::Expectation& expectation, const std::string& field,
                                 ConfigErrors& errors) {
    const auto add_error = [&](std::string_view part, std::string why) {
        errors.push_back({field + "." + std::string{part}, std::move(why)});
    };
    const http::TextMatch::Kind kind = expectation.match.kind;
    switch (expectation.subject) {
    case ExpectationSubject::status:
        if (expectation.statuses.empty()) add_error("statuses", "must not be empty");
        for (std::size_t i = 0; i != expectation.statuses.size(); ++i) {
            const http::StatusRange& range = expectation.statuses[i];
            if (range.first < 100 || range.last > 999 || range.first > range.last)
                add_error(indexed("statuses", i),
                          "must lie within 100 to 999, the first not above the last");
        }
        return;
    case ExpectationSubject::header:
        if (!is_token(expectation.header)) add_error("header", "must be a valid HTTP header name");
        break;
    case ExpectationSubject::body:
        if (expectation.body_bytes == 0) add_error("body_bytes", "must be greater than zero");
        if (expectation.body_bytes > http::max_body && expectation.body_bytes != http::whole_body)
            add_error("body_bytes", "must not be greater than " + std::to_string(http::max_body));
        break;
    case ExpectationSubject::latency:
        if (expectation.at_most <= Duration{}) add_error("at_most", "must be greater than zero");
        return;
    case ExpectationSubject::any_of:
        if (expectation.alternatives.empty()) add_error("alternatives", "must not be empty");
        for (std::size_t i = 0; i != expectation.alternatives.size(); ++i)
            validate_expectation(expectation.alternatives[i],
                                 field + "." + indexed("alternatives", i), errors);
        return;
    }
    const bool needs_matcher = kind == http::TextMatch::Kind::regex ||
                               kind == http::TextMatch::Kind::json ||
                               kind == http::TextMatch::Kind::custom;
    if (needs_matcher && !expectation.match.matcher)
        add_error("match",
                  kind == http::TextMatch::Kind::regex
                      ? "is no valid regular expression: " + go_quoted(expectation.match.text)
                  : kind == http::TextMatch::Kind::json
                      ? "is no valid JSON pointer: " + go_quoted(expectation.match.text)
                      : std::string{"needs a matcher"});
}

} // namespace probekit::inline PROBEKIT_ABI::detail

namespace probekit::inline PROBEKIT_ABI::http {

/// What is wrong with expectations. Fields are named like "expect[1].header" and
/// "expect[2].alternatives[0].statuses[1]".
template <class = detail::OnUse>
[[nodiscard]] inline ConfigErrors validate(std::span<const Expectation> expectations) {
    ConfigErrors errors;
    for (std::size_t i = 0; i != expectations.size(); ++i)
        detail::validate_expectation(expectations[i], detail::indexed("expect", i), errors);
    return errors;
}

/// The first expectation that does not hold, and what the response has instead: "expected status in
/// 200, got 404"; or the one that needs more than is left of max_steps: "expected body to match
/// \"a*b\", gave up after 6291456 steps". Empty if all hold. The expectations must be valid.
template <class = detail::OnUse>
[[nodiscard]] inline std::string first_mismatch(std::span<const Expectation> expectations,
                                                const Response& response) {
    std::size_t steps = max_steps;
    for (const Expectation& expectation : expectations) {
        if (detail::holds(expectation, response, steps)) continue;
        const std::string expected = "expected " + detail::describe_expected(expectation);
        if (steps == 0) return expected + ", gave up after " + std::to_string(max_steps) + " steps";
        return expected + ", got " + detail::describe_actual(expectation, response);
    }
    return {};
}

} // namespace probekit::inline PROBEKIT_ABI::http
