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

// What HttpOptions::expect holds. http/expectation.hpp has the functions that make it.
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

/// A way to look at a text that this header need not know of: regular expressions, JSON, yours.
/// Shared by the looks of a probe and called from the threads that run them, so it must not change.
/// A look in which it throws is an error, "could not ask": the code of a std::system_error,
/// std::errc::not_enough_memory, else Errc::probe_threw.
class Matcher {
public:
    Matcher() = default;
    Matcher(const Matcher&) = delete;
    Matcher& operator=(const Matcher&) = delete;
    virtual ~Matcher() = default;

    [[nodiscard]] virtual bool matches(std::string_view text) const = 0;
    /// What it found instead of what it wanted, where the beginning of the text does not say it.
    [[nodiscard]] virtual std::string found_in(std::string_view) const { return {}; }
};

/// What a text has to be like.
struct TextMatch {
    enum class Kind : std::uint8_t {
        any,      ///< it is there, empty or not
        equals,   ///< `text`
        contains, ///< `text`
        regex,    ///< somewhere it matches `text`, an expression of ECMAScript's kind; see
                  ///< http/regex.hpp
        json,     ///< at the JSON pointer `text` stands the JSON value `value`; see
                  ///< kubernetes/json_expectation.hpp
        custom,   ///< `matcher` likes it; `text` completes "expected body ..."
    };

    Kind kind = Kind::any;
    std::string text = {};
    std::string value = {};
    std::shared_ptr<const Matcher> matcher =
        {}; ///< of the last three kinds; without it they are not valid

    /// Matchers of users compare as the same object.
    friend bool operator==(const TextMatch& a, const TextMatch& b) {
        return a.kind == b.kind && a.text == b.text && a.value == b.value &&
               (a.kind != Kind::custom || a.matcher == b.matcher);
    }
};

/// So much of a body: all of it, up to its end within the probe's timeout.
inline constexpr std::size_t whole_body = std::numeric_limits<std::size_t>::max();

/// One thing that an HTTP answer has to be. A value: made by http/expectation.hpp, `!` and any_of()
/// included.
struct Expectation {
    enum class Subject : std::uint8_t { status, header, body, latency, any_of };

    Subject subject = Subject::status;
    bool is_negated = false;                ///< it must not be so
    std::vector<StatusRange> statuses = {}; ///< of status: one of these
    std::string header = {};                ///< of header: its name, in any case
    std::size_t body_bytes = 10240;         ///< of body: looked at, and read for it; or whole_body
    TextMatch match = {};                   ///< of header and body
    Duration at_most = {}; ///< of latency: from the beginning of the look to the end of its answer
    std::vector<Expectation> alternatives = {}; ///< of any_of: one of these

    friend bool operator==(const Expectation&, const Expectation&) = default;
};

} // namespace probekit::inline PROBEKIT_ABI::http
