// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/restart.hpp>

namespace probekit::inline PROBEKIT_ABI::simulation {

/// One thing that happened. Fields that mean nothing for it are left as they are.
struct Event {
    enum class What : std::uint8_t {
        runs,     ///< the target runs: a life begins
        check,    ///< a check has ended: `kind`, `outcome`, `error`, `span`
        verdict,  ///< looks have led to another verdict: `kind`, `health`
        started,  ///< the startup probe has passed
        ready,    ///< may get traffic
        unready,  ///< after ready only
        kill,     ///< SIGTERM because `kind` has failed; `span` is the grace period
        stop,     ///< SIGTERM because it is meant to end; `span` likewise
        ended,    ///< the process is gone: `exit`
        back_off, ///< CrashLoopBackOff: to be started again after `span`; `delay` is the back-off
                  ///< it comes from
        over,     ///< will not be started again
    };

    What what = What::runs;
    Duration at = {}; ///< since the beginning of the simulation
    int life = 1;     ///< of the target; grows with each start
    ProbeKind kind = ProbeKind::readiness;
    Outcome outcome = Outcome::unknown;
    Health health = Health::unknown;
    std::error_code error =
        {}; ///< of a look: could not ask; operation_canceled: the target has gone meanwhile
    bool timed_out = false; ///< a look that had no answer when its timeout was over
    Duration span = {};     ///< of a look: how long it took
    Duration delay = {};
    ExitStatus exit = {};

    /// Of a look.
    [[nodiscard]] Duration began() const noexcept { return at - span; }
    [[nodiscard]] bool passed() const noexcept {
        return !error && (outcome == Outcome::success || outcome == Outcome::warning);
    }
};

[[nodiscard]] constexpr std::string_view to_string(Event::What what) noexcept {
    switch (what) {
    case Event::What::runs: return "runs";
    case Event::What::check: return "check";
    case Event::What::verdict: return "verdict";
    case Event::What::started: return "started";
    case Event::What::ready: return "ready";
    case Event::What::unready: return "unready";
    case Event::What::kill: return "kill";
    case Event::What::stop: return "stop";
    case Event::What::ended: return "ended";
    case Event::What::back_off: return "back_off";
    case Event::What::over: break;
    }
    return "over";
}

/// What a simulation found, in the order of time.
struct Timeline {
    /// A simulation ends early rather than hold more.
    static constexpr std::size_t max_events = 100'000;

    std::vector<Event> events = {};
    Duration length =
        {}; ///< how far it reaches: the script's length, unless there were too many events

    /// When that happened, each time.
    [[nodiscard]] std::vector<Duration> times(Event::What what) const {
        std::vector<Duration> result;
        for (const Event& event : events)
            if (event.what == what) result.push_back(event.at);
        return result;
    }
    /// When it happened first, if it did.
    [[nodiscard]] std::optional<Duration> first(Event::What what) const {
        for (const Event& event : events)
            if (event.what == what) return event.at;
        return std::nullopt;
    }
    /// When the target ran again.
    [[nodiscard]] std::vector<Duration> restarts() const {
        std::vector<Duration> result = times(Event::What::runs);
        if (!result.empty()) result.erase(result.begin());
        return result;
    }
    /// The looks of one kind.
    [[nodiscard]] std::vector<Event> checks(ProbeKind kind) const {
        std::vector<Event> result;
        for (const Event& event : events)
            if (event.what == Event::What::check && event.kind == kind) result.push_back(event);
        return result;
    }
};

} // namespace probekit::inline PROBEKIT_ABI::simulation
