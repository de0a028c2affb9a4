// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/worker_fsm.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "../tools/printing.hpp"

// One thing at a time: what each event does in each state. When checks happen is in
// worker_grid_test.cpp, the judgement against the kubelet's in worker_oracle_test.cpp.
namespace {

using namespace probekit;
using namespace std::chrono_literals;
using Action = Decision::Action;

constexpr TimePoint at(Duration since_start) { return TimePoint{since_start}; }

const ProbeResult good = ProbeResult::success();
const ProbeResult bad = ProbeResult::failure(std::make_error_code(std::errc::connection_refused));

ProbeSpec spec_of(ProbeKind kind, int failure_threshold = 1) {
    return {.kind = kind, .period = 10s, .failure_threshold = failure_threshold};
}

/// Where a machine stands when these tests hand it an event.
enum class Situation {
    stopped,
    gated,
    waiting,
    scheduled, ///< an attempt has been decided on and has not begun
    probing,
    retrying, ///< the second attempt of a check has been decided on and has not begun
    cancelling,
    on_hold,
    paused,
    no_target,
    ended,
};
constexpr std::pair<Situation, WorkerState> situations[] = {
    {Situation::stopped, WorkerState::stopped},    {Situation::gated, WorkerState::gated},
    {Situation::waiting, WorkerState::waiting},    {Situation::scheduled, WorkerState::waiting},
    {Situation::probing, WorkerState::probing},    {Situation::retrying, WorkerState::probing},
    {Situation::cancelling, WorkerState::waiting}, {Situation::on_hold, WorkerState::on_hold},
    {Situation::paused, WorkerState::paused},      {Situation::no_target, WorkerState::no_target},
    {Situation::ended, WorkerState::ended},
};

/// A worker that was started at 0 s.
WorkerFsm<> in(Situation situation, ProbeKind kind = ProbeKind::liveness) {
    WorkerFsm fsm{spec_of(kind)};
    const auto step = [&fsm](auto... events) { ((void)fsm.step(events, at(0s)), ...); };
    const event::Error error{};
    switch (situation) {
    case Situation::stopped: break;
    case Situation::gated: step(event::GateClosed{}, event::Started{}); break;
    case Situation::waiting: step(event::Started{}, error, error, error); break;
    case Situation::scheduled: step(event::Started{}, event::AttemptScheduled{}); break;
    case Situation::probing: step(event::Started{}); break;
    case Situation::retrying: step(event::Started{}, error, event::AttemptScheduled{}); break;
    case Situation::cancelling: step(event::Started{}, event::TargetStarted{}); break;
    case Situation::on_hold: step(event::Started{}, event::Result{bad}); break;
    case Situation::paused: step(event::Started{}, error, error, error, event::Paused{}); break;
    case Situation::no_target:
        step(event::Started{}, error, error, error, event::TargetGone{});
        break;
    case Situation::ended: step(event::Started{}, error, error, error, event::Terminating{}); break;
    }
    return fsm;
}

/// All events; results and errors are what an attempt ends with.
const WorkerEvent events[] = {
    event::Started{at(1s)},    event::TargetStarted{at(1s)},
    event::TargetBack{},       event::TargetGone{},
    event::Terminating{},      event::GateOpened{},
    event::GateClosed{},       event::Due{},
    event::AttemptScheduled{}, event::AttemptBegun{},
    event::Result{bad},        event::Error{},
    event::AttemptCancelled{}, event::Triggered{},
    event::Paused{},           event::Resumed{},
    event::Stopped{},
};
static_assert(std::variant_size_v<WorkerEvent> == std::size(events));

template <class... Events>
bool is_one_of(const WorkerEvent& event) {
    return (std::holds_alternative<Events>(event) || ...);
}

/// What an event does in a situation.
struct Row {
    Situation situation;
    WorkerEvent event;
    Action action;
    WorkerState after;
    bool cancel = false;
    std::optional<Health> changed_to = {};
    int attempt_in_check = 1; // of attempt
};

} // namespace

// A million idle targets must be ordinary, and judging must cost nothing to speak of.
static_assert(sizeof(WorkerFsm<>) <= 168); // the spec is more than half of it, and may be shared
static_assert(sizeof(WorkerFsm<KubeletPolicy, const ProbeSpec*>) <= 64);
static_assert(std::is_trivially_copyable_v<WorkerFsm<>>);
static_assert(noexcept(std::declval<WorkerFsm<>&>().step(std::declval<event::Result>(),
                                                         std::declval<TimePoint>())));
static_assert(noexcept(std::declval<WorkerFsm<>&>().step(event::Due{}, std::declval<TimePoint>())));

