// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>

namespace probekit::inline PROBEKIT_ABI {

namespace detail {

/// "Liveness probe failed: <message>", "Readiness probe warning: <message>", as in the kubelet's
/// events; and "Startup probe succeeded", of which the kubelet says nothing.
[[nodiscard]] inline std::string probe_text(ProbeKind kind, Outcome outcome,
                                            const std::string& message) {
    const std::string probe = std::string{to_string(kind)} + " probe ";
    switch (outcome) {
    case Outcome::success: return probe + "succeeded";
    case Outcome::warning: return probe + "warning: " + message;
    case Outcome::failure:
    case Outcome::unknown: break;
    }
    return probe + "failed: " + message;
}

} // namespace detail

/// What a worker has come to say of its target, told when it changes and at the first judgement.
struct Verdict {
    /// What it rests on.
    enum class Origin : std::uint8_t {
        result,          ///< a look
        target_replaced, ///< the initial health of another target
        target_gone,     ///< there is no target that could pass
        terminating,     ///< the target is meant to end: nothing it does now is a reason to kill it
    };

    ProbeKind kind = ProbeKind::readiness;
    Health health = Health::unknown;
    Health previous =
        Health::unknown; ///< unknown if nothing had been judged since start or replacement
    Origin origin = Origin::result;
    TimePoint at = {};
    Duration previous_duration = {}; ///< how long `previous` had stood
    ProbeResult result = {};         ///< the look that decided, if origin is result

    [[nodiscard]] bool passed() const noexcept { return health == Health::passing; }
    [[nodiscard]] bool failed() const noexcept { return health == Health::failing; }

    /// In the kubelet's words where it has some: "Liveness probe failed: <message>", "Readiness
    /// probe warning: <message>", "Startup probe succeeded"; else "target is gone", "target was
    /// replaced", "target is terminating".
    [[nodiscard]] std::string reason() const;
};

[[nodiscard]] constexpr std::string_view to_string(Verdict::Origin origin) noexcept {
    switch (origin) {
    case Verdict::Origin::target_replaced: return "target_replaced";
    case Verdict::Origin::target_gone: return "target_gone";
    case Verdict::Origin::terminating: return "terminating";
    case Verdict::Origin::result: break;
    }
    return "result";
}

inline std::string Verdict::reason() const {
    switch (origin) {
    case Origin::target_replaced: return "target was replaced";
    case Origin::target_gone: return "target is gone";
    case Origin::terminating: return "target is terminating";
    case Origin::result: break;
    }
    if (health == Health::unknown) return std::string{to_string(kind)} + " probe is undecided";
    // A user's policy may find a target failing that has just passed, and the other way round.
    const Outcome shown = health == Health::failing            ? Outcome::failure
                          : result.outcome == Outcome::warning ? Outcome::warning
                                                               : Outcome::success;
    return detail::probe_text(kind, shown, result.message());
}

/// What a worker is doing.
enum class WorkerState : std::uint8_t {
    stopped,   ///< not started, or stopped
    gated,     ///< its gate is shut
    waiting,   ///< for the next look
    probing,   ///< an attempt is in flight
    on_hold,   ///< decided until the target is replaced
    paused,    ///< until resume()
    no_target, ///< until the target is back or replaced
    ended,     ///< the target is terminating, and this kind has nothing more to say
};

[[nodiscard]] constexpr std::string_view to_string(WorkerState state) noexcept {
    switch (state) {
    case WorkerState::gated: return "gated";
    case WorkerState::waiting: return "waiting";
    case WorkerState::probing: return "probing";
    case WorkerState::on_hold: return "on_hold";
    case WorkerState::paused: return "paused";
    case WorkerState::no_target: return "no_target";
    case WorkerState::ended: return "ended";
    case WorkerState::stopped: break;
    }
    return "stopped";
}

/// A worker at one moment. Plain values and no text, so that taking one allocates nothing.
struct WorkerSnapshot {
    ProbeKind kind = ProbeKind::readiness;
    WorkerState state = WorkerState::stopped;
    Health health = Health::unknown;
    bool judged = false;        ///< whether `health` has been judged, or is only the initial value
    TimePoint since = {};       ///< when `health` began to stand
    int run = 0;                ///< equal results in a row; 0 if the policy does not say
    std::uint64_t attempts = 0; ///< every try, also those that ended with an error
    std::uint64_t errors = 0;   ///< of the attempts, those that could not ask
    std::uint64_t skipped = 0; ///< points of the grid at which there was no look because an earlier
                               ///< one was late or long
    Outcome last_outcome = Outcome::unknown;
    int last_status = -1;
    std::error_code last_cause = {};
    std::error_code last_error = {};
    TimePoint last_at = {};
    TimePoint next_at = {};
    Duration last_elapsed = {};
};

} // namespace probekit::inline PROBEKIT_ABI
