// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/go_text.hpp>

// Percent-encoding as Go's net/url does it, which differs by the part of the URL.
namespace probekit::inline PROBEKIT_ABI::detail {

enum class UrlPart : std::uint8_t { path, host, zone, userinfo, fragment };

/// Whether Go escapes this byte when it writes this part.
[[nodiscard]] constexpr bool is_escaped_in(char c, UrlPart part) noexcept {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return false;
    const auto among = [c](std::string_view plain) {
        return plain.find(c) == std::string_view::npos;
    };
    switch (part) {
    case UrlPart::path: return among("-_.~$&+,/:;=@");
    case UrlPart::host:
    case UrlPart::zone: return among("-_.~!$&'()*+,;=:[]<>\"");
    case UrlPart::userinfo: return among("-_.~$&+,;=");
    case UrlPart::fragment: break;
    }
    return among("-_.~$&+,/:;=?@!()*");
}

template <class = OnUse>
[[nodiscard]] inline std::string url_escaped(std::string_view text, UrlPart part) {
    std::string result;
    result.reserve(text.size());
    for (const char c : text) {
        if (!is_escaped_in(c, part)) {
            result += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        result += '%';
        result += "0123456789ABCDEF"[byte >> 4];
        result += "0123456789ABCDEF"[byte & 0xf];
    }
    return result;
}

/// The value of a hexadecimal digit; -1 if it is none.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Appends the decoded text to `to`. Returns what is wrong in Go's words, nothing if all is well.
template <class = OnUse>
[[nodiscard]] inline std::string url_unescape(std::string_view text, UrlPart part,
                                              std::string& to) {
    for (std::size_t i = 0; i != text.size(); ++i) {
        if (text[i] != '%') {
            const bool in_host = part == UrlPart::host || part == UrlPart::zone;
            if (in_host && static_cast<unsigned char>(text[i]) < 0x80 &&
                is_escaped_in(text[i], part))
                return "invalid character " + go_quoted(text.substr(i, 1)) + " in host name";
            to += text[i];
            continue;
        }
        const std::string_view escape = text.substr(i, 3);
        const int high = escape.size() == 3 ? hex_value(escape[1]) : -1;
        const int low = escape.size() == 3 ? hex_value(escape[2]) : -1;
        bool wrong = high < 0 || low < 0;
        const char value = static_cast<char>(high * 16 + low);
        // In a host only bytes above ASCII may be escaped, and the percent sign, which begins an
        // IPv6 zone; a zone may escape whatever it may also say plainly.
        if (part == UrlPart::host) wrong = wrong || (high < 8 && escape != "%25");
        if (part == UrlPart::zone)
            wrong =
                wrong || (escape != "%25" && value != ' ' && is_escaped_in(value, UrlPart::host));
        if (wrong) return "invalid URL escape " + go_quoted(escape);
        to += value;
        i += 2;
    }
    return {};
}

/// A path or fragment as Go prints it after parsing: as it stood where that was well encoded, else
/// encoded anew. `text` must have been accepted by url_unescape().
template <class = OnUse>
[[nodiscard]] inline std::string url_reescaped(std::string_view text, UrlPart part) {
    bool as_it_is = true;
    for (const char c : text)
        as_it_is = as_it_is && (!is_escaped_in(c, part) ||
                                std::string_view{"%!'()*[]"}.find(c) != std::string_view::npos);
    if (as_it_is) return std::string{text};
    std::string decoded;
    (void)url_unescape(text, part, decoded);
    return url_escaped(decoded, part);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