TEST_CASE(
    "What each event does in each situation of a liveness worker, and that others do nothing") {
    using enum Action;
    using S = Situation;
    using W = WorkerState;
    const std::optional<Health> no_change;
    const Health passing = Health::passing;
    const Health failing = Health::failing;
    // At 1 s, so that the next point of the grid is at 10 s.
    const std::vector<Row> rows{
        {S::stopped, event::Started{}, attempt, W::probing},
        {S::stopped, event::Stopped{}, end, W::stopped},

        {S::gated, event::TargetStarted{}, hold, W::gated},
        {S::gated, event::TargetGone{}, hold, W::no_target, false, failing},
        {S::gated, event::Terminating{}, end, W::ended, false, passing},
        {S::gated, event::GateOpened{}, wait, W::waiting},
        {S::gated, event::GateClosed{}, hold, W::gated},
        {S::gated, event::Triggered{}, hold, W::gated},
        {S::gated, event::Paused{}, hold, W::paused},
        {S::gated, event::Stopped{}, end, W::stopped},

        {S::waiting, event::TargetStarted{}, wait, W::waiting},
        {S::waiting, event::TargetGone{}, hold, W::no_target, false, failing},
        {S::waiting, event::Terminating{}, end, W::ended, false, passing},
        {S::waiting, event::GateClosed{}, hold, W::gated},
        {S::waiting, event::Due{}, attempt, W::probing},
        {S::waiting, event::Triggered{}, attempt, W::probing},
        {S::waiting, event::Paused{}, hold, W::paused},
        {S::waiting, event::Stopped{}, end, W::stopped},

        // Called off instead of cancelled, so that what comes next is known at once.
        {S::scheduled, event::TargetStarted{}, wait, W::waiting},
        {S::scheduled, event::TargetGone{}, hold, W::no_target, false, failing},
        {S::scheduled, event::Terminating{}, end, W::ended, false, passing},
        {S::scheduled, event::GateClosed{}, hold, W::gated},
        {S::scheduled, event::AttemptBegun{}, none, W::probing},
        {S::scheduled, event::Paused{}, hold, W::paused},
        {S::scheduled, event::Stopped{}, end, W::stopped},

        {S::probing, event::TargetStarted{}, none, W::waiting, true},
        {S::probing, event::TargetGone{}, hold, W::no_target, true, failing},
        {S::probing, event::Terminating{}, end, W::ended, true, passing},
        {S::probing, event::AttemptScheduled{}, none, W::waiting},
        {S::probing, event::Result{bad}, hold, W::on_hold, false, failing},
        {S::probing, event::Error{}, attempt, W::probing, false, no_change, 2},
        {S::probing, event::AttemptCancelled{}, wait, W::waiting},
        {S::probing, event::Paused{}, hold, W::paused, true},
        {S::probing, event::Stopped{}, end, W::stopped, true},

        {S::retrying, event::TargetStarted{}, wait, W::waiting},
        {S::retrying, event::TargetGone{}, hold, W::no_target, false, failing},
        {S::retrying, event::Terminating{}, end, W::ended, false, passing},
        {S::retrying, event::Paused{}, hold, W::paused},
        {S::retrying, event::Stopped{}, end, W::stopped},

        {S::cancelling, event::TargetGone{}, hold, W::no_target, false, failing},
        {S::cancelling, event::Terminating{}, end, W::ended, false, passing},
        {S::cancelling, event::GateClosed{}, none, W::gated},
        {S::cancelling, event::Result{bad}, wait, W::waiting},
        {S::cancelling, event::Error{}, wait, W::waiting},
        {S::cancelling, event::AttemptCancelled{}, wait, W::waiting},
        {S::cancelling, event::Paused{}, hold, W::paused},
        {S::cancelling, event::Stopped{}, end, W::stopped},

        {S::on_hold, event::TargetStarted{}, wait, W::waiting, false, passing},
        {S::on_hold, event::GateClosed{}, hold, W::on_hold},
        {S::on_hold, event::Paused{}, hold, W::on_hold},
        {S::on_hold, event::Stopped{}, end, W::stopped},

        {S::paused, event::TargetStarted{}, hold, W::paused},
        {S::paused, event::TargetGone{}, hold, W::no_target, false, failing},
        {S::paused, event::Terminating{}, end, W::ended, false, passing},
        {S::paused, event::GateClosed{}, hold, W::paused},
        {S::paused, event::Resumed{}, attempt, W::probing},
        {S::paused, event::Stopped{}, end, W::stopped},

        {S::no_target, event::TargetStarted{}, wait, W::waiting, false, passing},
        {S::no_target, event::TargetBack{}, wait, W::waiting},
        {S::no_target, event::Terminating{}, end, W::ended, false, passing},
        {S::no_target, event::GateClosed{}, hold, W::no_target},
        {S::no_target, event::Paused{}, hold, W::no_target},
        {S::no_target, event::Stopped{}, end, W::stopped},

        {S::ended, event::Started{}, attempt, W::probing},
        {S::ended, event::Stopped{}, end, W::stopped},
    };
    std::size_t used = 0;
    for (const auto& [situation, state] : situations)
        for (const WorkerEvent& event : events) {
            CAPTURE(static_cast<int>(situation), state, event.index());
            WorkerFsm<> fsm = in(situation);
            REQUIRE(fsm.state() == state);
            const auto row = std::ranges::find_if(rows, [&](const Row& one) {
                return one.situation == situation && one.event.index() == event.index();
            });
            used += row != rows.end();
            const Row expected =
                row != rows.end() ? *row : Row{situation, event, Action::none, state};
            Decision wanted{.action = expected.action, .cancel = expected.cancel};
            if (expected.action == Action::wait) wanted.at = at(10s);
            if (expected.action == Action::attempt)
                wanted.attempt_in_check = expected.attempt_in_check;
            const bool starts = std::holds_alternative<event::Started>(event);
            const Health initial =
                starts && expected.action == Action::attempt ? passing : fsm.health();
            wanted.health = expected.changed_to.value_or(initial);
            Decision decision = fsm.step(event, at(1s));
            CHECK(decision.changed == expected.changed_to.has_value());
            CHECK(fsm.state() == expected.after);
            CHECK(fsm.health() == decision.health);
            // `at` says something of wait alone; what they say of the verdict before is tested
            // below.
            if (decision.action != Action::wait) decision.at = {};
            decision.changed = false;
            decision.origin = {};
            decision.previous = {};
            decision.previous_duration = {};
            CHECK(decision == wanted);
        }
    CHECK(used == rows.size()); // no row stands there twice
}

