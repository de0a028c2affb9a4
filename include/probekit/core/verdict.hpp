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

/// "Liveness probe failed: <message>" and "Readiness probe warning: <message>", as in the kubelet's
/// events, and "Startup probe succeeded", for which the kubelet has no event.
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

/// "Liveness probe errored and resulted in unknown state: <message>", as in the kubelet's events.
[[nodiscard]] inline std::string probe_error_text(ProbeKind kind, Outcome outcome,
                                                  const std::string& message) {
    std::string text{to_string(kind)};
    text.append(" probe errored and resulted in ").append(to_string(outcome));
    return text.append(" state: ").append(message);
}

} // namespace detail

/// A worker's judgement of its target. Workers notify at the first judgement and whenever the
/// health changes.
/// \code
/// // given: ProbeWorker<TcpProbe>& worker
/// worker.on_verdict([](const Verdict& verdict) {
///     std::cout << to_string(verdict.health) << " after " << verdict.previous_duration / 1s << " s "
///               << to_string(verdict.previous) << ": " << verdict.reason() << '\n';
/// });
/// \endcode
struct Verdict {
    /// What the judgement is based on.
    enum class Origin : std::uint8_t {
        result,          ///< an attempt's result
        target_replaced, ///< there is a new target, with its initial health
        target_gone,     ///< there is no target
        terminating,     ///< the target is meant to end, so it is not killed for what it does now
        prober_error, ///< unknown: so many checks could not ask as ProbeSpec::error_threshold says
        restored, ///< an attempt has a result after such errors; what was known before stands again
    };

    ProbeKind kind = ProbeKind::readiness;
    Health health = Health::unknown;
    /// The health before. Unknown if nothing had been judged since the start or the replacement.
    Health previous = Health::unknown;
    Origin origin = Origin::result;
    TimePoint at = {};
    Duration previous_duration = {}; ///< how long the target had been in `previous`
    /// The attempt that decided, if the origin is an attempt's: result, prober_error or restored.
    ProbeResult result = {};

    [[nodiscard]] bool passed() const noexcept { return health == Health::passing; }
    [[nodiscard]] bool failed() const noexcept { return health == Health::failing; }
    /// Nothing is known of the target, because the probe cannot ask: `result.cause` and reason()
    /// say why not.
    [[nodiscard]] bool errored() const noexcept { return origin == Origin::prober_error; }

    /// Why, for logs and people: "Liveness probe failed: <message>", "Readiness probe warning:
    /// <message>", "Startup probe succeeded", "Liveness probe errored and resulted in unknown state:
    /// <message>", "Liveness probe can ask again: passing as before", "target is gone", "target was
    /// replaced" or "target is terminating". The message is ProbeResult::message().
    [[nodiscard]] std::string reason() const;
};

[[nodiscard]] constexpr std::string_view to_string(Verdict::Origin origin) noexcept {
    switch (origin) {
    case Verdict::Origin::target_replaced: return "target_replaced";
    case Verdict::Origin::target_gone: return "target_gone";
    case Verdict::Origin::terminating: return "terminating";
    case Verdict::Origin::prober_error: return "prober_error";
    case Verdict::Origin::restored: return "restored";
    case Verdict::Origin::result: break;
    }
    return "result";
}

namespace detail {

/// Whether a judgement is based on an attempt, and not on what has happened to the target.
[[nodiscard]] constexpr bool is_based_on_attempt(Verdict::Origin origin) noexcept {
    switch (origin) {
    case Verdict::Origin::result:
    case Verdict::Origin::prober_error:
    case Verdict::Origin::restored: return true;
    case Verdict::Origin::target_replaced:
    case Verdict::Origin::target_gone:
    case Verdict::Origin::terminating: break;
    }
    return false;
}

} // namespace detail

inline std::string Verdict::reason() const {
    switch (origin) {
    case Origin::target_replaced: return "target was replaced";
    case Origin::target_gone: return "target is gone";
    case Origin::terminating: return "target is terminating";
    case Origin::prober_error:
        return detail::probe_error_text(kind, Outcome::unknown, result.message());
    case Origin::restored: {
        std::string text{to_string(kind)};
        return text.append(" probe can ask again: ").append(to_string(health)).append(" as before");
    }
    case Origin::result: break;
    }
    if (health == Health::unknown) return std::string{to_string(kind)} + " probe is undecided";
    // A user's policy may judge a target as failing after a success, or passing after a failure.
    const Outcome shown = health == Health::failing            ? Outcome::failure
                          : result.outcome == Outcome::warning ? Outcome::warning
                                                               : Outcome::success;
    return detail::probe_text(kind, shown, result.message());
}

/// What a worker does at the moment.
enum class WorkerState : std::uint8_t {
    stopped,   ///< not started, or stopped
    gated,     ///< its gate is closed
    waiting,   ///< for the next check
    probing,   ///< an attempt is in flight
    on_hold,   ///< its verdict stands until the target is replaced
    paused,    ///< until resume()
    no_target, ///< until the target is back or replaced
    ended,     ///< the target is terminating, and probes of this kind do not matter any more
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

/// The state of a worker at one moment. Plain values without text, so making one does not allocate.
struct WorkerSnapshot {
    ProbeKind kind = ProbeKind::readiness;
    WorkerState state = WorkerState::stopped;
    Health health = Health::unknown;
    bool judged = false;        ///< whether `health` is a judgement, or still the initial value
    TimePoint since = {};       ///< since when `health` is what it is
    int run = 0;                ///< equal results in a row; 0 if the policy does not count them
    std::uint64_t attempts = 0; ///< all of them, also those that ended with a prober error
    std::uint64_t errors = 0;   ///< attempts that ended with a prober error
    std::uint64_t skipped = 0; ///< checks left out because an earlier one was late or took too long
    Outcome last_outcome = Outcome::unknown; ///< of the latest attempt, as what follows
    int last_status = -1;
    std::error_code last_cause = {};
    std::error_code last_error = {}; ///< the latest prober error, perhaps of an earlier attempt
    TimePoint last_at = {};          ///< when the latest attempt ended
    TimePoint next_at = {};          ///< when the next check is due; TimePoint::max() if none is
    Duration last_elapsed = {};
};

} // namespace probekit::inline PROBEKIT_ABI
