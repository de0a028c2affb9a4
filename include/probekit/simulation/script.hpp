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

/// A look that is about to be made. Times count from the beginning of the simulation.
struct Check {
    ProbeKind kind = ProbeKind::readiness;
    int number = 1;      ///< of this kind, further tries after an error included
    int life = 1;        ///< of the target: 1 until its first restart
    Duration at = {};    ///< now
    Duration age = {};   ///< since the target has been running
    bool ending = false; ///< the target was told to end and has not ended yet
};

/// What a look meets.
struct Answer {
    Outcome outcome = Outcome::success;
    /// Longer than the timeout: the look fails when that is over. Not nothing by default, since no
    /// look takes no time: one that is due at the very moment in which another has passed comes
    /// before what that one brings about.
    Duration takes = std::chrono::milliseconds{1};
    std::error_code error =
        {}; ///< set: could not ask. It is tried again, up to three times, and moves no counter

    friend bool operator==(const Answer&, const Answer&) = default;
};

[[nodiscard]] inline Answer pass() { return {}; }
[[nodiscard]] inline Answer fail() { return {.outcome = Outcome::failure}; }
/// No answer within any timeout.
[[nodiscard]] inline Answer hang() {
    return {.outcome = Outcome::unknown, .takes = Duration::max()};
}
[[nodiscard]] inline Answer cannot_ask(std::error_code error) {
    return {.outcome = Outcome::unknown, .error = error};
}

/// What looks meet, decided when each begins. An empty function passes always.
using Answers = std::function<Answer(const Check&)>;

[[nodiscard]] inline Answers always(Answer answer) {
    return [answer](const Check&) { return answer; };
}

/// Each answer once, over all lives of the target; the last repeats. For each kind of probe from
/// the first on.
[[nodiscard]] inline Answers in_turn(std::vector<Answer> answers) {
    if (answers.empty()) return {};
    return [answers = std::move(answers)](const Check& look) {
        return answers[std::min(static_cast<std::size_t>(look.number), answers.size()) - 1];
    };
}

/// From that age of the target on, in each of its lives.
struct AgePhase {
    Duration from = {};
    Answer answer = {};
};

/// The answer of the last phase that has begun; passes before the first. The phases are in order.
[[nodiscard]] inline Answers by_age(std::vector<AgePhase> phases) {
    return [phases = std::move(phases)](const Check& look) {
        Answer answer = pass();
        for (const AgePhase& phase : phases)
            if (phase.from <= look.age) answer = phase.answer;
        return answer;
    };
}

/// A slow starter: `before` until it is so old.
[[nodiscard]] inline Answers answers_after(Duration age, Answer before = fail()) {
    return by_age({{Duration::min(), before}, {age, pass()}});
}

/// Fine until it is so old, then `after`.
[[nodiscard]] inline Answers fails_after(Duration age, Answer after = fail()) {
    return by_age({{age, after}});
}

/// The same answers, each of them `takes` long.
[[nodiscard]] inline Answers slowly(Duration takes, Answers answers) {
    return [takes, answers = std::move(answers)](const Check& look) {
        Answer answer = answers ? answers(look) : pass();
        answer.takes = takes;
        return answer;
    };
}

/// What the target does as a process, in one of its lives.
struct Life {
    Duration starts_in = {}; ///< from being asked to start to running
    std::optional<Duration> exits_after =
        {};                ///< at that age it ends by itself, unless it has ended before ...
    ExitStatus exit = {};  ///< ... with this
    Duration ends_in = {}; ///< when told to end; longer than its grace period: it is killed then
    ExitStatus told_exit = {.signal = SIGTERM}; ///< how it ends if it ends when told
};

/// A process that does not heed SIGTERM, as the first process of a container unless it handles it.
[[nodiscard]] inline Life ignores_sigterm() { return {.ends_in = Duration::max()}; }

/// Everything that happens to the probes of a target and that they do not decide.
struct Script {
    Answers answers = {};         ///< of all its probes
    std::vector<Life> lives = {}; ///< the last repeats; none: runs for ever, and ends when told
    std::optional<Duration> stop_after = {}; ///< then it is meant to end: its pod is deleted
    Duration length = std::chrono::minutes{10};
};

} // namespace probekit::inline PROBEKIT_ABI::simulation
