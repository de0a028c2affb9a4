// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// When a worker's grid of looks begins.
enum class Cadence : std::uint8_t {
    /// As released kubelets: the grid begins at start() and a new target does not move it, so a new
    /// target's first look
    /// may come up to a period late.
    grid,
    /// As Kubernetes' container-scoped probes: the first look comes exactly initial_delay after
    /// start() or
    /// target_replaced() (later if its gate opens later), the grid begins with that look, and
    /// counters begin anew.
    target_start,
};

/// How looks are spread in time. Beyond Kubernetes; the defaults change nothing.
struct Pacing {
    Cadence cadence = Cadence::grid;
    Duration spread = {}; ///< the grid begins somewhere in [0, spread) after start()
    Duration jitter =
        {}; ///< each look comes up to this much after its grid point; if given, less than period
    std::uint64_t seed = 0; ///< of spread and jitter; 0: a different one per worker

    friend constexpr bool operator==(const Pacing&, const Pacing&) = default;
};

/// When to check, and how many equal results in a row decide: the timing fields of a Kubernetes
/// Probe, with its defaults.
/// \code
/// constexpr ProbeSpec spec{.kind = ProbeKind::liveness,
///                          .initial_delay = 5s,
///                          .period = 2s,
///                          .failure_threshold = 2};
/// static_assert(is_valid(spec) && worst_case_detection(spec) == 5s);
/// \endcode
///
/// Durations are as fine as a nanosecond. Zero means zero; only JSON takes it for "the default".
struct ProbeSpec {
    /// Readiness looks for ever, both ways; liveness holds after it failed; startup holds once it
    /// is decided.
    ProbeKind kind = ProbeKind::readiness;
    /// From start() or target_replaced(). Looks happen on the grid only: the first is at the first
    /// grid point not before.
    Duration initial_delay = {};
    /// A fixed grid from start(): a late or long look does not shift it; missed points are skipped,
    /// and one that fell due during a look is made up at once after it (as a Go ticker does).
    Duration period = std::chrono::seconds{10};
    Duration timeout = std::chrono::seconds{1}; ///< per attempt, from its beginning
    int success_threshold = 1; ///< successes in a row to pass; must be 1 for startup and liveness
    int failure_threshold = 3; ///< failures in a row to fail
    /// Grace for the process this probe has killed, instead of the pod's. Not for readiness.
    /// Workers only carry it.
    std::optional<Duration> termination_grace_period = {};
    Pacing pacing = {};

    friend constexpr bool operator==(const ProbeSpec&, const ProbeSpec&) = default;
};

namespace detail {

/// Every rule of a ProbeSpec once: `report(field, detail)` for each that is broken, in the order of
/// the fields.
template <class Report>
constexpr void check(const ProbeSpec& spec, Report report) {
    constexpr Duration zero{};
    const bool readiness = spec.kind == ProbeKind::readiness;
    if (spec.initial_delay < zero) report("initial_delay", "must not be negative");
    if (spec.period <= zero) report("period", "must be greater than zero");
    if (spec.timeout <= zero) report("timeout", "must be greater than zero");
    if (spec.success_threshold <= 0)
        report("success_threshold", "must be greater than zero");
    else if (!readiness && spec.success_threshold != 1)
        report("success_threshold", "must be 1");
    if (spec.failure_threshold <= 0) report("failure_threshold", "must be greater than zero");
    if (spec.termination_grace_period) {
        if (readiness)
            report("termination_grace_period", "must not be set for readiness");
        else if (*spec.termination_grace_period <= zero)
            report("termination_grace_period", "must be greater than zero");
    }
    if (spec.pacing.spread < zero) report("pacing.spread", "must not be negative");
    if (spec.pacing.jitter < zero)
        report("pacing.jitter", "must not be negative");
    else if (spec.pacing.jitter != zero && spec.pacing.jitter >= spec.period)
        report("pacing.jitter", "must be less than period");
}

} // namespace detail

/// All mistakes at once. Here 0 means 0; that it means "default" is a rule of Kubernetes' JSON
/// only.
template <class = detail::OnUse>
[[nodiscard]] inline ConfigErrors validate(const ProbeSpec& spec) {
    ConfigErrors errors;
    detail::check(spec, [&](const char* field, const char* what) {
        errors.push_back({field, what});
    });
    return errors;
}

/// Whether validate() would find nothing; for static_assert.
[[nodiscard]] constexpr bool is_valid(const ProbeSpec& spec) noexcept {
    bool valid = true;
    detail::check(spec, [&](const char*, const char*) { valid = false; });
    return valid;
}

namespace detail {

[[nodiscard]] constexpr Duration worst_case(const ProbeSpec& spec, int threshold) noexcept {
    const Duration each = std::max(spec.period, spec.timeout);
    const int more = threshold - 1;
    // Added up as moments: those stop at the largest, where "never" is written as Duration::max().
    TimePoint judged{spec.period};
    judged = saturating_add(judged, more > 0 && each > Duration::max() / more ? Duration::max()
                                                                              : more * each);
    judged = saturating_add(judged, spec.timeout);
    return saturating_add(judged, spec.pacing.jitter).time_since_epoch();
}

} // namespace detail

/// The longest time from the target's death, just after a good look, to the failing verdict.
[[nodiscard]] constexpr Duration worst_case_detection(const ProbeSpec& spec) noexcept {
    return detail::worst_case(spec, spec.failure_threshold);
}

/// The longest time from the target's recovery, just after a bad look, to the passing verdict.
[[nodiscard]] constexpr Duration worst_case_recovery(const ProbeSpec& spec) noexcept {
    return detail::worst_case(spec, spec.success_threshold);
}

} // namespace probekit::inline PROBEKIT_ABI
