// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// What a worker reads the time from: an object, so that several clocks may exist side by side.
/// std::chrono::steady_clock is one, and needs no object; testing::ManualClock is moved by hand.
///
/// With any clock but steady_clock, a worker has no slack unless Pacing gives one, and it enforces
/// the timeouts of this library's probes itself, so that its clock drives everything.
template <class C>
concept Clock = requires(C& clock) {
    { clock.now() } -> std::convertible_to<TimePoint>;
};

} // namespace probekit::inline PROBEKIT_ABI
