// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/core/worker_fsm.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// How a process ended that could not be started at all, as a kubelet says it.
inline constexpr ExitStatus exit_of_failed_start{.code = 128};

/// How a process ended whose status is lost, as a kubelet says it.
inline constexpr ExitStatus exit_of_lost_status{.code = 137};

/// The time between SIGTERM and SIGKILL of a process that is granted so much.
[[nodiscard]] constexpr Duration effective_grace_period(Duration granted) noexcept {
    return std::max(granted, minimum_grace_period);
}

/// What a container is granted that is killed for a probe: the probe's own grace period, else the
/// container's.
[[nodiscard]] constexpr Duration granted_grace_period(std::optional<Duration> probe,
                                                      Duration container) noexcept {
    return probe.value_or(container);
}

/// What a kubelet keeps of the moment at which a container started: whole seconds.
inline constexpr Duration kubelet_start_precision = std::chrono::seconds{1};

/// Since when initial delays count for a container that started at `started`, if starts are kept as
/// whole multiples of `precision` since `origin`, as a kubelet keeps them: the container seems to
/// be up to `precision` older than it is. On a grid of whole seconds that began at `origin`, a
/// container that is restarted just after a point of the grid then does not miss the point that
/// comes one initial delay later. A precision of zero keeps starts as they are.
[[nodiscard]] constexpr TimePoint truncated_start(
    TimePoint started, TimePoint origin = {},
    Duration precision = kubelet_start_precision) noexcept {
    if (precision == Duration::zero()) return started;
    Duration beyond = (started - origin) % precision;
    if (beyond < Duration::zero()) beyond += precision;
    return started - beyond;
}

/// What decides when a container is killed and restarted.
struct ContainerSettings {
    RestartPolicy restart_policy = RestartPolicy::always;
    RestartBackOffSpec back_off = {.wait_from_kill = true}; ///< by default as a kubelet
    Duration termination_grace_period = std::chrono::seconds{30};

    friend constexpr bool operator==(const ContainerSettings&, const ContainerSettings&) = default;
};

namespace event {

/// Starting the container failed: it counts as an exit with status 128.
struct StartFailed {};
/// The container's process has ended.
struct Ended {
    ExitStatus status = {};
};
/// The startup or liveness probe has failed: GroupEvent::kill.
struct ProbeFailed {
    ProbeKind kind = ProbeKind::liveness;
    /// That of the probe's spec.
    std::optional<Duration> termination_grace_period = {};
};
/// The container is to end for good.
struct StopAsked {};
/// The container is to end and to be started again at once, whatever its policy and its back-off.
struct RestartAsked {};

} // namespace event

/// What to do now with a container.
struct ContainerDecision {
    enum class Action : std::uint8_t {
        none,
        start,  ///< the process, now; then report Started or StartFailed
        wait,   ///< Due at `at`
        signal, ///< SIGTERM, and SIGKILL if the process has not ended `grace` later; report Ended.
                ///< While the process is being ended already, the earlier SIGKILL counts
        over,   ///< nothing: the container is not started again
    };
    Action action = Action::none;
    TimePoint at = {};     ///< of wait
    Duration delay = {};   ///< of wait: the back-off that it comes from
    Duration grace = {};   ///< of signal
    Duration granted = {}; ///< of signal: what a preStop hook may take, before the minimum grace
                           ///< period is applied to what it leaves

    friend constexpr bool operator==(const ContainerDecision&, const ContainerDecision&) = default;
};

enum class ContainerState : std::uint8_t {
    idle,    ///< has never been started
    running, ///< also while it is being started
    ending,  ///< signalled, and still there
    waiting, ///< ended, and to be started at start_at()
    over,    ///< not started again
};

[[nodiscard]] constexpr std::string_view to_string(ContainerState state) noexcept {
    switch (state) {
    case ContainerState::idle: return "idle";
    case ContainerState::running: return "running";
    case ContainerState::ending: return "ending";
    case ContainerState::waiting: return "waiting";
    case ContainerState::over: break;
    }
    return "over";
}

/// A container as a pure machine: when it is killed, with which grace period, whether it is started
/// again, and when. It reads no clock, holds no process and no timer, allocates nothing and never
/// throws. Time never goes back.
///
/// \code
/// ContainerFsm container{{.restart_policy = RestartPolicy::on_failure}};
/// container.step(event::Started{}, TimePoint{});
/// const ContainerDecision decision =
///     container.step(event::ProbeFailed{ProbeKind::liveness}, TimePoint{5s});
/// if (decision.action == ContainerDecision::Action::signal && decision.grace != 30s) std::abort();
/// \endcode
///
/// | event        | in state              | what it decides                                         |
/// |--------------|-----------------------|---------------------------------------------------------|
/// | Due          | idle, waiting         | start; wait if it comes before start_at()               |
/// | Started      | idle, waiting, over   | runs                                                    |
/// | StartFailed  | idle, waiting, over   | as Ended with status 128 of a container that ran        |
/// | ProbeFailed  | running               | signal, with the probe's grace period if it has one     |
/// | StopAsked    | running, ending       | signal; over once it has ended                          |
/// |              | idle, waiting         | over                                                    |
/// | RestartAsked | running, ending       | signal, unless it is being stopped; then start at once  |
/// |              | idle, waiting, over   | start; the back-off does not move                       |
/// | Ended        | running, ending       | start, wait or over: see below                          |
///
/// A container that has ended is over if it was asked to stop; is started at once if it was asked
/// to restart; else its restart policy decides by its exit status, and its back-off when. One that
/// was killed for a probe is restarted whatever its exit status, unless its policy is never.
class ContainerFsm {
public:
    using Action = ContainerDecision::Action;