TEST_CASE("The initial health: startup unknown, liveness passing, readiness failing, not judged") {
    const auto [kind, health] = GENERATE(std::pair{ProbeKind::startup, Health::unknown},
                                         std::pair{ProbeKind::liveness, Health::passing},
                                         std::pair{ProbeKind::readiness, Health::failing});
    WorkerFsm fsm{spec_of(kind)};
    CHECK(fsm.health() == health);
    CHECK_FALSE(fsm.step(event::Started{}, at(0s)).changed);
    CHECK(fsm.health() == health);
    CHECK_FALSE(fsm.judged());
}

TEST_CASE("The first judgement is reported even if it equals the initial value, later ones only if "
          "they differ") {
    WorkerFsm fsm{spec_of(ProbeKind::readiness)};
    (void)fsm.step(event::Started{}, at(2s));
    Decision decision = fsm.step(event::Result{bad}, at(3s));
    CHECK(decision.changed);
    CHECK(decision.origin == Verdict::Origin::result);
    CHECK(decision.health == Health::failing);
    CHECK(decision.previous == Health::unknown);
    CHECK(decision.previous_duration == 1s);
    CHECK(fsm.judged());
    CHECK(fsm.since() == at(3s));

    (void)fsm.step(event::Due{}, at(12s));
    CHECK_FALSE(fsm.step(event::Result{bad}, at(13s)).changed);
    CHECK(fsm.since() == at(3s));

    (void)fsm.step(event::Due{}, at(22s));
    decision = fsm.step(event::Result{good}, at(23s));
    CHECK(decision.changed);
    CHECK(decision.health == Health::passing);
    CHECK(decision.previous == Health::failing);
    CHECK(decision.previous_duration == 20s);
    CHECK(fsm.since() == at(23s));
}

TEST_CASE("Thresholds: a verdict needs that many in a row, and one of the other kind begins anew") {
    ProbeSpec spec = spec_of(ProbeKind::readiness, 3);
    spec.success_threshold = 2;
    WorkerFsm fsm{spec};
    Duration now = 0s;
    (void)fsm.step(event::Started{}, at(now));
    const auto result = [&](const ProbeResult& one) {
        if (!fsm.in_flight()) (void)fsm.step(event::Due{}, at(now += 10s));
        return fsm.step(event::Result{one}, at(now)).changed;
    };
    CHECK_FALSE(result(good));
    CHECK(result(good)); // passing
    CHECK_FALSE(result(bad));
    CHECK_FALSE(result(bad));
    CHECK_FALSE(result(good));
    CHECK(fsm.run() == 1);
    CHECK_FALSE(result(bad));
    CHECK_FALSE(result(bad));
    CHECK(fsm.health() == Health::passing);
    CHECK(result(bad)); // failing
    CHECK(fsm.health() == Health::failing);
    CHECK_FALSE(result(good));
    CHECK(result(good));
}

TEST_CASE("Startup holds once it is decided, liveness once it failed, readiness never") {
    const auto [kind, passes, holds] = GENERATE(
        std::tuple{ProbeKind::startup, true, true}, std::tuple{ProbeKind::startup, false, true},
        std::tuple{ProbeKind::liveness, true, false}, std::tuple{ProbeKind::liveness, false, true},
        std::tuple{ProbeKind::readiness, true, false},
        std::tuple{ProbeKind::readiness, false, false});
    WorkerFsm fsm{spec_of(kind)};
    (void)fsm.step(event::Started{}, at(0s));
    const Decision decision = fsm.step(event::Result{passes ? good : bad}, at(1s));
    CHECK(decision.changed);
    CHECK((decision.action == Action::hold) == holds);
    CHECK((fsm.state() == WorkerState::on_hold) == holds);
    CHECK(fsm.run() == (holds ? 0 : 1)); // a worker going on hold drops its run
    if (holds) CHECK(fsm.next_check() == TimePoint::max());
}

