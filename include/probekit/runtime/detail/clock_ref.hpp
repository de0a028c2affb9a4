// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>

#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The clock that a worker reads; steady_clock needs no object.
template <class Clk>
struct ClockRef {
    explicit ClockRef(Clk& object) noexcept : clock(&object) {}
    [[nodiscard]] TimePoint now() const { return clock->now(); }
    [[nodiscard]] Ref<Wheel> wheel(const auto& executor) const {
        return Wheel::of(executor, *clock);
    }
    Clk* clock;
};
template <>
struct ClockRef<std::chrono::steady_clock> {
    [[nodiscard]] static TimePoint now() noexcept { return std::chrono::steady_clock::now(); }
    [[nodiscard]] static Ref<Wheel> wheel(const auto& executor) { return Wheel::of(executor); }
};

} // namespace probekit::inline PROBEKIT_ABI::detail
