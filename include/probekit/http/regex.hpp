// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/http_expectation.hpp>
#include <probekit/http/detail/regex_program.hpp>

// Not in probekit.hpp: few programs need it.
namespace probekit::inline PROBEKIT_ABI::detail {

class RegexMatcher final : public http::Matcher {
public:
    explicit RegexMatcher(RegexProgram program) : program_(std::move(program)) {}

    [[nodiscard]] bool matches(std::string_view text) const override {
        std::size_t steps = std::numeric_limits<std::size_t>::max();
        return program_.search(text, steps);
    }
    [[nodiscard]] bool matches_within(std::string_view text, std::size_t& steps) const override {
        return program_.search(text, steps);
    }

private:
    RegexProgram program_;
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
/// It takes time linear in the text, whatever the text is, and no stack. So there are no back
/// references and nothing that looks ahead, as in RE2 and Go. ^ and $ are the text's begin and end.
/// A class, such as [a-z], \w or the dot, matches one byte, and the named ones are of ASCII.
///
/// A pattern that is malformed, has more than 1,023 characters with its repetitions written out, or
/// more than 50 groups in one another gives a match that validate() reports as invalid.
[[nodiscard]] inline TextMatch regex(std::string pattern) {
    TextMatch match{.kind = TextMatch::Kind::regex, .text = std::move(pattern)};
    if (auto program = detail::RegexProgram::make(match.text))
        match.matcher = std::make_shared<const detail::RegexMatcher>(*std::move(program));
    return match;
}

} // namespace probekit::inline PROBEKIT_ABI::http