TEST_CASE("An error is tried up to three times in a row, then thrown away") {
    WorkerFsm fsm{spec_of(ProbeKind::liveness, 2)};
    (void)fsm.step(event::Started{}, at(0s));
    (void)fsm.step(event::Result{bad}, at(0s));
    REQUIRE(fsm.run() == 1);
    (void)fsm.step(event::Due{}, at(10s));

    Decision decision = fsm.step(event::Error{}, at(11s));
    CHECK(decision.action == Action::attempt);
    CHECK(decision.attempt_in_check == 2);
    CHECK(decision.skipped == 0);
    SECTION("the second attempt gives a result, which counts once") {
        decision = fsm.step(event::Result{bad}, at(12s));
        CHECK(decision.changed);
        CHECK(fsm.state() == WorkerState::on_hold);
    }
    SECTION("all three end with errors: nothing has changed") {
        decision = fsm.step(event::Error{}, at(12s));
        CHECK(decision.attempt_in_check == 3);
        decision = fsm.step(event::Error{}, at(13s));
        CHECK(decision.action == Action::wait);
        CHECK(decision.at == at(20s));
        CHECK(fsm.run() == 1);
        CHECK(fsm.health() == Health::passing);
        CHECK_FALSE(fsm.judged());
        (void)fsm.step(event::Due{}, at(20s));
        CHECK(fsm.step(event::Error{}, at(20s)).attempt_in_check ==
              2); // counted anew in each check
    }
    SECTION("no further attempt begins behind a gate that was closed meanwhile") {
        (void)fsm.step(event::GateClosed{}, at(12s));
        CHECK(fsm.step(event::Error{}, at(12s)).action == Action::hold);
        CHECK(fsm.state() == WorkerState::gated);
    }
    SECTION("a check triggered meanwhile comes after the attempts") {
        (void)fsm.step(event::Triggered{}, at(12s));
        CHECK(fsm.step(event::Error{}, at(12s)).attempt_in_check == 3);
        decision = fsm.step(event::Error{}, at(13s));
        CHECK(decision.action == Action::attempt);
        CHECK(decision.attempt_in_check == 1);
        CHECK_FALSE(fsm.check_pending());
    }
}

TEST_CASE(
    "A gate that closes during an attempt: it is finished and counted, and no check follows") {
    WorkerFsm fsm{spec_of(ProbeKind::readiness)};
    (void)fsm.step(event::Started{}, at(0s));
    CHECK(fsm.step(event::GateClosed{}, at(1s)).action == Action::none);
    CHECK(fsm.state() == WorkerState::probing);
    SECTION("the result counts") {
        const Decision decision = fsm.step(event::Result{good}, at(2s));
        CHECK(decision.changed);
        CHECK(fsm.health() == Health::passing);
        CHECK(decision.action == Action::hold);
        CHECK(fsm.state() == WorkerState::gated);
    }
    SECTION("opened again during the attempt: readiness checks once more right after") {
        (void)fsm.step(event::GateOpened{}, at(2s));
        CHECK(fsm.check_pending());
        const Decision decision = fsm.step(event::Result{good}, at(3s));
        CHECK(decision.changed);
        CHECK(decision.action == Action::attempt);
    }
    SECTION("a trigger meanwhile causes no check") {
        CHECK(fsm.step(event::Triggered{}, at(2s)).action == Action::none);
        CHECK_FALSE(fsm.check_pending());
        CHECK(fsm.step(event::Result{good}, at(3s)).action == Action::hold);
    }
    SECTION("a check triggered before is lost behind the gate") {
        (void)fsm.step(event::GateOpened{}, at(1s));
        (void)fsm.step(event::Triggered{}, at(1s));
        (void)fsm.step(event::GateClosed{}, at(2s));
        CHECK(fsm.step(event::Result{good}, at(3s)).action == Action::hold);
        CHECK_FALSE(fsm.check_pending());
    }
}

TEST_CASE("A startup gate for all but startup: gate events count while stopped") {
    WorkerFsm fsm{spec_of(ProbeKind::readiness)};
    (void)fsm.step(event::GateClosed{}, at(0s));
    CHECK(fsm.step(event::Started{}, at(0s)).action == Action::hold);
    (void)fsm.step(event::Stopped{}, at(1s));
    (void)fsm.step(event::GateOpened{}, at(2s));
    CHECK(fsm.step(event::Started{at(3s)}, at(3s)).action == Action::attempt);
}

