// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>

#include <probekit/config.hpp>
#include <probekit/core/container_fsm.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/probe_spec.hpp>

// What a ProbeSpec promises, beside worst_case_detection() and worst_case_recovery(). All of it for
// a prober that can ask: a look that ends with an error counts for nothing and puts everything off.
// Duration::max() means never.
namespace probekit::inline PROBEKIT_ABI::simulation {

/// The latest first look at a target, from its start. A grid that was there before the target has
/// any of its points just missed, so this is a limit that is not quite reached with Cadence::grid.
[[nodiscard]] constexpr Duration worst_case_first_check(const ProbeSpec& spec) noexcept {
    TimePoint first{spec.initial_delay};
    if (spec.pacing.cadence == Cadence::grid)
        first = std::max(probekit::detail::saturating_add(first, spec.period),
                         TimePoint{spec.pacing.spread});
    else
        first = probekit::detail::saturating_add(first, spec.pacing.spread);
    return probekit::detail::saturating_add(first, spec.pacing.jitter).time_since_epoch();
}

/// The latest moment, from its start, at which a target that never answers is found failing.
[[nodiscard]] constexpr Duration worst_case_give_up(const ProbeSpec& spec) noexcept {
    // Detection begins with a period without a look, and this with what stands before the first
    // look.
    const Duration first = worst_case_first_check(spec) - spec.pacing.jitter;
    const TimePoint without_period = TimePoint{worst_case_detection(spec)} - spec.period;
    return probekit::detail::saturating_add(without_period, first).time_since_epoch();
}

/// How slow a start is always allowed: a target that answers at this age, and from then on, is
/// never killed by this startup or liveness probe, however fast its looks fail before. With
/// Cadence::grid this holds for a target that was started for the first time or after a kill; one
/// that ended by itself hands its failures on to the next. `start_precision` is what the target's
/// start is truncated to (Container::start_precision()): up to so much of the initial delay is over
/// when the target starts.
[[nodiscard]] constexpr Duration allowed_start(const ProbeSpec& spec,
                                               Duration start_precision = {}) noexcept {
    const Duration delay = std::max(spec.initial_delay - start_precision, Duration::zero());
    const int looks = spec.failure_threshold - 1;
    const Duration span =
        looks > 0 && spec.period > Duration::max() / looks ? Duration::max() : looks * spec.period;
    return probekit::detail::saturating_add(TimePoint{delay}, span).time_since_epoch();
}

/// The longest time from the target's death, just after a good look, until it has ended, its grace
/// period over, and may be started anew; back-off, and what a start takes, come on top. `grace` is
/// used if the spec has none of its own.
[[nodiscard]] constexpr Duration worst_case_restart(const ProbeSpec& spec,
                                                    Duration grace = std::chrono::seconds{
                                                        30}) noexcept {
    const Duration longest =
        effective_grace_period(granted_grace_period(spec.termination_grace_period, grace));
    return probekit::detail::saturating_add(TimePoint{worst_case_detection(spec)}, longest)
        .time_since_epoch();
}

} // namespace probekit::inline PROBEKIT_ABI::simulation
