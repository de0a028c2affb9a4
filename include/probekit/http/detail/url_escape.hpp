// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/go_text.hpp>

// Percent-encoding as in Go's net/url. It differs by the part of the URL.
namespace probekit::inline PROBEKIT_ABI::detail {

enum class UrlPart : std::uint8_t { path, host, zone, userinfo, fragment };

/// Whether Go escapes this byte when it writes this part of a URL.
[[nodiscard]] constexpr bool is_escaped_in(char c, UrlPart part) noexcept {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) return false;
    const auto is_none_of = [c](std::string_view unescaped) {
        return unescaped.find(c) == std::string_view::npos;
    };
    switch (part) {
    case UrlPart::path: return is_none_of("-_.~$&+,/:;=@");
    case UrlPart::host:
    case UrlPart::zone: return is_none_of("-_.~!$&'()*+,;=:[]<>\"");
    case UrlPart::userinfo: return is_none_of("-_.~$&+,;=");
    case UrlPart::fragment: break;
    }
    return is_none_of("-_.~$&+,/:;=?@!()*");
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

/// The value of a hexadecimal digit; -1 for another character.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// Decodes `text` and appends it to `to`. Returns what is wrong, in Go's words; empty if nothing
/// is.
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
        // A host may escape bytes above ASCII only, and the percent sign that begins an IPv6 zone.
        // A zone may also escape what it may contain unescaped.
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

/// A path or fragment as Go prints it after parsing: unchanged if it was well encoded, else decoded
/// and encoded again. url_unescape() must have accepted `text`.
template <class = OnUse>
[[nodiscard]] inline std::string url_reescaped(std::string_view text, UrlPart part) {
    bool is_well_encoded = true;
    for (const char c : text)
        is_well_encoded =
            is_well_encoded && (!is_escaped_in(c, part) ||
                                std::string_view{"%!'()*[]"}.find(c) != std::string_view::npos);
    if (is_well_encoded) return std::string{text};
    std::string decoded;
    (void)url_unescape(text, part, decoded);
    return url_escaped(decoded, part);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