TEST_CASE("What ends an attempt from outside: it is cancelled, thrown away, and nothing begins "
          "before it is cleaned up") {
    WorkerFsm fsm{spec_of(ProbeKind::liveness)};
    (void)fsm.step(event::Started{}, at(0s));
    const auto throws_away = [&] {
        CHECK(fsm.in_flight());
        CHECK(fsm.run() == 0);
        CHECK(fsm.step(event::Due{}, at(2s)).action == Action::none);
        CHECK(fsm.in_flight());
    };

    SECTION("new target: the check that fell due meanwhile is made up") {
        const Decision decision = fsm.step(event::TargetStarted{at(1s)}, at(1s));
        CHECK(decision.cancel);
        CHECK(fsm.state() == WorkerState::waiting);
        throws_away();
        CHECK_FALSE(fsm.step(event::TargetStarted{at(2s)}, at(2s)).cancel); // already asked for
        SECTION("in time for the next") {
            const Decision after = fsm.step(event::AttemptCancelled{}, at(3s));
            CHECK(after.action == Action::wait);
            CHECK(after.at == at(10s));
        }
        SECTION("late for the next") {
            CHECK(fsm.step(event::AttemptCancelled{}, at(11s)).action == Action::attempt);
        }
        SECTION("a result that comes all the same counts for nothing") {
            const Decision after = fsm.step(event::Result{bad}, at(3s));
            CHECK_FALSE(after.changed);
            CHECK(after.action == Action::wait);
            CHECK(fsm.health() == Health::passing);
            CHECK_FALSE(fsm.judged());
        }
        SECTION("an error that comes all the same is not tried again") {
            CHECK(fsm.step(event::Error{}, at(3s)).action == Action::wait);
        }
        SECTION("a trigger checks as soon as it may") {
            CHECK(fsm.step(event::Triggered{}, at(2s)).action == Action::none);
            CHECK(fsm.check_pending());
            CHECK(fsm.step(event::AttemptCancelled{}, at(3s)).action == Action::attempt);
            CHECK(fsm.due() == at(3s));
        }
    }
    SECTION(
        "new target: a trigger inside its initial delay does not check even then, but begins the "
        "grid anew") {
        ProbeSpec spec = fsm.spec();
        spec.initial_delay = 5s;
        (void)fsm.update(spec, at(1s));
        (void)fsm.step(event::TargetStarted{at(1s)}, at(1s));
        (void)fsm.step(event::Triggered{}, at(2s));
        CHECK_FALSE(fsm.check_pending());
        CHECK(fsm.step(event::AttemptCancelled{}, at(3s)).at == at(12s));
    }
    SECTION("pause") {
        CHECK(fsm.step(event::Paused{}, at(1s)).cancel);
        throws_away();
        SECTION("resumed before it is cleaned up") {
            CHECK(fsm.step(event::Resumed{}, at(2s)).action == Action::none);
            CHECK(fsm.step(event::AttemptCancelled{}, at(3s)).action == Action::attempt);
        }
        SECTION("resumed after") {
            CHECK(fsm.step(event::AttemptCancelled{}, at(3s)).action == Action::hold);
            CHECK(fsm.step(event::Resumed{}, at(4s)).action == Action::attempt);
        }
    }
    SECTION("target gone, and back before it is cleaned up") {
        CHECK(fsm.step(event::TargetGone{}, at(1s)).cancel);
        throws_away();
        CHECK(fsm.step(event::TargetBack{}, at(2s)).action == Action::none);
        const Decision decision = fsm.step(event::AttemptCancelled{}, at(3s));
        CHECK(decision.action == Action::wait);
        CHECK(decision.at == at(10s));
    }
    SECTION("stop, and start before it is cleaned up") {
        CHECK(fsm.step(event::Stopped{}, at(1s)).cancel);
        throws_away();
        SECTION("start") {
            CHECK(fsm.step(event::Started{at(2s)}, at(2s)).action == Action::none);
            CHECK(fsm.state() == WorkerState::waiting);
            CHECK(fsm.step(event::AttemptCancelled{}, at(3s)).action == Action::attempt);
        }
        SECTION("no start") {
            CHECK(fsm.step(event::AttemptCancelled{}, at(3s)).action == Action::none);
            CHECK_FALSE(fsm.in_flight());
            CHECK(fsm.state() == WorkerState::stopped);
        }
    }
    SECTION("terminating") {
        CHECK(fsm.step(event::Terminating{}, at(1s)).cancel);
        throws_away();
        CHECK(fsm.step(event::AttemptCancelled{}, at(3s)).action == Action::none);
        CHECK(fsm.state() == WorkerState::ended);
    }
}

TEST_CASE("A requested check is forgotten with what ends the reason to make it") {
    const WorkerEvent event =
        GENERATE(values<WorkerEvent>({event::TargetGone{}, event::Terminating{}, event::Result{bad},
                                      event::Paused{}, event::Stopped{}}));
    WorkerFsm fsm = in(Situation::probing);
    (void)fsm.step(event::Triggered{}, at(1s));
    REQUIRE(fsm.check_pending());
    (void)fsm.step(event, at(2s));
    CHECK_FALSE(fsm.check_pending());
    (void)fsm.step(event::AttemptCancelled{}, at(3s));
    // The next target is checked on the grid, which has not moved.
    if (is_one_of<event::TargetGone, event::Result>(event)) {
        const Decision decision = fsm.step(event::TargetStarted{at(4s)}, at(4s));
        CHECK(decision.action == Action::wait);
        CHECK(decision.at == at(10s));
    }
}

