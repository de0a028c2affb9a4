// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <probekit/core/worker_fsm.hpp>

#include "../tools/printing.hpp"

// WorkerFsm, event by event, against a naive worker that lives in time: it has a ticker as Go has
// them (a channel that holds one tick), counts up tick by tick and reads no rule off the machine.
// Every sequence of events is tried, of every kind there is, at moments between the ticks; also
// while an attempt is scheduled, in flight or being cancelled. Both cadences. What a container's
// status can say, and the kubelet's cache, is worker_oracle_test.cpp's.
namespace {

using namespace probekit;

constexpr int period =
    48; // nanoseconds; events stand at moments of their own in it, so that no two things coincide

enum class Happening {
    started,
    target_started,
    target_back,
    target_gone,
    terminating,
    gate_opened,
    gate_closed,
    success,
    warning,
    failure,
    unknown,
    error,
    attempt_cancelled,
    triggered,
    paused,
    resumed,
    stopped,
    due, // though no check may begin
    attempt_scheduled,
    attempt_begun,
};
constexpr std::array happenings{
    Happening::started,           Happening::target_started, Happening::target_back,
    Happening::target_gone,       Happening::terminating,    Happening::gate_opened,
    Happening::gate_closed,       Happening::success,        Happening::warning,
    Happening::failure,           Happening::unknown,        Happening::error,
    Happening::attempt_cancelled, Happening::triggered,      Happening::paused,
    Happening::resumed,           Happening::stopped,        Happening::due,
    Happening::attempt_scheduled, Happening::attempt_begun};

/// The naive worker.
struct Plain {
    ProbeSpec spec;
    bool scoped = false; // Cadence::target_start
    bool started = false, ended = false, present = false, held = false, paused = false, gate = true;
    int attempt = 0;        // the attempt in flight, 0: none
    bool scheduled = false; // it has not begun
    bool dropping = false;  // it is being cancelled
    bool wants = false;     // a check was requested while one was in flight
    bool judged = false;
    Health health = Health::unknown;
    int errors = 0;    // checks in a row
    bool deaf = false; // so many that what it knows does not count
    bool last = true;
    int run = 0;
    int since = 0;
    bool ticking = false; // the ticker has been made
    int next_tick = 0;
    bool tick = false; // in the ticker's channel

    [[nodiscard]] Health initial() const {
        if (spec.kind == ProbeKind::startup) return Health::unknown;
        return spec.kind == ProbeKind::liveness ? Health::passing : Health::failing;
    }
    [[nodiscard]] Health shown() const { return deaf ? Health::unknown : health; }
    [[nodiscard]] bool awake() const { return started && !held && present && !paused; }
    [[nodiscard]] bool delayed(int now) const { return now < since + spec.initial_delay.count(); }

    void make_ticker(int now) {
        ticking = true;
        tick = false;
        next_tick = now + period;
    }

    void begin_check() {
        tick = false;
        attempt = 1;
    }

    /// Lives until `until`; nothing else happens. When it begins to check, if it does.
    std::optional<int> live(int now, int until) {
        std::optional<int> begun;
        for (; now <= until; ++now) {
            if (ticking && now == next_tick) {
                tick = true;
                next_tick += period;
            }
            if (attempt != 0) continue;
            const bool may = awake() && gate;
            if (scoped && !ticking) { // the first check of a target makes the ticker
                if (!may || delayed(now)) continue;
                make_ticker(now);
            } else {
                const bool ticked =
                    std::exchange(tick, false); // read in any case, for nothing if it may not check
                if (!ticked || !may || delayed(now)) continue;
            }
            begin_check();
            begun = now;
        }
        return begun;
    }

    /// Checks at once if it may, and the ticker begins anew.
    void check_now(int now) {
        const bool may = awake() && gate && !delayed(now);
        if (ticking || (may && scoped)) make_ticker(now);
        if (may) begin_check();
    }

    void trigger(int now) {
        if (!awake() || scheduled) return;
        if (attempt == 0) return check_now(now);
        if (gate && !delayed(now)) {
            wants = true;
        } else if (ticking) {
            make_ticker(now);
            tick = true;
        }
    }

    /// Nothing is in flight any more.
    void over(int now) {
        attempt = 0;
        dropping = scheduled = false;
        if (std::exchange(wants, false)) check_now(now);
    }

