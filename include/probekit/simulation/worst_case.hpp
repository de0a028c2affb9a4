// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>

#include <probekit/config.hpp>
#include <probekit/core/container_fsm.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/probe_spec.hpp>

/// \file
/// Limits that follow from a ProbeSpec, beside worst_case_detection() and worst_case_recovery().
/// They hold while no attempt ends with a prober error, which delays everything. Duration::max()
/// means never.
namespace probekit::inline PROBEKIT_ABI::simulation {

/// How long after its start a target is first checked at the latest. With Cadence::grid the target
/// may just miss a point of a grid that is older than itself, so it does not quite reach this
/// limit.
[[nodiscard]] constexpr Duration worst_case_first_check(const ProbeSpec& spec) noexcept {
    TimePoint first{spec.initial_delay};
    if (spec.pacing.cadence == Cadence::grid)
        first = std::max(probekit::detail::saturating_add(first, spec.period),
                         TimePoint{spec.pacing.spread});
    else
        first = probekit::detail::saturating_add(first, spec.pacing.spread);
    return probekit::detail::saturating_add(first, probekit::detail::latest_shift(spec.pacing))
        .time_since_epoch();
}

/// How long after its start a target that never responds is found failing at the latest.
[[nodiscard]] constexpr Duration worst_case_give_up(const ProbeSpec& spec) noexcept {
    // worst_case_detection() begins with a period without a check. Here the time before the first
    // check takes its place.
    const Duration first =
        worst_case_first_check(spec) - probekit::detail::latest_shift(spec.pacing);
    const TimePoint without_period = TimePoint{worst_case_detection(spec)} - spec.period;
    return probekit::detail::saturating_add(without_period, first).time_since_epoch();
}

/// How slow a start is always allowed: a target that responds from this age on is never killed by
/// this startup or liveness probe, however fast its attempts fail before. With Cadence::grid this
/// holds for a target that starts for the first time or after a kill; failures of one that ended by
/// itself count for the next run too. `start_precision` is what the start is truncated to
/// (Container::start_precision()): up to this much of the initial delay has passed when the target
/// starts.
[[nodiscard]] constexpr Duration allowed_start(const ProbeSpec& spec,
                                               Duration start_precision = {}) noexcept {
    const Duration delay = std::max(spec.initial_delay - start_precision, Duration::zero());
    const int periods = spec.failure_threshold - 1;
    const Duration span = periods > 0 && spec.period > Duration::max() / periods
                              ? Duration::max()
                              : periods * spec.period;
    return probekit::detail::saturating_add(TimePoint{delay}, span).time_since_epoch();
}

/// The longest time from the failure of a target, just after a successful check, until its grace
/// period has passed and it may be started again. Back-off and the start itself come on top.
/// `grace` is used if the spec has no grace period of its own.
[[nodiscard]] constexpr Duration worst_case_restart(const ProbeSpec& spec,
                                                    Duration grace = std::chrono::seconds{
                                                        30}) noexcept {
    const Duration longest =
        effective_grace_period(granted_grace_period(spec.termination_grace_period, grace));
    return probekit::detail::saturating_add(TimePoint{worst_case_detection(spec)}, longest)
        .time_since_epoch();
}

} // namespace probekit::inline PROBEKIT_ABI::simulation