TEST_CASE("A scheduled check is due, is pending, and is not in flight before it begins") {
    WorkerFsm fsm = in(Situation::waiting);
    CHECK(fsm.step(event::Triggered{}, at(4s)).action == Action::attempt);
    (void)fsm.step(event::AttemptScheduled{}, at(4s));
    CHECK(fsm.check_pending());
    CHECK_FALSE(fsm.in_flight());
    CHECK(fsm.state() == WorkerState::waiting);
    CHECK(fsm.next_check() == at(4s));
    CHECK(fsm.step(event::Triggered{}, at(5s)).action == Action::none); // it is about to begin
    CHECK(fsm.step(event::Result{bad}, at(5s)) == Decision{.health = Health::passing});
    (void)fsm.step(event::AttemptBegun{}, at(6s));
    CHECK_FALSE(fsm.check_pending()); // the trigger was this one's
    CHECK(fsm.in_flight());
    CHECK(fsm.next_check() == at(14s));
    CHECK(fsm.step(event::Result{bad}, at(7s)).action == Action::hold);
}

TEST_CASE("A gate that closes before a check begins calls it off, and a retry no more") {
    WorkerFsm first = in(Situation::scheduled);
    CHECK(first.step(event::GateClosed{}, at(1s)).action == Action::hold);
    CHECK(first.step(event::GateOpened{}, at(2s)).at == at(10s));
    CHECK(first.state() == WorkerState::waiting);

    WorkerFsm retry = in(Situation::retrying);
    CHECK(retry.step(event::GateClosed{}, at(1s)).action == Action::none);
    CHECK(retry.state() == WorkerState::probing);
    (void)retry.step(event::AttemptBegun{}, at(2s));
    CHECK(retry.step(event::Error{}, at(3s)).action == Action::hold);
    CHECK(retry.state() == WorkerState::gated);
}

TEST_CASE("Terminating: readiness goes on, the others pass and end, on hold nothing") {
    WorkerFsm readiness = in(Situation::waiting, ProbeKind::readiness);
    CHECK(readiness.step(event::Terminating{}, at(1s)) == Decision{.health = Health::failing});
    CHECK(readiness.state() == WorkerState::waiting);

    WorkerFsm startup = in(Situation::waiting, ProbeKind::startup);
    const Decision decision = startup.step(event::Terminating{}, at(1s));
    CHECK(decision.changed);
    CHECK(decision.origin == Verdict::Origin::terminating);
    CHECK(startup.health() == Health::passing);
    CHECK(startup.state() == WorkerState::ended);
}

TEST_CASE("A target that is gone fails, for every kind, and is reported once") {
    const ProbeKind kind = GENERATE(ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness);
    WorkerFsm fsm = in(Situation::waiting, kind);
    const Decision decision = fsm.step(event::TargetGone{}, at(4s));
    CHECK(decision.changed); // readiness too: it is its first judgement
    CHECK(decision.origin == Verdict::Origin::target_gone);
    CHECK(decision.health == Health::failing);
    CHECK(fsm.judged());
    CHECK_FALSE(fsm.step(event::TargetGone{}, at(5s)).changed);

    SECTION("back: nothing is reset") {
        CHECK_FALSE(fsm.step(event::TargetBack{}, at(6s)).changed);
        CHECK(fsm.health() == Health::failing);
        CHECK(fsm.since() == at(4s));
        (void)fsm.step(event::Due{}, at(10s));
        CHECK(fsm.step(event::Result{good}, at(10s)).changed);
    }
    SECTION("replaced: initial health, reported only if it differs") {
        const Decision replaced = fsm.step(event::TargetStarted{at(6s)}, at(6s));
        CHECK(replaced.changed == (kind != ProbeKind::readiness));
        CHECK(replaced.origin == Verdict::Origin::target_replaced);
        CHECK(replaced.previous == Health::failing);
        CHECK(replaced.previous_duration == 2s);
        CHECK(fsm.health() == WorkerFsm<>::initial_health(kind));
        CHECK_FALSE(fsm.judged());
        CHECK(fsm.since() == at(6s));
    }
}

TEST_CASE("An adopted target has no health until a threshold is met") {
    const ProbeKind kind = GENERATE(ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness);
    WorkerFsm fsm = in(Situation::waiting, kind);
    const Decision decision = fsm.step(event::TargetStarted{at(-100s), true}, at(1s));
    CHECK(decision.changed == (kind != ProbeKind::startup));
    CHECK(fsm.health() == Health::unknown);
    CHECK_FALSE(fsm.judged());
    (void)fsm.step(event::Due{}, at(10s));
    const Decision first = fsm.step(event::Result{good}, at(10s));
    CHECK(first.changed);
    CHECK(first.previous == Health::unknown);
    CHECK(fsm.health() == Health::passing);
}

