// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <regex>
#include <string>
#include <string_view>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/http_expectation.hpp>

// Not in probekit.hpp: <regex> costs more to compile than most programs' probes.
namespace probekit::inline PROBEKIT_ABI::detail {

class RegexMatcher final : public http::Matcher {
public:
    explicit RegexMatcher(const std::string& pattern) : regex_(pattern, flags) {}

    [[nodiscard]] bool matches(std::string_view text) const override {
        return std::regex_search(text.begin(), text.end(), regex_);
    }

private:
#if defined(__GLIBCXX__)
    // Else it recurses for each character, and a body of some kilobytes ends the program for want
    // of stack.
    static constexpr auto flags = std::regex::ECMAScript | std::regex_constants::__polynomial;
#else
    static constexpr auto flags = std::regex::ECMAScript;
#endif

    std::regex regex_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail

namespace probekit::inline PROBEKIT_ABI::http {

/// For header(...).satisfies() and body(...).satisfies(): somewhere the text matches. With
/// libstdc++ in time linear in the text, without references back to groups. A pattern that is none
/// gives a match that is not valid.
template <class = detail::OnUse>
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
