// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI {

namespace detail {

/// Removes the decimal digits at the front of `text` and returns them.
constexpr std::string_view take_digits(std::string_view& text) noexcept {
    const std::size_t length = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::string_view digits = text.substr(0, length);
    text.remove_prefix(length);
    return digits;
}

/// Removes a unit of Go's durations from the front of `text`. Returns its nanoseconds, or 0 if
/// there is no unit.
constexpr std::int64_t take_unit(std::string_view& text) noexcept {
    constexpr std::pair<std::string_view, std::int64_t> units[] = {
        {"ns", 1},
        {"us", 1'000},
        {"\u00b5s", 1'000},
        {"ms", 1'000'000},
        {"s", 1'000'000'000},
        {"m", 60'000'000'000},
        {"h", 3'600'000'000'000},
    };
    for (const auto& [name, nanoseconds] : units) {
        if (!text.starts_with(name)) continue;
        text.remove_prefix(name.size());
        return nanoseconds;
    }
    return 0;
}

/// Adds `whole`.`fraction` units of `unit` nanoseconds to `sum`. Returns false on overflow.
/// Decimals finer than a nanosecond are ignored.
constexpr bool add_decimal(std::int64_t& sum, std::string_view whole, std::string_view fraction,
                           std::int64_t unit) noexcept {
    constexpr std::int64_t max = Duration::max().count();
    std::int64_t value = 0;
    for (const char digit : whole) {
        if (value > (max - (digit - '0')) / 10) return false;
        value = value * 10 + (digit - '0');
    }
    if (value > max / unit) return false;
    value *= unit;
    std::int64_t scale = unit;
    for (const char digit : fraction) {
        if (scale % 10 != 0) break;
        scale /= 10;
        if (value > max - scale * (digit - '0')) return false;
        value += scale * (digit - '0');
    }
    if (sum > max - value) return false;
    sum += value;
    return true;
}

} // namespace detail

namespace kubernetes {

/// Parses a duration as Go writes it: "300ms", "1.5h", "1h30m"; "0" needs no unit. Returns nothing
/// for any other text, for negative durations, and for those that a Duration cannot hold.
/// \code
/// const std::optional<Duration> period = kubernetes::parse_duration("1m30s"); // 90 s
/// \endcode
[[nodiscard]] constexpr std::optional<Duration> parse_duration(std::string_view text) noexcept {
    if (text == "0") return Duration{};
    if (text.empty()) return std::nullopt;
    std::int64_t sum = 0;
    while (!text.empty()) {
        const std::string_view whole = detail::take_digits(text);
        std::string_view fraction;
        if (text.starts_with('.')) {
            text.remove_prefix(1);
            fraction = detail::take_digits(text);
        }
        if (whole.empty() && fraction.empty()) return std::nullopt;
        const std::int64_t unit = detail::take_unit(text);
        if (unit == 0 || !detail::add_decimal(sum, whole, fraction, unit)) return std::nullopt;
    }
    return Duration{sum};
}

} // namespace kubernetes
} // namespace probekit::inline PROBEKIT_ABI