    void judge(bool passed) {
        errors = 0;
        deaf = false;
        run = passed == last ? run + 1 : 1;
        last = passed;
        if (run < (passed ? spec.success_threshold : spec.failure_threshold)) return;
        health = passed ? Health::passing : Health::failing;
        judged = true;
        if (spec.kind == ProbeKind::startup || (spec.kind == ProbeKind::liveness && !passed)) {
            held = true;
            wants = false;
            run = 0;
        }
    }

    void drop(int now) {
        if (scheduled) return over(now);
        dropping = dropping || attempt != 0;
    }

    void happen(Happening what, int now) {
        switch (what) {
        case Happening::started:
            if (started) return;
            started = present = true;
            ended = held = paused = judged = wants = deaf = false;
            errors = 0;
            health = initial();
            last = true;
            run = 0;
            since = now;
            ticking = false;
            tick = false;
            if (scoped) return;
            make_ticker(now);
            tick = true; // the first point of the grid
            return;
        case Happening::target_started:
            if (!started) return;
            // Ticks from when there was nothing to check, or not yet, are no checks missed.
            if (held || !present || delayed(now)) tick = false;
            held = judged = deaf = false;
            errors = 0;
            present = true;
            health = initial();
            since = now;
            if (scoped) {
                last = true;
                run = 0;
                ticking = tick = false;
            }
            return drop(now);
        case Happening::target_back:
            if (!started || present) return;
            present = true;
            tick = false;
            return;
        case Happening::target_gone:
            if (!started || held || !present) return;
            present = wants = deaf = false;
            health = Health::failing;
            judged = true;
            return drop(now);
        case Happening::terminating:
            if (!started || held || spec.kind == ProbeKind::readiness) return;
            started = wants = deaf = false;
            ended = true;
            health = Health::passing;
            judged = true;
            return drop(now);
        case Happening::gate_opened:
            if (std::exchange(gate, true) || !started) return;
            if (spec.kind == ProbeKind::readiness || scoped) trigger(now);
            return;
        case Happening::gate_closed:
            gate = false;
            if (scheduled && attempt == 1) over(now);
            return;
        case Happening::success:
        case Happening::warning:
        case Happening::failure:
        case Happening::unknown:
            if (attempt == 0 || scheduled) return;
            if (!dropping) judge(what == Happening::success || what == Happening::warning);
            return over(now);
        case Happening::error:
            if (attempt == 0 || scheduled) return;
            if (!dropping && attempt != 3 && gate) {
                ++attempt;
                return;
            }
            if (!dropping && ++errors >= spec.error_threshold) deaf = true;
            return over(now);
        case Happening::attempt_cancelled:
            if (attempt != 0 && !scheduled) over(now);
            return;
        case Happening::triggered: return trigger(now);
        case Happening::paused:
            if (!started || paused) return;
            paused = true;
            wants = false;
            return drop(now);
        case Happening::resumed:
            if (!paused) return;
            paused = false;
            return trigger(now);
        case Happening::stopped:
            started = ended = wants = false;
            errors = 0;
            drop(now);
            return;
        case Happening::due: return;
        case Happening::attempt_scheduled: scheduled = attempt != 0 && !dropping; return;
        case Happening::attempt_begun: scheduled = false; return;
        }
    }

    [[nodiscard]] WorkerState state() const {
        if (!started) return ended ? WorkerState::ended : WorkerState::stopped;
        if (held) return WorkerState::on_hold;
        if (!present) return WorkerState::no_target;
        if (paused) return WorkerState::paused;
        if (attempt > (scheduled ? 1 : 0) && !dropping) return WorkerState::probing;
        return gate ? WorkerState::waiting : WorkerState::gated;
    }
};

/// WorkerFsm with the caller it needs: one timer, one attempt.
struct Machine {
    WorkerFsm<> fsm;
    std::optional<int> timer = {};
    int attempt = 0;
    bool scheduled = false;

    static TimePoint at(int moment) { return TimePoint{Duration{moment}}; }

    Decision obey(const Decision& decision) {
        if (decision.action != Decision::Action::none && scheduled) {
            attempt = 0;
            scheduled = false;
        }
        switch (decision.action) {
        case Decision::Action::none: break;
        case Decision::Action::attempt:
            attempt = decision.attempt_in_check;
            timer.reset();
            break;
        case Decision::Action::wait:
            timer = static_cast<int>(decision.at.time_since_epoch().count());
            break;
        case Decision::Action::hold:
        case Decision::Action::end: timer.reset(); break;
        }
        return decision;
    }