TEST_CASE(
    "Stopping keeps the health; starting anew begins with the initial one and forgets the run") {
    WorkerFsm fsm{spec_of(ProbeKind::liveness, 3)};
    (void)fsm.step(event::Started{}, at(0s));
    (void)fsm.step(event::Result{bad}, at(0s));
    (void)fsm.step(event::TargetGone{}, at(1s));
    (void)fsm.step(event::Stopped{}, at(2s));
    CHECK(fsm.health() == Health::failing);
    CHECK(fsm.state() == WorkerState::stopped);
    CHECK(fsm.run() == 1);
    const Decision decision = fsm.step(event::Started{at(3s)}, at(3s));
    CHECK(decision.action == Action::attempt);
    CHECK_FALSE(decision.changed);
    CHECK(fsm.health() == Health::passing);
    CHECK_FALSE(fsm.judged());
    CHECK(fsm.run() == 0);
    CHECK(fsm.since() == at(3s));
}

TEST_CASE("A start ends pause, hold, absence and end") {
    const Situation situation =
        GENERATE(Situation::paused, Situation::on_hold, Situation::no_target, Situation::ended);
    WorkerFsm fsm = in(situation);
    (void)fsm.step(event::Stopped{}, at(1s));
    CHECK(fsm.state() == WorkerState::stopped);
    CHECK(fsm.step(event::Started{at(2s)}, at(2s)).action == Action::attempt);
    CHECK(fsm.state() == WorkerState::probing);
}

TEST_CASE("update: counters and verdict stay, thresholds apply from the next result on") {
    WorkerFsm fsm{spec_of(ProbeKind::liveness, 5)};
    (void)fsm.step(event::Started{}, at(0s));
    (void)fsm.step(event::Result{bad}, at(0s));
    (void)fsm.step(event::Due{}, at(10s));
    (void)fsm.step(event::Result{bad}, at(10s));
    Decision decision = fsm.update(spec_of(ProbeKind::liveness, 2), at(11s));
    CHECK(decision.action == Action::wait);
    CHECK(decision.at == at(20s));
    CHECK(fsm.run() == 2);
    CHECK(fsm.health() == Health::passing);
    (void)fsm.step(event::Due{}, at(20s));
    SECTION("in flight it does not disturb the attempt") {
        CHECK(fsm.update(spec_of(ProbeKind::liveness, 9), at(21s)).action == Action::none);
        CHECK(fsm.step(event::Result{bad}, at(21s)).action == Action::wait);
    }
    SECTION("the next result is judged by the new threshold") {
        CHECK(fsm.step(event::Result{bad}, at(20s)).changed);
        CHECK(fsm.state() == WorkerState::on_hold);
        CHECK(fsm.update(spec_of(ProbeKind::liveness, 9), at(21s)).action == Action::none);
        CHECK(fsm.state() == WorkerState::on_hold);
    }
}

// ---- policies ----

namespace {

/// Only what the concept asks for.
struct Never {
    std::optional<Health> judge(const ProbeResult&, const ProbeSpec&) noexcept { return {}; }
};
static_assert(Policy<Never>);

/// Fails what is slow, records what it is given.
struct Noting {
    std::vector<std::string>* calls;
    std::optional<Health> judge(const ProbeResult& result, const ProbeSpec&) noexcept {
        return result.elapsed() > 1s ? Health::failing : Health::passing;
    }
    void on_hold() noexcept { calls->push_back("hold"); }
    void on_target_replaced(const ProbeSpec&) noexcept { calls->push_back("replaced"); }
    [[nodiscard]] int run() const noexcept { return 42; }
};
static_assert(Policy<Noting>);

struct Throwing {
    std::optional<Health> judge(const ProbeResult&, const ProbeSpec&) { return {}; }
};
static_assert(!Policy<Throwing>);

} // namespace

TEST_CASE("A policy without optional members judges alone") {
    WorkerFsm<Never> fsm{spec_of(ProbeKind::liveness)};
    (void)fsm.step(event::Started{}, at(0s));
    CHECK_FALSE(fsm.step(event::Result{bad}, at(0s)).changed);
    CHECK(fsm.health() == Health::passing);
    CHECK(fsm.run() == 0);
    static_assert(sizeof(WorkerFsm<Never>) < sizeof(WorkerFsm<>)); // an empty policy takes no bytes
}

TEST_CASE(
    "A startup worker whose policy finds the target unknown has not decided, and goes on looking") {
    struct Undecided {
        std::optional<Health> judge(const ProbeResult&, const ProbeSpec&) noexcept {
            return Health::unknown;
        }
    };
    WorkerFsm fsm{spec_of(ProbeKind::startup), Undecided{}};
    (void)fsm.step(event::Started{}, at(0s));
    const Decision decision = fsm.step(event::Result{good}, at(0s));
    CHECK(decision.changed); // the first judgement
    CHECK(decision.action == Action::wait);
}

