// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/restart.hpp>

namespace probekit::inline PROBEKIT_ABI::simulation {

/// An attempt that is about to begin. Times count from the beginning of the simulation.
struct Check {
    ProbeKind kind = ProbeKind::readiness;
    int number = 1;      ///< counts the attempts of this kind, repeated ones included
    int run = 1;         ///< counts the runs of the target: 1 until its first restart
    Duration at = {};    ///< now
    Duration age = {};   ///< since the target started to run
    bool ending = false; ///< the target has got SIGTERM and has not ended yet
};

/// How the target responds to an attempt.
struct Response {
    Outcome outcome = Outcome::success;
    /// If longer than the timeout, the attempt fails at the end of the timeout. Not zero by
    /// default, since every attempt takes time: one that is due at the moment in which another
    /// passes begins before the effects of that one.
    Duration takes = std::chrono::milliseconds{1};
    /// A prober error: the attempt is repeated, up to three times in all, and moves no counter but
    /// that of ProbeSpec::error_threshold.
    std::error_code error = {};

    friend bool operator==(const Response&, const Response&) = default;
};

[[nodiscard]] inline Response pass() { return {}; }
[[nodiscard]] inline Response fail() { return {.outcome = Outcome::failure}; }
/// No response within any timeout.
[[nodiscard]] inline Response hang() {
    return {.outcome = Outcome::unknown, .takes = Duration::max()};
}
[[nodiscard]] inline Response prober_error(std::error_code error) {
    return {.outcome = Outcome::unknown, .error = error};
}

/// Decides how the target responds to an attempt, when the attempt begins. With an empty function
/// every attempt passes.
using Responses = std::function<Response(const Check&)>;

[[nodiscard]] inline Responses always(Response response) {
    return [response](const Check&) { return response; };
}

/// Each response once, over all runs of the target; the last one repeats. Each kind of probe begins
/// with the first.
[[nodiscard]] inline Responses in_turn(std::vector<Response> responses) {
    if (responses.empty()) return {};
    return [responses = std::move(responses)](const Check& check) {
        return responses[std::min(static_cast<std::size_t>(check.number), responses.size()) - 1];
    };
}

/// A response from one age of the target on, in each of its runs.
struct AgePhase {
    Duration from = {};
    Response response = {};
};

/// The response of the last phase that has begun; passes before the first. The phases must be in
/// order.
[[nodiscard]] inline Responses by_age(std::vector<AgePhase> phases) {
    return [phases = std::move(phases)](const Check& check) {
        Response response = pass();
        for (const AgePhase& phase : phases)
            if (phase.from <= check.age) response = phase.response;
        return response;
    };
}

/// A target that starts slowly: `before` until it has this age.
[[nodiscard]] inline Responses responds_after(Duration age, Response before = fail()) {
    return by_age({{Duration::min(), before}, {age, pass()}});
}

/// A target that becomes faulty: passes until it has this age, then `after`.
[[nodiscard]] inline Responses fails_after(Duration age, Response after = fail()) {
    return by_age({{age, after}});
}

/// The same responses, each after `takes`.
[[nodiscard]] inline Responses slowly(Duration takes, Responses responses) {
    return [takes, responses = std::move(responses)](const Check& check) {
        Response response = responses ? responses(check) : pass();
        response.takes = takes;
        return response;
    };
}

/// What the target does as a process, in one of its runs.
struct ProcessBehaviour {
    Duration starts_in = {}; ///< from the request to start until it runs
    /// The age at which it ends by itself, with the status `exit`, unless it has ended before.
    std::optional<Duration> exits_after = {};
    ExitStatus exit = {};
    /// From SIGTERM until it ends, with the status `sigterm_exit`. If longer than its grace period,
    /// it gets SIGKILL then.
    Duration ends_in = {};
    ExitStatus sigterm_exit = {.signal = SIGTERM};
};

/// A process that ignores SIGTERM, as the first process of a container does unless it handles it.
[[nodiscard]] inline ProcessBehaviour ignores_sigterm() { return {.ends_in = Duration::max()}; }

/// What happens to a target, apart from what its probes decide.
struct Script {
    Responses responses = {}; ///< to the attempts of all its probes
    /// One for each run; the last one repeats. If empty, the target runs until it gets SIGTERM.
    std::vector<ProcessBehaviour> runs = {};
    std::optional<Duration> stop_after = {}; ///< when it is stopped for good: its pod is deleted
    Duration length = std::chrono::minutes{10};
};

} // namespace probekit::inline PROBEKIT_ABI::simulation
