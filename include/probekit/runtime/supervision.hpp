// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <probekit/config.hpp>
#include <probekit/core/container_fsm.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/process/process_spec.hpp>

// The settings of a SupervisedProcess, and what it reports.
namespace probekit::inline PROBEKIT_ABI {

/// Whether, when and how a supervised process is ended and started again.
struct SupervisionOptions {
    RestartPolicy restart_policy = RestartPolicy::always;
    RestartBackOffSpec back_off = {.wait_from_kill = true}; ///< by default as a kubelet
    /// The grace period holds unless the probe for which the process is killed has its own. The
    /// process always has minimum_grace_period at least, as with a kubelet.
    Termination termination = {};
};

/// All mistakes at once: "termination.grace: must not be negative".
[[nodiscard]] inline ConfigErrors validate(const SupervisionOptions& options) {
    ConfigErrors errors;
    const auto require_not_negative = [&](const char* field, Duration value) {
        if (value < Duration::zero()) errors.push_back({field, "must not be negative"});
    };
    require_not_negative("back_off.base", options.back_off.base);
    require_not_negative("back_off.max", options.back_off.max);
    require_not_negative("back_off.forget_after", options.back_off.forget_after);
    require_not_negative("termination.grace", options.termination.grace);
    return errors;
}

/// Something about a supervised process is different now.
struct SupervisionChange {
    enum class Event : std::uint8_t {
        started,      ///< the process runs and its startup probe has passed, or it has none
        ready,        ///< started, and its readiness probe passes, or it has none
        unready,      ///< only after ready
        killed,       ///< it is being ended because its liveness or startup probe has failed
        prober_error, ///< its liveness or startup probe cannot ask; the process goes on
        exited,       ///< the process has ended, or could not be started
        restarting,   ///< it is started again at `at`
        over,         ///< it is not started again
    };

    Event event = Event::started;
    Verdict verdict = {};       ///< of started to prober_error: what it rests on
    ExitStatus status = {};     ///< of exited and over
    std::error_code error = {}; ///< of exited: why it could not be started, or Errc::status_lost
    TimePoint at = {};          ///< of restarting: when; else when it happened

    /// One line for people: "Liveness probe failed: <message>", "exited with 3", "killed by signal
    /// 9", "could not be started: No such file or directory".
    [[nodiscard]] std::string reason() const;
};

[[nodiscard]] constexpr std::string_view to_string(SupervisionChange::Event event) noexcept {
    switch (event) {
    case SupervisionChange::Event::started: return "started";
    case SupervisionChange::Event::ready: return "ready";
    case SupervisionChange::Event::unready: return "unready";
    case SupervisionChange::Event::killed: return "killed";
    case SupervisionChange::Event::prober_error: return "prober_error";
    case SupervisionChange::Event::exited: return "exited";
    case SupervisionChange::Event::restarting: return "restarting";
    case SupervisionChange::Event::over: break;
    }
    return "over";
}

inline std::string SupervisionChange::reason() const {
    switch (event) {
    case Event::started:
    case Event::ready:
        if (verdict.origin != Verdict::Origin::result) return std::string{to_string(event)};
        return verdict.reason();
    case Event::unready:
    case Event::killed:
    case Event::prober_error: return verdict.reason();
    case Event::exited:
        if (error && error != Errc::status_lost) return "could not be started: " + error.message();
        if (error) return error.message();
        if (status.signal != 0) return "killed by signal " + std::to_string(status.signal);
        return "exited with " + std::to_string(status.code);
    case Event::restarting:
    case Event::over: break;
    }
    return std::string{to_string(event)};
}

/// A supervised process at one moment. Plain values and no text, so that taking one allocates
/// nothing.
struct SupervisionSnapshot {
    ContainerState state = ContainerState::idle;
    int pid = -1;             ///< -1: does not run
    std::uint64_t starts = 0; ///< also those that failed
    bool started = false;
    bool ready = false;
    std::optional<ExitStatus> last_exit = {}; ///< of the last run that has ended
    std::error_code last_error = {};          ///< why the last start failed, or status_lost
    TimePoint next_start = TimePoint::max();  ///< while it waits for its back-off
    Duration back_off = {};                   ///< the delay that the last restart came to
    std::optional<WorkerSnapshot> startup = {}, liveness = {}, readiness = {};
};

} // namespace probekit::inline PROBEKIT_ABI
