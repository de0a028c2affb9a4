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

/// Something that happened in a simulation. Fields that have no meaning for it keep their defaults.
struct Event {
    enum class What : std::uint8_t {
        running,      ///< the target runs: a run begins
        check,        ///< an attempt has ended: `kind`, `outcome`, `error`, `span`
        verdict,      ///< the health that a probe reports has changed: `kind`, `health`
        started,      ///< the startup probe has passed
        ready,        ///< the target may get traffic
        unready,      ///< the target may not get traffic any more
        prober_error, ///< the startup or liveness probe `kind` cannot ask: no kill
        kill,         ///< SIGTERM because probe `kind` has failed; `span` is the grace period
        stop,  ///< SIGTERM because the target is stopped for good; `span` is the grace period
        ended, ///< the process has ended, with status `exit`
        back_off, ///< CrashLoopBackOff: starts again after `span`, what is left of the back-off `delay`
        over,     ///< the target is not started again
    };

    What what = What::running;
    Duration at = {}; ///< since the beginning of the simulation
    int run = 1;      ///< counts the runs of the target
    ProbeKind kind = ProbeKind::readiness;
    Outcome outcome = Outcome::unknown;
    Health health = Health::unknown;
    /// A prober error of an attempt; operation_canceled if the target ended first.
    std::error_code error = {};
    bool timed_out = false; ///< of an attempt: no response came within its timeout
    Duration span = {};     ///< of an attempt: how long it took
    Duration delay = {};
    ExitStatus exit = {};

    /// When an attempt began, and whether it passed.
    [[nodiscard]] Duration began() const noexcept { return at - span; }
    [[nodiscard]] bool passed() const noexcept {
        return !error && (outcome == Outcome::success || outcome == Outcome::warning);
    }
};

[[nodiscard]] constexpr std::string_view to_string(Event::What what) noexcept {
    switch (what) {
    case Event::What::running: return "running";
    case Event::What::check: return "check";
    case Event::What::verdict: return "verdict";
    case Event::What::started: return "started";
    case Event::What::ready: return "ready";
    case Event::What::unready: return "unready";
    case Event::What::prober_error: return "prober_error";
    case Event::What::kill: return "kill";
    case Event::What::stop: return "stop";
    case Event::What::ended: return "ended";
    case Event::What::back_off: return "back_off";
    case Event::What::over: break;
    }
    return "over";
}

/// What happened in a simulation, in order of time.
struct Timeline {
    /// A simulation that would have more ends early.
    static constexpr std::size_t max_events = 100'000;

    std::vector<Event> events = {};
    /// How far it reaches: the script's length, unless there were too many events.
    Duration length = {};

    /// When this happened, each time.
    [[nodiscard]] std::vector<Duration> times(Event::What what) const {
        std::vector<Duration> result;
        for (const Event& event : events)
            if (event.what == what) result.push_back(event.at);
        return result;
    }
    /// When this happened first, if it did.
    [[nodiscard]] std::optional<Duration> first(Event::What what) const {
        for (const Event& event : events)
            if (event.what == what) return event.at;
        return std::nullopt;
    }
    /// When the target started to run again.
    [[nodiscard]] std::vector<Duration> restarts() const {
        std::vector<Duration> result = times(Event::What::running);
        if (!result.empty()) result.erase(result.begin());
        return result;
    }
    /// The attempts of one kind.
    [[nodiscard]] std::vector<Event> checks(ProbeKind kind) const {
        std::vector<Event> result;
        for (const Event& event : events)
            if (event.what == Event::What::check && event.kind == kind) result.push_back(event);
        return result;
    }
};

} // namespace probekit::inline PROBEKIT_ABI::simulation
