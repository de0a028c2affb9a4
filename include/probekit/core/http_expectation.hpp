// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>

// The values in HttpOptions::expect. The functions in http/expectation.hpp make them.
namespace probekit::inline PROBEKIT_ABI::http {

/// Statuses from first to last, both included.
struct StatusRange {
    constexpr StatusRange() = default;
    constexpr StatusRange(int only) : first(only), last(only) {}
    constexpr StatusRange(int from, int to) : first(from), last(to) {}

    int first = 0;
    int last = 0;

    friend bool operator==(const StatusRange&, const StatusRange&) = default;
};

/// Decides whether a text matches: by a regular expression, by JSON, or by your own rule. The
/// attempts of a probe share it and call it from the threads that run them, so it must not change.
/// If it throws, the attempt ends with a prober error: the code of a std::system_error,
/// std::errc::not_enough_memory, or Errc::probe_threw.
class Matcher {
public:
    Matcher() = default;
    Matcher(const Matcher&) = delete;
    Matcher& operator=(const Matcher&) = delete;
    virtual ~Matcher() = default;

    [[nodiscard]] virtual bool matches(std::string_view text) const = 0;
    /// The same, in so many steps, such as comparisons of a byte, from which it subtracts those that
    /// it has done. If they do not suffice it leaves none, and its result means nothing: see
    /// http::max_steps. Unless it is overridden, steps are not counted.
    [[nodiscard]] virtual bool matches_within(std::string_view text, std::size_t& steps) const {
        static_cast<void>(steps);
        return matches(text);
    }
    /// What the text has instead, for messages. If empty, they quote the beginning of the text.
    [[nodiscard]] virtual std::string found_in(std::string_view) const { return {}; }
};

/// What a text must be like.
struct TextMatch {
    enum class Kind : std::uint8_t {
        any,      ///< present, empty or not
        equals,   ///< equal to `text`
        contains, ///< contains `text`
        regex,    ///< a part of it matches the ECMAScript expression `text`; see http/regex.hpp
        json,     ///< has the JSON value `value` at the JSON pointer `text`; see
                  ///< kubernetes/json_expectation.hpp
        custom,   ///< `matcher` decides; `text` completes "expected body ..."
    };

    Kind kind = Kind::any;
    std::string text = {};
    std::string value = {};
    /// The last three kinds need one to be valid.
    std::shared_ptr<const Matcher> matcher = {};

    /// Custom matchers are equal if they are the same object.
    friend bool operator==(const TextMatch& a, const TextMatch& b) {
        return a.kind == b.kind && a.text == b.text && a.value == b.value &&
               (a.kind != Kind::custom || a.matcher == b.matcher);
    }
};

/// Expectation::body_bytes for all of a body, whose end must come within the probe's timeout.
inline constexpr std::size_t whole_body = std::numeric_limits<std::size_t>::max();

/// One condition on an HTTP response. The functions in http/expectation.hpp make these values.
struct Expectation {
    enum class Subject : std::uint8_t { status, header, body, latency, any_of };

    Subject subject = Subject::status;
    bool negated = false;                   ///< the condition must not hold
    std::vector<StatusRange> statuses = {}; ///< for status: it is one of these
    std::string header = {};                ///< for header: its name, in any case
    std::size_t body_bytes = 10240;         ///< for body: how much of it, or whole_body
    TextMatch match = {};                   ///< for header and body
    Duration at_most = {};                  ///< for latency: from the attempt's start to its end
    std::vector<Expectation> alternatives = {}; ///< for any_of: one of these holds

    friend bool operator==(const Expectation&, const Expectation&) = default;
};

} // namespace probekit::inline PROBEKIT_ABI::http
