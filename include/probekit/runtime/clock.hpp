// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// What a worker reads the time from: an object, so that two may exist side by side, and never a
/// global. std::chrono::steady_clock is one; testing::ManualClock is moved by hand. With another
/// clock than steady_clock waits have no slack, and the worker keeps the timeouts of our own probes
/// too, so that its clock drives everything.
template <class C>
concept Clock = requires(C& clock) {
    { clock.now() } -> std::convertible_to<TimePoint>;
};

} // namespace probekit::inline PROBEKIT_ABI
