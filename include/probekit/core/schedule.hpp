// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/probe_spec.hpp>

namespace probekit::inline PROBEKIT_ABI {

namespace detail {

/// The first point of a grid that is not before `bound`. The grid is `point` and what follows it by
/// whole periods.
[[nodiscard]] constexpr TimePoint grid_point_from(TimePoint point, Duration period,
                                                  TimePoint bound) noexcept {
    PROBEKIT_ASSERT(period > Duration::zero());
    if (bound <= point) return point;
    if (bound == TimePoint::max()) return bound; // never
    const Duration beyond = (bound - point) % period;
    return beyond == Duration::zero() ? bound : saturating_add(bound, period - beyond);
}

/// splitmix64 (public domain, Sebastiano Vigna): one word of state, good enough to spread checks.
constexpr std::uint64_t splitmix64(std::uint64_t& state) noexcept {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

} // namespace detail

/// When the next check is due: the grid of a ProbeSpec, its initial delay, spread and jitter. Its
/// caller passes the time. It does not know why a check may be forbidden, which WorkerFsm decides.
/// TimePoint::max() means never.
///
/// With Cadence::grid this is the kubelet's ticker: points at a fixed distance from the start,
/// however long a check takes. A point that passes during a check is made up for at once after it;
/// if several pass, one is made up for and the others are lost, since a ticker's channel holds one
/// tick.
class Schedule {
public:
    /// The worker begins; its target has been running since `target_since`. `entropy` seeds spread
    /// and jitter if the spec has no seed.
    constexpr void start(const ProbeSpec& spec, TimePoint target_since, TimePoint now,
                         std::uint64_t entropy) noexcept {
        random_ = spec.pacing.seed != 0 ? spec.pacing.seed : entropy;
        first_ = true;
        since_ = target_since;
        const Duration offset = draw(spec.pacing.spread);
        if (spec.pacing.cadence == Cadence::target_start)
            delay_first(spec, now, offset);
        else
            point_ = detail::saturating_add(now, offset);
    }

    /// Another target, running since `since`. Only Cadence::target_start gives it a grid of its
    /// own. The first check of a target that has been running unprobed (`adopted`) then comes up to
    /// a period later, so that a program which adopts many targets does not check all at once.
    constexpr void replace_target(const ProbeSpec& spec, TimePoint since, TimePoint now,
                                  bool adopted) noexcept {
        skip_delayed(spec, now);
        since_ = since;
        if (spec.pacing.cadence == Cadence::grid) return;
        first_ = true;
        if (adopted) delay_first(spec, now, draw(spec.period));
    }

    /// Whether the initial delay, which counts from the start of the target, is not over.
    [[nodiscard]] constexpr bool delayed(const ProbeSpec& spec, TimePoint now) const noexcept {
        return now < delay_end(spec);
    }

    /// When the next check is due, if nothing else forbids it; a moment not after `now` means at
    /// once. Does not move the grid.
    constexpr TimePoint plan(const ProbeSpec& spec, TimePoint now) noexcept {
        const TimePoint earliest = delay_end(spec);
        // The grid of a new target begins with its first check.
        if (first_ && spec.pacing.cadence == Cadence::target_start)
            point_ = std::max(earliest, now);
        const TimePoint point =
            now < earliest ? detail::grid_point_from(point_, spec.period, earliest) : point_;
        due_ = detail::saturating_add(point, draw(spec.pacing.jitter));
        return due_;
    }

    /// The planned check begins at `now`, perhaps late. Returns the number of points that it came
    /// too late for.
    constexpr int begin_check(const ProbeSpec& spec, TimePoint now) noexcept {
        PROBEKIT_ASSERT(spec.period > Duration::zero());
        TimePoint point = point_;
        // Jitter is less than a period, so the point of this check is the last one not after
        // `due_`.
        if (const Duration ahead = due_ - point_; ahead >= spec.period)
            point = due_ - ahead % spec.period;
        Duration::rep skipped = 0;
        if (const Duration late = now - due_; late >= spec.period) {
            skipped = late / spec.period;
            point += skipped * spec.period;
        }
        point_ = detail::saturating_add(point, spec.period);
        first_ = false;
        return static_cast<int>(std::min<Duration::rep>(skipped, std::numeric_limits<int>::max()));
    }

    /// The grid begins anew with a point at `now`, so a check that begins now is on time.
    constexpr void restart(TimePoint now) noexcept { point_ = due_ = now; }

    /// Points before `now` are neither made up for nor counted as skipped: no check was due then.
    constexpr void skip_to(const ProbeSpec& spec, TimePoint now) noexcept {
        point_ = detail::grid_point_from(point_, spec.period, now);
    }

    /// The spec changes. A new period counts from the last check.
    constexpr void change(const ProbeSpec& from, const ProbeSpec& to, TimePoint now) noexcept {
        skip_delayed(from, now);
        if (from.period == to.period) return;
        if (!first_) {
            const TimePoint last = point_ == TimePoint::max() ? now : point_ - from.period;
            point_ = detail::saturating_add(last, to.period);
        }
        skip_to(to, now);
    }

    /// When the check that is planned or in flight is, or was, due.
    [[nodiscard]] constexpr TimePoint due() const noexcept { return due_; }

    /// While a check is in flight: the next point of the grid.
    [[nodiscard]] constexpr TimePoint next_point() const noexcept { return point_; }

private:
    [[nodiscard]] constexpr TimePoint delay_end(const ProbeSpec& spec) const noexcept {
        return detail::saturating_add(since_, spec.initial_delay);
    }

    /// Before the initial delay changes: no check was due at the points that lie in it so far.
    constexpr void skip_delayed(const ProbeSpec& spec, TimePoint now) noexcept {
        if (delayed(spec, now)) skip_to(spec, now);
    }

    /// Moves a target's first check by `offset`.
    constexpr void delay_first(const ProbeSpec& spec, TimePoint now, Duration offset) noexcept {
        if (offset == Duration::zero()) return;
        since_ =
            detail::saturating_add(std::max(delay_end(spec), now), offset) - spec.initial_delay;
    }

    /// A random duration in [0, limit).
    constexpr Duration draw(Duration limit) noexcept {
        if (limit <= Duration::zero()) return Duration::zero();
        return Duration{static_cast<Duration::rep>(detail::splitmix64(random_) %
                                                   static_cast<std::uint64_t>(limit.count()))};
    }

    TimePoint point_ = {}; ///< the earliest point of the grid that has had no check
    TimePoint due_ = {};   ///< when the check that is planned or in flight is due
    TimePoint since_ = {}; ///< the initial delay counts from here
    std::uint64_t random_ = 0;
    bool first_ = true; ///< no check has begun on this grid
};

} // namespace probekit::inline PROBEKIT_ABI
