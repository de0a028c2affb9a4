// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// How far a worker's attempt is. What the worker's one timer means follows from it.
enum class Stage : std::uint8_t {
    idle,       ///< there is none; the timer is for the next check
    scheduled,  ///< decided on; the timer makes it begin in the event loop's next turn
    queued,     ///< waits for a permit; no timer
    announced,  ///< has begun, and listeners are being notified; the timer starts the probe if one
                ///< of them throws
    revoked,    ///< cancelled while it was announced: the probe is not started; timer as before
    running,    ///< the probe has been started; the timer is its timeout, if the worker enforces it
    timed_out,  ///< the worker has stopped the probe at its timeout
    cancelling, ///< the probe has been stopped, and its result does not count
};

enum class StageEvent : std::uint8_t {
    schedule, ///< an attempt has been decided on
    queue,    ///< it is to begin, and no permit is left
    announce, ///< it begins
    start,    ///< its listeners have been notified
    time_out, ///< its timeout is over
    cancel,   ///< its result is not wanted any more
    finish,   ///< the probe has completed, or could not be started
    abandon,  ///< the worker's handle is destroyed: as cancel, and nothing that is left is started
    shutdown, ///< the execution context is destroyed, and what was running in it is no more
};
inline constexpr std::size_t stage_count = 8;
inline constexpr std::size_t stage_event_count = 9;

/// What has to be done on the way from one stage to the next.
enum class StageAction : std::uint8_t {
    none,
    disarm,         ///< stop the timer that would make the attempt begin
    withdraw,       ///< stop waiting for a permit
    release_permit, ///< which is not needed any more
    start_probe,
    stop_probe,
    finish_revoked, ///< report the end of an attempt whose probe was never started
    impossible,     ///< the event cannot come in this stage
};

struct StageStep {
    Stage to = Stage::idle;
    StageAction action = StageAction::impossible;

    friend constexpr bool operator==(const StageStep&, const StageStep&) = default;
};

struct StageTransition {
    Stage from;
    StageEvent event;
    Stage to;
    StageAction action = StageAction::none;
};

/// All transitions there are.
inline constexpr auto stage_transitions = [] {
    using enum StageAction;
    using S = Stage;
    using E = StageEvent;
    return std::to_array<StageTransition>({
        {S::idle, E::schedule, S::scheduled},
        {S::idle, E::start, S::idle}, // abandoned by a listener that was notified of the beginning
        {S::idle, E::cancel, S::idle},
        {S::idle, E::abandon, S::idle},
        {S::idle, E::shutdown, S::idle},

        {S::scheduled, E::queue, S::queued},
        {S::scheduled, E::announce, S::announced},
        {S::scheduled, E::cancel, S::idle, disarm},
        {S::scheduled, E::abandon, S::idle, disarm},
        {S::scheduled, E::shutdown, S::idle},

        {S::queued, E::announce, S::announced},
        {S::queued, E::cancel, S::idle, withdraw},
        {S::queued, E::abandon, S::idle, withdraw},
        {S::queued, E::shutdown, S::idle, withdraw},

        {S::announced, E::start, S::running, start_probe},
        {S::announced, E::cancel, S::revoked},
        {S::announced, E::abandon, S::idle, release_permit},
        {S::announced, E::shutdown, S::idle, release_permit},

        {S::revoked, E::start, S::revoked, finish_revoked},
        {S::revoked, E::cancel, S::revoked},
        {S::revoked, E::finish, S::idle, release_permit},
        {S::revoked, E::abandon, S::idle, release_permit},
        {S::revoked, E::shutdown, S::idle, release_permit},

        {S::running, E::time_out, S::timed_out, stop_probe},
        {S::running, E::cancel, S::cancelling, stop_probe},
        {S::running, E::finish, S::idle, release_permit},
        {S::running, E::abandon, S::cancelling, stop_probe},
        {S::running, E::shutdown, S::idle, release_permit},

        {S::timed_out, E::cancel, S::cancelling, stop_probe},
        {S::timed_out, E::finish, S::idle, release_permit},
        {S::timed_out, E::abandon, S::cancelling, stop_probe},
        {S::timed_out, E::shutdown, S::idle, release_permit},

        // A probe may have missed the first cancellation: one comes again at the timeout.
        {S::cancelling, E::time_out, S::cancelling, stop_probe},
        {S::cancelling, E::cancel, S::cancelling},
        {S::cancelling, E::finish, S::idle, release_permit},
        {S::cancelling, E::abandon, S::cancelling, stop_probe},
        {S::cancelling, E::shutdown, S::idle, release_permit},
    });
}();

inline constexpr auto stage_table = [] {
    std::array<std::array<StageStep, stage_event_count>, stage_count> table{};
    // g++ 12 forgets the default of a member here.
    for (auto& row : table) row.fill({Stage::idle, StageAction::impossible});
    for (const StageTransition& each : stage_transitions)
        table[static_cast<std::size_t>(each.from)][static_cast<std::size_t>(each.event)] = {
            each.to, each.action};
    return table;
}();

/// What an event does to an attempt.
[[nodiscard]] constexpr StageStep stage_step(Stage stage, StageEvent event) noexcept {
    const StageStep step =
        stage_table[static_cast<std::size_t>(stage)][static_cast<std::size_t>(event)];
    PROBEKIT_ASSERT(step.action != StageAction::impossible);
    return step;
}

/// Whether the attempt has been decided on and has not begun.
[[nodiscard]] constexpr bool waits_to_begin(Stage stage) noexcept {
    return stage == Stage::scheduled || stage == Stage::queued;
}

/// Whether the probe has been started and has not completed.
[[nodiscard]] constexpr bool uses_probe(Stage stage) noexcept {
    return stage == Stage::running || stage == Stage::timed_out || stage == Stage::cancelling;
}

/// Whether the result of an attempt that ends in this stage is not wanted.
[[nodiscard]] constexpr bool is_cancelled(Stage stage) noexcept {
    return stage == Stage::revoked || stage == Stage::cancelling;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