    constexpr explicit ContainerFsm(const ContainerSettings& settings = {}) noexcept
        : back_off_(settings.back_off),
          grace_period_(settings.termination_grace_period),
          policy_(settings.restart_policy) {}

    constexpr ContainerDecision step(event::Due, TimePoint now) noexcept {
        if (state_ != ContainerState::idle && state_ != ContainerState::waiting) return {};
        return start_or_wait(now);
    }

    constexpr ContainerDecision step(event::Started, TimePoint) noexcept {
        if (alive()) return {};
        state_ = ContainerState::running;
        killed_for_.reset();
        intent_ = Intent::none;
        return {};
    }

    constexpr ContainerDecision step(event::StartFailed, TimePoint now) noexcept {
        if (alive()) return {};
        step(event::Started{}, now);
        return step(event::Ended{exit_of_failed_start}, now);
    }

    constexpr ContainerDecision step(event::ProbeFailed failed, TimePoint) noexcept {
        PROBEKIT_ASSERT(failed.kind != ProbeKind::readiness);
        if (state_ != ContainerState::running) return {};
        killed_for_ = failed.kind;
        return signal(granted_grace_period(failed.termination_grace_period, grace_period_));
    }

    constexpr ContainerDecision step(event::StopAsked, TimePoint) noexcept {
        intent_ = Intent::stop;
        if (alive()) return signal(grace_period_);
        if (state_ == ContainerState::over) return {};
        return end();
    }

    constexpr ContainerDecision step(event::RestartAsked, TimePoint now) noexcept {
        if (!alive()) return wait_until(now, now);
        if (intent_ == Intent::stop) return {};
        intent_ = Intent::restart;
        return signal(grace_period_);
    }

    constexpr ContainerDecision step(event::Ended ended, TimePoint now) noexcept {
        if (!alive()) return {};
        if (intent_ == Intent::stop) return end();
        if (intent_ == Intent::restart) return wait_until(now, now);
        // What was killed for a probe is restarted or not by the decision to kill it.
        const bool again = killed_for_ ? restart_decided() : should_restart(policy_, ended.status);
        if (!again) return end();
        return wait_until(killed_for_ ? back_off_.after_kill(now) : back_off_.after_exit(now), now);
    }

    [[nodiscard]] constexpr ContainerState state() const noexcept { return state_; }
    [[nodiscard]] constexpr bool alive() const noexcept {
        return state_ == ContainerState::running || state_ == ContainerState::ending;
    }
    /// Whether the container wants to be started, now or later.
    [[nodiscard]] constexpr bool wants_start() const noexcept {
        return state_ == ContainerState::idle || state_ == ContainerState::waiting;
    }
    /// Whether the container is being ended in order to be started again, whatever its exit status.
    [[nodiscard]] constexpr bool restart_decided() const noexcept {
        if (state_ != ContainerState::ending || intent_ == Intent::stop) return false;
        return intent_ == Intent::restart || policy_ != RestartPolicy::never;
    }
    /// The earliest next start, while it waits.
    [[nodiscard]] constexpr TimePoint start_at() const noexcept { return start_at_; }
    /// The probe for which the run that is ending, or ended last, was killed.
    [[nodiscard]] constexpr std::optional<ProbeKind> killed_for() const noexcept {
        return killed_for_;
    }
    [[nodiscard]] constexpr const RestartBackOff& back_off() const noexcept { return back_off_; }

private:
    enum class Intent : std::uint8_t { none, restart, stop };

    constexpr ContainerDecision signal(Duration granted) noexcept {
        state_ = ContainerState::ending;
        return {
            .action = Action::signal, .grace = effective_grace_period(granted), .granted = granted};
    }

    constexpr ContainerDecision wait_until(TimePoint start_at, TimePoint now) noexcept {
        state_ = ContainerState::waiting;
        start_at_ = start_at;
        return start_or_wait(now);
    }

    [[nodiscard]] constexpr ContainerDecision start_or_wait(TimePoint now) const noexcept {
        if (state_ == ContainerState::idle || start_at_ <= now) return {.action = Action::start};
        return {.action = Action::wait, .at = start_at_, .delay = back_off_.current()};
    }

    constexpr ContainerDecision end() noexcept {
        state_ = ContainerState::over;
        return {.action = Action::over};
    }

    RestartBackOff back_off_;
    Duration grace_period_;
    TimePoint start_at_ = {};
    std::optional<ProbeKind> killed_for_ = {};
    RestartPolicy policy_;
    ContainerState state_ = ContainerState::idle;
    Intent intent_ = Intent::none;
};

} // namespace probekit::inline PROBEKIT_ABI
