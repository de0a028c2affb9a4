// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/http_expectation.hpp>

// Not in probekit.hpp: <regex> takes longer to compile than the probes of most programs.
namespace probekit::inline PROBEKIT_ABI::detail {

class RegexMatcher final : public http::Matcher {
public:
    explicit RegexMatcher(const std::string& pattern) : regex_(pattern, flags) {}

    [[nodiscard]] bool matches(std::string_view text) const override {
        return std::regex_search(text.begin(), text.end(), regex_);
    }

private:
#if defined(__GLIBCXX__)
    // Without this flag libstdc++ recurses for each character, and a body of some kilobytes
    // overflows the stack.
    static constexpr auto flags = std::regex::ECMAScript | std::regex_constants::__polynomial;
#else
    static constexpr auto flags = std::regex::ECMAScript;
#endif

    std::regex regex_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail

namespace probekit::inline PROBEKIT_ABI::http {

/// A part of the text matches an ECMAScript expression.
/// \code
/// const HttpOptions options{
///     .expect = {http::header("Content-Type").satisfies(http::regex("^application/(.*[+])?json")),
///                http::body(http::whole_body).satisfies(http::regex("\"status\": *\"UP\""))}};
/// HttpGetProbe probe{io, HttpGetAction{.port = 8080, .path = "/actuator/health"}, options};
/// \endcode
/// With libstdc++ it takes time linear in the text, and has no back references. A malformed pattern
/// gives a match that validate() reports as invalid.
[[nodiscard]] inline TextMatch regex(std::string pattern) {
    TextMatch match{.kind = TextMatch::Kind::regex, .text = std::move(pattern)};
#if defined(__cpp_exceptions)
    try {
        match.matcher = std::make_shared<const detail::RegexMatcher>(match.text);
    } catch (const std::regex_error&) { // validate() names the field that holds it
    }
#else
    match.matcher = std::make_shared<const detail::RegexMatcher>(match.text);
#endif
    return match;
}

} // namespace probekit::inline PROBEKIT_ABI::http
