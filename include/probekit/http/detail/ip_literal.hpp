// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/http/detail/url_escape.hpp>

// Validates the address in the brackets of a URL's host, in the words of Go's netip.ParseAddr.
namespace probekit::inline PROBEKIT_ABI::detail {

/// What is wrong with an address (empty: nothing), and where Go names the place, the text from
/// there on.
struct IpProblem {
    std::string_view what = {};
    std::string_view at = {};
};

[[nodiscard]] constexpr IpProblem ipv4_problem(std::string_view text) noexcept {
    int value = 0;
    int digits = 0;
    int dots = 0;
    for (std::size_t i = 0; i != text.size(); ++i) {
        const char c = text[i];
        if (c >= '0' && c <= '9') {
            if (digits == 1 && value == 0) return {"IPv4 field has octet with leading zero", {}};
            value = value * 10 + (c - '0');
            ++digits;
            if (value > 255) return {"IPv4 field has value >255", {}};
        } else if (c == '.') {
            if (digits == 0 || i + 1 == text.size())
                return {"IPv4 field must have at least one digit", text.substr(i)};
            if (dots == 3) return {"IPv4 address too long", {}};
            ++dots;
            value = digits = 0;
        } else {
            return {"unexpected character", text.substr(i)};
        }
    }
    return dots < 3 ? IpProblem{"IPv4 address too short", {}} : IpProblem{};
}

[[nodiscard]] constexpr IpProblem ipv6_problem(std::string_view text) noexcept {
    if (const std::size_t zone = text.find('%'); zone != std::string_view::npos) {
        if (zone + 1 == text.size()) return {"zone must be a non-empty string", {}};
        text = text.substr(0, zone);
    }
    bool ellipsis = text.starts_with("::");
    if (ellipsis) text.remove_prefix(2);
    if (ellipsis && text.empty()) return {};

    int bytes = 0;
    while (bytes < 16) {
        std::size_t digits = 0;
        while (digits != text.size() && hex_value(text[digits]) >= 0)
            if (++digits > 4) return {"each group must have 4 or less digits", text};
        if (digits == 0) return {"each colon-separated field must have at least one digit", text};
        if (text.substr(digits).starts_with('.')) {
            if (!ellipsis && bytes != 12)
                return {"embedded IPv4 address must replace the final 2 fields of the address",
                        text};
            if (bytes > 12)
                return {"too many hex fields to fit an embedded IPv4 at the end of the address",
                        text};
            if (const IpProblem problem = ipv4_problem(text); !problem.what.empty()) return problem;
            text = {};
            bytes += 4;
            break;
        }
        bytes += 2;
        text.remove_prefix(digits);
        if (text.empty()) break;
        if (text.front() != ':') return {"unexpected character, want colon", text};
        if (text.size() == 1) return {"colon must be followed by more characters", text};
        text.remove_prefix(1);
        if (text.front() == ':') {
            if (ellipsis) return {"multiple :: in address", text};
            ellipsis = true;
            text.remove_prefix(1);
            if (text.empty()) break;
        }
    }
    if (!text.empty()) return {"trailing garbage after address", text};
    if (bytes < 16 && !ellipsis) return {"address string too short", {}};
    if (bytes == 16 && ellipsis) return {"the :: must expand to at least one field of zeros", {}};
    return {};
}

/// What is wrong with `text` as the address in the brackets of a host, in Go's words; empty for an
/// IPv6 address.
template <class = OnUse>
[[nodiscard]] inline std::string bracketed_host_problem(std::string_view text) {
    const std::size_t mark = text.find_first_of(".:%");
    IpProblem problem{"unable to parse IP", {}};
    if (mark != std::string_view::npos) {
        if (text[mark] == '%') problem = {"missing IPv6 address", {}};
        if (text[mark] == ':') problem = ipv6_problem(text);
        if (text[mark] == '.') {
            problem = ipv4_problem(text);
            if (problem.what.empty()) return "invalid IP-literal";
        }
    }
    if (problem.what.empty()) return {};
    std::string message = "invalid host: ParseAddr(" + go_quoted(text) + "): ";
    message.append(problem.what);
    if (!problem.at.empty()) message.append(" (at ").append(go_quoted(problem.at)).append(")");
    return message;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
