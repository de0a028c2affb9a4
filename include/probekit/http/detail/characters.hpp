// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <probekit/core/actions.hpp>

namespace probekit::inline v0::detail {

[[nodiscard]] constexpr char ascii_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] constexpr char ascii_upper(char c) noexcept {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// Whether two texts are equal but for the case of their ASCII letters.
[[nodiscard]] constexpr bool iequals(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i != a.size(); ++i)
        if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
    return true;
}

[[nodiscard]] constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

[[nodiscard]] constexpr std::string_view trim_left(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    return text;
}

[[nodiscard]] constexpr std::string_view trim_right(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept { return trim_right(trim_left(text)); }

/// A line without its end, which is LF or CR LF.
[[nodiscard]] constexpr std::string_view without_line_end(std::string_view line) noexcept {
    if (line.ends_with('\n')) line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
    return line;
}

/// Calls `visit` with each element of a comma-separated header value until it says true; whether it did.
template <class Visit>
constexpr bool any_element(std::string_view value, Visit visit) {
    for (;;) {
        const std::size_t comma = value.find(',');
        if (visit(trim(value.substr(0, comma)))) return true;
        if (comma == std::string_view::npos) return false;
        value.remove_prefix(comma + 1);
    }
}

/// Whether a header value has a word, its words being separated by blanks and commas.
[[nodiscard]] inline bool has_word(std::string_view value, std::string_view word) noexcept {
    while (!value.empty()) {
        const std::size_t end = std::min(value.find_first_of(" ,\t"), value.size());
        if (iequals(value.substr(0, end), word)) return true;
        value.remove_prefix(std::min(end + 1, value.size()));
    }
    return false;
}

/// is_token() for one byte, by table: every byte of every header's name goes through it.
[[nodiscard]] constexpr bool is_token_byte(char c) noexcept {
    constexpr auto table = [] {
        std::array<bool, 256> result{};
        for (std::size_t i = 0; i != result.size(); ++i) {
            const char one = static_cast<char>(i);
            result[i] = is_token({&one, 1});
        }
        return result;
    }();
    return table[static_cast<unsigned char>(c)];
}

/// "x-foo-bar" becomes "X-Foo-Bar".
[[nodiscard]] inline std::string canonical_header_name(std::string_view name) {
    std::string result;
    for (const char c : name) {
        const bool starts_word = result.empty() || result.back() == '-';
        result += starts_word ? ascii_upper(c) : ascii_lower(c);
    }
    return result;
}

[[nodiscard]] constexpr bool is_control(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

/// Whether a text has a control character; a tab counts as none if `tabs_allowed`.
[[nodiscard]] inline bool has_control(std::string_view text, bool tabs_allowed) noexcept {
    const auto slow = [tabs_allowed](std::string_view part) {
        for (const char c : part)
            if (is_control(c) && !(tabs_allowed && c == '\t')) return true;
        return false;
    };
    // Eight bytes at a time: header values are most of what a probe reads.
    constexpr std::uint64_t ones = 0x0101010101010101;
    constexpr std::uint64_t tops = 0x8080808080808080;
    while (text.size() >= 8) {
        std::uint64_t word;
        std::memcpy(&word, text.data(), 8);
        const std::uint64_t deletes = word ^ ones * 0x7f;
        const std::uint64_t low = (word - ones * 0x20) & ~word;
        const std::uint64_t found = (low | ((deletes - ones) & ~deletes)) & tops;
        if (found != 0 && slow(text.substr(0, 8))) return true;
        text.remove_prefix(8);
    }
    return slow(text);
}

} // namespace probekit::inline v0::detail
