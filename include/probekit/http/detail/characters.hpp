// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/on_use.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

[[nodiscard]] constexpr char ascii_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

[[nodiscard]] constexpr char ascii_upper(char c) noexcept {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// Whether two texts are equal except for the case of their ASCII letters.
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

[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept {
    return trim_right(trim_left(text));
}

/// A line without its LF or CR LF.
[[nodiscard]] constexpr std::string_view without_line_end(std::string_view line) noexcept {
    if (line.ends_with('\n')) line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
    return line;
}

/// Calls `visit` with each element of a comma-separated header value until one returns true, and
/// returns whether one did.
template <class Visit>
constexpr bool any_element(std::string_view value, Visit visit) {
    for (;;) {
        const std::size_t comma = value.find(',');
        if (visit(trim(value.substr(0, comma)))) return true;
        if (comma == std::string_view::npos) return false;
        value.remove_prefix(comma + 1);
    }
}

/// Whether a header value has this word, in any case. Blanks and commas separate words.
[[nodiscard]] inline bool has_word(std::string_view value, std::string_view word) noexcept {
    while (!value.empty()) {
        const std::size_t end = std::min(value.find_first_of(" ,\t"), value.size());
        if (iequals(value.substr(0, end), word)) return true;
        value.remove_prefix(std::min(end + 1, value.size()));
    }
    return false;
}

[[nodiscard]] constexpr bool is_control(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
}

template <class Predicate>
[[nodiscard]] constexpr std::array<bool, 256> table_of(Predicate predicate) noexcept {
    std::array<bool, 256> table{};
    for (std::size_t i = 0; i != table.size(); ++i) table[i] = predicate(static_cast<char>(i));
    return table;
}

// Every byte of every header is looked up in one of these tables.
inline constexpr auto token_bytes = table_of([](char c) { return is_token({&c, 1}); });
inline constexpr auto bad_value_bytes = table_of([](char c) { return is_control(c) && c != '\t'; });

[[nodiscard]] constexpr bool is_token_byte(char c) noexcept {
    return token_bytes[static_cast<unsigned char>(c)];
}

/// The end of the token that begins at `from`. A byte before `end` must not be part of a token: the
/// loop looks for it and not for `end`.
[[nodiscard]] constexpr const char* token_end(const char* from,
                                              [[maybe_unused]] const char* end) noexcept {
    PROBEKIT_ASSERT(std::find_if_not(from, end, is_token_byte) != end);
    while (is_token_byte(from[0]) && is_token_byte(from[1]))
        from += 2; // two bytes per turn take fewer instructions
    return is_token_byte(*from) ? from + 1 : from;
}

// Most of what a probe reads is heads, so they are searched eight bytes at a time.
inline constexpr std::uint64_t ones = 0x0101010101010101;

[[nodiscard]] inline std::uint64_t eight_bytes(const char* from) noexcept {
    std::uint64_t word;
    std::memcpy(&word, from, 8);
    return word;
}

/// Whether a header's name is `lower_case`, in any case. The name must be a token: two bytes of
/// tokens that differ in bit 5 only are one letter in two cases.
template <std::size_t N>
[[nodiscard]] bool is_header(std::string_view name, const char (&lower_case)[N]) noexcept {
    constexpr std::size_t size = N - 1;
    static_assert(size >= 8);
    if (name.size() != size) return false;
    const auto differs = [&](std::size_t at) {
        return (eight_bytes(name.data() + at) | ones * 0x20) != eight_bytes(lower_case + at);
    };
    for (std::size_t at = 0; at + 8 < size; at += 8)
        if (differs(at)) return false;
    return !differs(size - 8);
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

/// Whether a header's value contains a byte that it must not: a control character other than a tab.
template <class = OnUse>
[[nodiscard]] inline bool has_control(std::string_view text) noexcept {
    const auto any = [](const char* from, const char* to) {
        bool found = false;
        for (; from != to; ++from) found |= bad_value_bytes[static_cast<unsigned char>(*from)];
        return found;
    };
    const char* from = text.data();
    const char* const to = from + text.size();
    if (text.size() < 8) return any(from, to);
    // The last eight bytes may overlap the ones before. A tab counts as suspicious here; `any` then
    // accepts it.
    const auto is_suspicious = [](const char* eight) {
        constexpr std::uint64_t tops = ones * 0x80;
        const std::uint64_t word = eight_bytes(eight);
        const std::uint64_t deletes = word ^ ones * 0x7f;
        return ((((word - ones * 0x20) & ~word) | ((deletes - ones) & ~deletes)) & tops) != 0;
    };
    for (; to - from > 8; from += 8)
        if (is_suspicious(from) && any(from, from + 8)) return true;
    return is_suspicious(to - 8) && any(to - 8, to);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
