// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Every span of time in the library. Settings take any std::chrono duration, also of less than a
/// second.
using Duration = std::chrono::nanoseconds;

/// Every moment in the library. Time is monotonic, so setting the system's clock changes nothing.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

namespace detail {

/// `time + span`, but at most TimePoint::max(), since users write Duration::max() for "never".
[[nodiscard]] constexpr TimePoint saturating_add(TimePoint time, Duration span) noexcept {
    if (span > Duration::zero() && time > TimePoint::max() - span) return TimePoint::max();
    return time + span;
}

} // namespace detail
} // namespace probekit::inline PROBEKIT_ABI
