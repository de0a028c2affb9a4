// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <system_error>

#include <probekit/config.hpp>
#include <probekit/core/detail/code_point.hpp>
#include <probekit/core/duration.hpp>

/// \file
/// Values as Go's standard library prints them, which is how they stand in the messages of the
/// kubelet and of the API server:
///
/// \code
/// const std::error_code error = make_error_code(std::errc::connection_refused);
/// std::cout << go_duration(80s) << '\n'      // 1m20s
///           << go_quoted("say \"a\"") << '\n' // "say \"a\""
///           << go_error_text(error) << '\n';  // connection refused
/// \endcode
namespace probekit::inline PROBEKIT_ABI {

/// A duration as `time.Duration.String()` writes it: "1s", "1m20s", "1.5s", "250ms".
[[nodiscard]] inline std::string go_duration(Duration span) {
    const bool negative = span.count() < 0;
    // Negated as an unsigned number: the smallest duration has no positive counterpart.
    std::uint64_t left = negative ? std::uint64_t{0} - static_cast<std::uint64_t>(span.count())
                                  : static_cast<std::uint64_t>(span.count());
    if (left == 0) return "0s";

    // `value` units of `unit` nanoseconds, with as many decimals as are needed.
    const auto decimal = [](std::uint64_t value, std::uint64_t unit) {
        std::string text = std::to_string(value / unit);
        std::uint64_t rest = value % unit;
        if (rest == 0) return text;
        text += '.';
        for (std::uint64_t digit = unit / 10; rest != 0; digit /= 10) {
            text += static_cast<char>('0' + rest / digit);
            rest %= digit;
        }
        return text;
    };

    constexpr std::uint64_t second = 1'000'000'000;
    std::string text = negative ? "-" : "";
    if (left < 1'000) return text + std::to_string(left) + "ns";
    if (left < 1'000'000) return text + decimal(left, 1'000) + "\u00b5s";
    if (left < second) return text + decimal(left, 1'000'000) + "ms";
    const std::uint64_t hours = left / (3600 * second);
    const std::uint64_t minutes = left / (60 * second) % 60;
    left %= 60 * second;
    if (hours != 0) text += std::to_string(hours) + "h";
    if (hours != 0 || minutes != 0) text += std::to_string(minutes) + "m";
    return text + decimal(left, second) + "s";
}

namespace detail {

/// Whether Go prints this code point unescaped. Unlike Go, this does not know which code points are
/// unassigned, and prints them.
[[nodiscard]] constexpr bool is_printable(std::uint32_t c) noexcept {
    if (c < 0x80) return c >= 0x20 && c != 0x7f;
    const bool space_or_format = c <= 0xa0 || c == 0xad || c == 0x1680 || c == 0x180e ||
                                 (c >= 0x2000 && c <= 0x200f) || (c >= 0x2028 && c <= 0x202f) ||
                                 (c >= 0x205f && c <= 0x206f) || c == 0x3000 || c == 0xfeff ||
                                 (c >= 0xfff0 && c <= 0xfffb) || (c & 0xfffe) == 0xfffe;
    const bool private_use = (c >= 0xe000 && c <= 0xf8ff) || c >= 0xe0000;
    return !space_or_format && !private_use;
}

} // namespace detail

/// A text as `%q` prints it: in double quotes, with escapes for what is not printable.
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
        const detail::CodePoint next = detail::first_code_point(text);
        if (const std::size_t at = plain.find(text.front()); at != std::string_view::npos) {
            result += '\\';
            result += letter[at];
        } else if (!next.valid || next.value < 0x20 || next.value == 0x7f) {
            escape('x', static_cast<unsigned char>(text.front()), 2);
        } else if (detail::is_printable(next.value)) {
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

/// A system error as `syscall.Errno` prints it, "connection refused": strerror's text of the C
/// locale, in whatever locale the program runs (with glibc 2.32 or later), beginning with a small
/// letter unless its first word is an acronym. A code of another category gives its message.
[[nodiscard]] inline std::string go_error_text(const std::error_code& code) {
    std::string text;
#if defined(__GLIBC__) && (__GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 32))
    if (code.category() == std::system_category() || code.category() == std::generic_category())
        if (const char* const untranslated = ::strerrordesc_np(code.value())) text = untranslated;
#endif
    if (text.empty()) text = code.message();
    const bool is_word = text.size() > 1 && text[1] >= 'a' && text[1] <= 'z';
    if (is_word && text[0] >= 'A' && text[0] <= 'Z')
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

} // namespace probekit::inline PROBEKIT_ABI
