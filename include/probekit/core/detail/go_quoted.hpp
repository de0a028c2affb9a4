// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// One code point of UTF-8 text. `size` 1 and `valid` false: a byte that is no part of one.
struct CodePoint {
    std::uint32_t value = 0;
    std::size_t size = 1;
    bool valid = false;
};

/// The code point that `text` (not empty) begins with.
[[nodiscard]] constexpr CodePoint first_code_point(std::string_view text) noexcept {
    const auto byte_at = [text](std::size_t index) {
        return static_cast<unsigned char>(text[index]);
    };
    const unsigned lead = byte_at(0);
    if (lead < 0x80) return {lead, 1, true};
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
    std::uint32_t value = lead & (0x7fu >> size);
    for (std::size_t i = 1; i != size; ++i) {
        if ((byte_at(i) & 0xc0u) != 0x80u) return {};
        value = value << 6 | (byte_at(i) & 0x3fu);
    }
    const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (overlong || surrogate || value > 0x10ffff) return {};
    return {value, size, true};
}

/// Whether Go would print it as it is. Go's table of unassigned code points is left out: those are
/// printed here.
[[nodiscard]] constexpr bool is_printable(std::uint32_t c) noexcept {
    if (c < 0x80) return c >= 0x20 && c != 0x7f;
    const bool space_or_format = c <= 0xa0 || c == 0xad || c == 0x1680 || c == 0x180e ||
                                 (c >= 0x2000 && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) ||
                                 (c >= 0x205f && c <= 0x206f) || c == 0x3000 || c == 0xfeff ||
                                 (c >= 0xfff0 && c <= 0xfffb) || (c & 0xfffe) == 0xfffe;
    const bool private_use = (c >= 0xe000 && c <= 0xf8ff) || c >= 0xe0000;
    return !space_or_format && !private_use;
}

/// A text as Go's %q prints it: in double quotes, what is not printable escaped.
template <class = OnUse>
[[nodiscard]] inline std::string go_quoted(std::string_view text) {
    constexpr std::string_view plain = "\a\b\f\n\r\t\v\"\\";
    constexpr std::string_view letter = "abfnrtv\"\\";
    std::string result = "\"";
    const auto escape = [&result](char kind, std::uint32_t value, int digits) {
        result += '\\';
        result += kind;
        while (digits-- != 0) result += "0123456789abcdef"[value >> (4 * digits) & 0xfu];
    };
    while (!text.empty()) {
        const CodePoint next = first_code_point(text);
        if (const std::size_t at = plain.find(text.front()); at != std::string_view::npos) {
            result += '\\';
            result += letter[at];
        } else if (!next.valid || next.value < 0x20 || next.value == 0x7f) {
            escape('x', static_cast<unsigned char>(text.front()), 2);
        } else if (is_printable(next.value)) {
            result.append(text.substr(0, next.size));
        } else if (next.value < 0x10000) {
            escape('u', next.value, 4);
        } else {
            escape('U', next.value, 8);
        }
        text.remove_prefix(next.size);
    }
    return result + '"';
}

} // namespace probekit::inline PROBEKIT_ABI::detail
