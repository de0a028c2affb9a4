// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Every span of time in the library. Settings take any std::chrono duration; there is no floor of
/// one second.
using Duration = std::chrono::nanoseconds;

/// Every moment in the library: monotonic time, never wall time, so that setting the system's clock
/// changes nothing.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

namespace detail {

/// `time + span`, at most TimePoint::max(): users write Duration::max() for "never".
[[nodiscard]] constexpr TimePoint saturating_add(TimePoint time, Duration span) noexcept {
    if (span > Duration::zero() && time > TimePoint::max() - span) return TimePoint::max();
    return time + span;
}

/// A duration as Go's `time.Duration.String()` writes it ("1s", "1m20s", "1.5s", "250ms"): the
/// kubelet's messages do.
template <class = detail::OnUse>
[[nodiscard]] inline std::string go_duration(Duration span) {
    const bool negative = span.count() < 0;
    // Negated in unsigned arithmetic: the smallest duration has no positive twin.
    std::uint64_t left = negative ? std::uint64_t{0} - static_cast<std::uint64_t>(span.count())
                                  : static_cast<std::uint64_t>(span.count());
    if (left == 0) return "0s";

    // `value` units of `unit` nanoseconds, with as many decimals as it takes.
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

} // namespace detail
} // namespace probekit::inline PROBEKIT_ABI