TEST_CASE("A policy hears of hold and of new targets, and of a new start if it can forget") {
    std::vector<std::string> calls;
    WorkerFsm fsm{spec_of(ProbeKind::liveness), Noting{&calls}};
    (void)fsm.step(event::Started{}, at(0s));
    CHECK(calls.empty());
    CHECK(fsm.run() == 42);
    ProbeResult slow = good;
    slow.times[0] = 2s;
    CHECK(fsm.step(event::Result{slow}, at(2s)).action == Action::hold);
    CHECK(calls == std::vector<std::string>{"hold"});
    (void)fsm.step(event::TargetStarted{at(3s)}, at(3s));
    CHECK(calls == std::vector<std::string>{"hold", "replaced"});
    (void)fsm.step(event::Stopped{}, at(4s));
    (void)fsm.step(event::Started{at(5s)}, at(5s));
    CHECK(calls == std::vector<std::string>{"hold", "replaced", "replaced"});
}

// ---- whatever comes ----

TEST_CASE("Whatever comes in whatever order: attempts never overlap, waits are ahead, nothing "
          "checks where nothing may") {
    const ProbeKind kind = GENERATE(ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness);
    const Cadence cadence = GENERATE(Cadence::grid, Cadence::target_start);
    std::mt19937_64 random{20240817};
    const auto below = [&](int limit) {
        return static_cast<int>(random() % static_cast<std::uint64_t>(limit));
    };
    for (int story = 0; story != 150; ++story) {
        ProbeSpec spec{.kind = kind,
                       .initial_delay = std::chrono::seconds{below(3) * below(20)},
                       .period = std::chrono::seconds{1 + below(10)},
                       .failure_threshold = 1 + below(3),
                       .pacing = {.cadence = cadence, .seed = random() | 1}};
        if (below(2) == 0) spec.pacing.spread = 7s;
        if (below(2) == 0) spec.pacing.jitter = spec.period / 2;
        WorkerFsm fsm{spec};
        bool attempt = false;   // one that is not over
        bool scheduled = false; // and has not begun
        bool cancelled = false; // or has been cancelled
        std::optional<TimePoint> timer;
        Duration now = 0s;
        for (int step = 0; step != 400; ++step) {
            now += std::chrono::milliseconds{below(4) * below(3000)};
            const int number = below(static_cast<int>(std::size(events)) + 1);
            const bool updates = number == static_cast<int>(std::size(events));
            const WorkerEvent event = updates ? WorkerEvent{event::TargetBack{}} : events[number];
            // A caller that keeps its promises: the end of an attempt only if there is one, Due
            // only from its timer.
            const bool result = is_one_of<event::Result>(event);
            if (is_one_of<event::Due>(event) && (!timer || *timer > at(now))) continue;
            if ((result || is_one_of<event::Error>(event)) && (!attempt || cancelled || scheduled))
                continue;
            if (is_one_of<event::AttemptCancelled>(event) && !cancelled) continue;
            if (is_one_of<event::AttemptScheduled>(event)) {
                if (!attempt || cancelled) continue;
                scheduled = true;
            }
            if (is_one_of<event::AttemptBegun>(event)) scheduled = false;
            // The end, not too often.
            if (is_one_of<event::Terminating, event::Stopped>(event) && below(4) != 0) continue;
            if (is_one_of<event::Due>(event)) timer.reset();
            if (is_one_of<event::Result, event::Error, event::AttemptCancelled>(event))
                attempt = cancelled = false;

            const bool gate_closes = is_one_of<event::GateClosed>(event);
            const Health before = fsm.health();
            const Decision decision =
                updates  ? fsm.update(spec, at(now))
                : result ? fsm.step(event::Result{below(2) == 0 ? good : bad}, at(now))
                         : fsm.step(event, at(now));
            if (scheduled && decision.action != Action::none) attempt = scheduled = false;
            CAPTURE(story, step, number, now, to_string(fsm.state()));
            if (decision.cancel) {
                REQUIRE(attempt);
                REQUIRE_FALSE(scheduled);
                REQUIRE_FALSE(cancelled);
                cancelled = true;
            }
            switch (decision.action) {
            case Action::none: break;
            case Action::attempt:
                REQUIRE_FALSE(attempt);
                REQUIRE(fsm.state() == WorkerState::probing);
                REQUIRE(decision.attempt_in_check >= 1);
                REQUIRE(decision.attempt_in_check <= 3);
                REQUIRE(decision.skipped >= 0);
                REQUIRE(fsm.due() <= at(now));
                REQUIRE_FALSE(gate_closes);
                attempt = true;
                timer.reset();
                break;
            case Action::wait:
                REQUIRE_FALSE(attempt);
                REQUIRE(fsm.state() == WorkerState::waiting);
                REQUIRE(decision.at > at(now));
                REQUIRE(decision.at == fsm.next_check());
                timer = decision.at;
                break;
            case Action::hold:
            case Action::end: timer.reset(); break;
            }
            REQUIRE(fsm.in_flight() == (attempt && !scheduled));
            // It never forgets to go on: what may check has an attempt, or a timer.
            if (fsm.state() == WorkerState::waiting)
                REQUIRE((timer.has_value() || scheduled || cancelled));
            if (fsm.state() == WorkerState::probing) REQUIRE((attempt && !cancelled));
            if (!decision.changed && !is_one_of<event::Started>(event))
                REQUIRE(fsm.health() == before);
            REQUIRE(decision.health == fsm.health());
        }
    }
}
