// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Where a worker's grid of checks begins.
enum class Cadence : std::uint8_t {
    /// As in released kubelets: the grid begins at start() and a new target does not move it, so a
    /// new target's first check may come up to a period late.
    grid,
    /// As Kubernetes' container-scoped probes: the first check comes exactly initial_delay after
    /// start() or target_replaced() (later if the gate opens later), the grid begins with that
    /// check, and counters begin anew.
    target_start,
};

/// How checks are spread in time. Kubernetes has nothing like it; the defaults change nothing.
struct Pacing {
    Cadence cadence = Cadence::grid;
    Duration spread = {}; ///< the grid begins somewhere in [0, spread) after start()
    /// Each check comes up to this much after its grid point. Must be less than the period.
    Duration jitter = {};
    std::uint64_t seed = 0; ///< for spread and jitter; 0: a different one per worker
    /// How late a check may begin so that checks due near each other share one wake-up of the
    /// program: it is moved to the next multiple of the power of two of nanoseconds that fits in
    /// here. Moves neither the grid nor a deadline. 0: exact. Must be less than the period. Empty:
    /// automatic, 1/128 of the period but at most some 8 ms on the real clock (steady_clock), 0 on
    /// any other.
    std::optional<Duration> slack = {};

    // Not inlined: where g++ knows one side to have no slack, it warns of the value that is not
    // there as uninitialised, though it is never read.
    [[gnu::noinline]] friend constexpr bool operator==(const Pacing&, const Pacing&) = default;
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
    /// A readiness worker checks for ever; a liveness worker is on hold after it failed, a startup
    /// worker once it is decided.
    ProbeKind kind = ProbeKind::readiness;
    /// From start() or target_replaced(). Checks are due on the grid only: the first one at the
    /// first point that is not before the end of this delay.
    Duration initial_delay = {};
    /// The distance of the points of a grid that begins at start(). A late or long check does not
    /// move the grid: points that passed are skipped, but one that passed during a check is made up
    /// for at once after it, as a Go ticker does.
    Duration period = std::chrono::seconds{10};
    Duration timeout = std::chrono::seconds{1}; ///< of each attempt, from its beginning
    int success_threshold = 1; ///< successes in a row to pass; must be 1 for startup and liveness
    int failure_threshold = 3; ///< failures in a row to fail
    /// Checks in a row that could not ask, after which the health is `unknown` until one can. 0:
    /// never, which is Kubernetes' rule and what read_probe() sets. They move no other counter.
    int error_threshold = 3;
    /// Whether those errors count too that this machine's own want causes (is_local_fault). By
    /// default they do not, so that a starved prober takes no healthy targets out of service.
    bool error_threshold_local = false;
    /// Instead of the pod's grace period, when this probe is why a process is killed. Not for
    /// readiness. Workers do nothing with it.
    std::optional<Duration> termination_grace_period = {};
    Pacing pacing = {};

    // Not inlined, for the same reason.
    [[gnu::noinline]] friend constexpr bool operator==(const ProbeSpec&,
                                                       const ProbeSpec&) = default;
};

namespace detail {

inline constexpr int highest_error_threshold = 65535; // what a worker counts to

/// Calls `report(field, detail)` for each rule of a ProbeSpec that is broken, in the order of the
/// fields.
template <class Report>
constexpr void validate_spec(const ProbeSpec& spec, Report report) {
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
    if (spec.error_threshold < 0)
        report("error_threshold", "must not be negative");
    else if (spec.error_threshold > highest_error_threshold)
        report("error_threshold", "must not be greater than 65535");
    if (spec.termination_grace_period) {
        if (readiness)
            report("termination_grace_period", "must not be set for readiness");
        else if (*spec.termination_grace_period <= zero)
            report("termination_grace_period", "must be greater than zero");
    }
    if (spec.pacing.spread < zero) report("pacing.spread", "must not be negative");
    const auto validate_shift = [&](Duration shift, const char* field) {
        if (shift < zero)
            report(field, "must not be negative");
        else if (shift != zero && shift >= spec.period)
            report(field, "must be less than period");
    };
    validate_shift(spec.pacing.jitter, "pacing.jitter");
    validate_shift(spec.pacing.slack.value_or(zero), "pacing.slack");
}

/// The slack of a worker on the real clock whose spec leaves it open: the power of two of
/// nanoseconds nearest to 1/128 of the period, at most 2^23 ns, which is 8.4 ms.
[[nodiscard]] constexpr Duration automatic_slack(Duration period) noexcept {
    constexpr Duration most{1 << 23};
    const auto share = static_cast<std::uint64_t>(std::min(period / 128, most).count());
    return Duration{static_cast<Duration::rep>(std::bit_floor(share + share / 3))};
}

/// When a check begins that is due at `due` and may be late by `slack`: checks of equal slack, or
/// of one that is twice as long, begin together. It is late by less than `slack`.
[[nodiscard]] constexpr TimePoint shared_moment(TimePoint due, Duration slack) noexcept {
    const auto grain =
        static_cast<Duration::rep>(std::bit_floor(static_cast<std::uint64_t>(slack.count())));
    if (grain <= 1 || due >= TimePoint::max() - Duration{grain}) return due;
    return TimePoint{Duration{(due.time_since_epoch().count() + grain - 1) & ~(grain - 1)}};
}

/// How long after its point of the grid a check may begin, by its settings.
[[nodiscard]] constexpr Duration latest_shift(const Pacing& pacing) noexcept {
    return saturating_add(TimePoint{pacing.jitter}, pacing.slack.value_or(Duration{}))
        .time_since_epoch();
}

} // namespace detail

/// All mistakes at once. 0 means 0 here; only in Kubernetes' JSON does it mean "default".
template <class = detail::OnUse>
[[nodiscard]] inline ConfigErrors validate(const ProbeSpec& spec) {
    ConfigErrors errors;
    detail::validate_spec(spec, [&](const char* field, const char* detail) {
        errors.push_back({field, detail});
    });
    return errors;
}

/// Whether validate() would find nothing; for static_assert.
[[nodiscard]] constexpr bool is_valid(const ProbeSpec& spec) noexcept {
    bool valid = true;
    detail::validate_spec(spec, [&](const char*, const char*) { valid = false; });
    return valid;
}

namespace detail {

[[nodiscard]] constexpr Duration worst_case(const ProbeSpec& spec, int threshold) noexcept {
    const Duration each = std::max(spec.period, spec.timeout);
    const int further = threshold - 1;
    // Added up as moments, which saturate: "never" is written as Duration::max().
    TimePoint judged{spec.period};
    judged = saturating_add(
        judged, further > 0 && each > Duration::max() / further ? Duration::max() : further * each);
    judged = saturating_add(judged, spec.timeout);
    return saturating_add(judged, latest_shift(spec.pacing)).time_since_epoch();
}

} // namespace detail

/// The longest time from the target's death, just after a check that passed, to the verdict
/// "failing". Holds jitter, and the slack that is given; the automatic one comes on top of it.
[[nodiscard]] constexpr Duration worst_case_detection(const ProbeSpec& spec) noexcept {
    return detail::worst_case(spec, spec.failure_threshold);
}

/// The longest time from the target's recovery, just after a check that failed, to the verdict
/// "passing", with jitter and slack as above.
[[nodiscard]] constexpr Duration worst_case_recovery(const ProbeSpec& spec) noexcept {
    return detail::worst_case(spec, spec.success_threshold);
}

} // namespace probekit::inline PROBEKIT_ABI