    /// Wakes it as it asked to be woken; when it began to check, if it did.
    std::optional<int> live(int until) {
        std::optional<int> begun;
        while (timer && *timer <= until) {
            const int due = *timer;
            if (obey(fsm.step(event::Due{}, at(due))).action == Decision::Action::attempt)
                begun = due;
            if (timer && *timer <= due) return std::nullopt; // asks for the past: the test fails
        }
        return begun;
    }

    Decision end_with(Outcome outcome, int now) {
        ProbeResult result;
        result.outcome = outcome;
        if (!scheduled) attempt = 0;
        return obey(fsm.step(event::Result{result}, at(now)));
    }

    Decision happen(Happening what, int now) {
        const TimePoint when = at(now);
        switch (what) {
        case Happening::started: return obey(fsm.step(event::Started{when}, when));
        case Happening::target_started: return obey(fsm.step(event::TargetStarted{when}, when));
        case Happening::target_back: return obey(fsm.step(event::TargetBack{}, when));
        case Happening::target_gone: return obey(fsm.step(event::TargetGone{}, when));
        case Happening::terminating: return obey(fsm.step(event::Terminating{}, when));
        case Happening::gate_opened: return obey(fsm.step(event::GateOpened{}, when));
        case Happening::gate_closed: return obey(fsm.step(event::GateClosed{}, when));
        case Happening::success: return end_with(Outcome::success, now);
        case Happening::warning: return end_with(Outcome::warning, now);
        case Happening::failure: return end_with(Outcome::failure, now);
        case Happening::unknown: return end_with(Outcome::unknown, now);
        case Happening::error:
            if (!scheduled) attempt = 0;
            return obey(fsm.step(event::Error{}, when));
        case Happening::attempt_cancelled:
            if (!scheduled) attempt = 0;
            return obey(fsm.step(event::AttemptCancelled{}, when));
        case Happening::triggered: return obey(fsm.step(event::Triggered{}, when));
        case Happening::paused: return obey(fsm.step(event::Paused{}, when));
        case Happening::resumed: return obey(fsm.step(event::Resumed{}, when));
        case Happening::due: return obey(fsm.step(event::Due{}, when));
        case Happening::attempt_scheduled:
            if (attempt != 0 && fsm.state() == WorkerState::probing) scheduled = true;
            return obey(fsm.step(event::AttemptScheduled{}, when));
        case Happening::attempt_begun:
            scheduled = false;
            return obey(fsm.step(event::AttemptBegun{}, when));
        case Happening::stopped: break;
        }
        return obey(fsm.step(event::Stopped{}, when));
    }
};

struct Node {
    Plain plain;
    Machine machine;
    int now = 0;
    std::vector<Happening> path = {}; // to find out about a difference
};

bool can_happen(Happening what, const Plain& plain, int now) {
    switch (what) {
    case Happening::success:
    case Happening::warning:
    case Happening::failure:
    case Happening::unknown:
    case Happening::error: return plain.attempt != 0;
    case Happening::attempt_cancelled: return plain.dropping || plain.scheduled;
    case Happening::due:
        return plain.attempt != 0 || !plain.awake() || !plain.gate || plain.delayed(now);
    default: return true;
    }
}

/// All of both that the future depends on, times relative to `now`.
std::uint64_t key(const Node& node) {
    const int now = node.now;
    const Plain& p = node.plain;
    const WorkerFsm<>& f = node.machine.fsm;
    std::uint64_t number = 0;
    const auto add = [&number](int value, int limit) {
        number = number * static_cast<std::uint64_t>(limit) +
                 static_cast<std::uint64_t>(std::clamp(value, 0, limit - 1));
    };
    for (const bool fact :
         {p.started, p.ended, p.present, p.held, p.paused, p.gate, p.dropping, p.scheduled, p.wants,
          p.judged, p.deaf, p.last, p.ticking, p.tick, f.judged(), f.check_pending()})
        add(fact, 2);
    add(p.attempt, 4);
    add(static_cast<int>(p.health), 3);
    add(p.run, 8);
    add(p.errors, 4);
    add(std::max(p.since - now, -2 * period) + 2 * period, 2 * period + 1);
    add(p.ticking ? p.next_tick - now : 0, period + 1);
    add(node.machine.timer ? *node.machine.timer - now + period : 0, 5 * period);
    return number;
}

/// What is wrong with the machine after `decision`, nothing if all is well. `before`: the naive
/// worker then.
std::string difference(const Node& node, const Plain& before, const Decision& decision) {
    const Plain& p = node.plain;
    const Machine& m = node.machine;
    if (p.state() != m.fsm.state()) return "state " + std::string{to_string(m.fsm.state())};
    if (p.attempt != m.attempt) return "attempt " + std::to_string(m.attempt);
    if ((p.attempt != 0 && !p.scheduled) != m.fsm.in_flight()) return "in flight or not";
    if (p.scheduled != m.scheduled || (p.scheduled || p.wants) != m.fsm.check_pending())
        return "a check pending, or none";
    if (p.shown() != m.fsm.health() || (p.deaf || p.judged) != m.fsm.judged())
        return "health " + std::string{to_string(m.fsm.health())};
    if (p.run != m.fsm.run() || p.last != m.fsm.policy().counter().last())
        return "run " + std::to_string(m.fsm.run());
    if (decision.cancel != (p.dropping && !before.dropping)) return "cancels";
    if (before.started &&
        decision.changed !=
            (p.health != before.health || (p.judged && !before.judged) || p.deaf != before.deaf))
        return "tells a change, or none";
    if (p.attempt != 0) return {};
    Plain future = p; // with nothing else happening
    const std::optional<int> next = future.live(node.now, node.now + 5 * period);
    return next == m.timer ? "" : "waits until " + std::to_string(m.timer.value_or(-1));
}

struct Count {
    std::size_t states = 0;
    std::size_t steps = 0;
    std::array<std::size_t, happenings.size()> looked_after =
        {}; ///< checks that began at once, by the event before
};

void explore(const ProbeSpec& spec, int depth, Count& count) {
    const Plain plain{.spec = spec,
                      .scoped = spec.pacing.cadence == Cadence::target_start,
                      .health = WorkerFsm<>::initial_health(spec.kind)};
    std::vector<Node> front{Node{plain, Machine{WorkerFsm{spec}}}};
    for (int step = 1; step <= depth; ++step) {
        std::unordered_set<std::uint64_t> met;
        std::vector<Node> following;
        for (const Node& node : front)
            for (const int later : {16, 64}) {
                Node waited = node;
                // No event stands at another's moment, not even whole periods or delays later.
                waited.now += later + 1;
                const std::optional<int> began = waited.plain.live(node.now, waited.now);
                REQUIRE(began == waited.machine.live(waited.now));
                for (const Happening what : happenings) {
                    if (!can_happen(what, waited.plain, waited.now)) continue;
                    Node next = waited;
                    next.path.push_back(what);
                    next.plain.happen(what, next.now);
                    const bool checks =
                        next.plain.attempt != 0 || next.plain.live(next.now, next.now);
                    const Decision decision = next.machine.happen(what, next.now);
                    ++count.steps;
                    if (checks && waited.plain.attempt == 0)
                        ++count.looked_after[static_cast<std::size_t>(what)];
                    if (const std::string wrong = difference(next, waited.plain, decision);
                        !wrong.empty()) {
                        std::string path;
                        for (const Happening one : next.path)
                            path += std::to_string(static_cast<int>(one)) + " ";
                        CAPTURE(to_string(spec.kind), spec.success_threshold,
                                spec.failure_threshold, plain.scoped, spec.initial_delay.count(),
                                path, next.now, later, to_string(next.plain.state()));
                        FAIL(wrong);
                    }
                    if (met.insert(key(next)).second) following.push_back(std::move(next));
                }
            }
        count.states += following.size();
        front = std::move(following);
    }
}

} // namespace

TEST_CASE("Every sequence of events is met as a worker in time meets it", "[oracle]") {
    for (const Cadence cadence : {Cadence::grid, Cadence::target_start}) {
        Count count;
        for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness})
            for (const int failures : {1, 2})
                for (const int delay : {0, 64}) {
                    const ProbeSpec spec{.kind = kind,
                                         .initial_delay = Duration{delay},
                                         .period = Duration{period},
                                         .timeout = Duration{1},
                                         .success_threshold = kind == ProbeKind::readiness ? 2 : 1,
                                         .failure_threshold = failures,
                                         .error_threshold = failures,
                                         .pacing = {.cadence = cadence}};
                    REQUIRE(is_valid(spec));
                    explore(spec, failures == 1 ? 5 : 6, count);
                }
        const bool scoped = cadence == Cadence::target_start;
        std::printf("oracle of events, %s: %zu states, %zu steps compared\n",
                    scoped ? "target_start" : "grid", count.states, count.steps);
        CHECK(count.states > 10'000);
        for (const Happening what :
             {Happening::started, Happening::gate_opened, Happening::triggered, Happening::resumed})
            CHECK(count.looked_after[static_cast<std::size_t>(what)] > 0);
    }
}
