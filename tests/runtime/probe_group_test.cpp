// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/runtime/probe_group.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/testing/manual_clock.hpp>
#include <probekit/testing/scripted_probe.hpp>

#include "../tools/printing.hpp"
#include "worker_tools.hpp"

using namespace probekit;
using namespace std::chrono_literals;
using testing::ManualClock;
using testing::ScriptedProbe;
using testing::Step;

namespace {

struct Bench {
    Bench() {
        group->on_change([this](const GroupChange& change) {
            changes.push_back(
                std::string{to_string(change.event)} + " at " +
                std::to_string(
                    std::chrono::duration_cast<std::chrono::seconds>(clock.now() - begin).count()));
        });
    }
    [[nodiscard]] Lines take() { return std::exchange(changes, {}); }

    using Group = ProbeGroup<NoObserver, ManualClock>;

    asio::io_context io;
    ManualClock clock{io};
    TimePoint begin = clock.now();
    Lines changes;
    std::optional<Group> group{std::in_place, clock, io};
};

} // namespace

TEST_CASE("without probes a target is started and ready as soon as it runs") {
    Bench bench;
    bench.group->start();
    CHECK(bench.group->started());
    CHECK(bench.group->ready());
    CHECK(bench.changes.empty()); // notified by a post
    bench.clock.run_ready();
    CHECK(bench.take() == Lines{"started at 0", "ready at 0"});
    bench.group->target_gone();
    CHECK_FALSE(bench.group->ready());
    bench.clock.run_ready();
    CHECK(bench.take() == Lines{"unready at 0"});
    bench.group->target_replaced();
    bench.clock.run_ready();
    CHECK(bench.take() == Lines{"started at 0", "ready at 0"});
}

TEST_CASE("groups may share a limit of attempts") {
    Bench bench;
    ProbeGroup<NoObserver, ManualClock> other{bench.clock, bench.io};
    AttemptLimit limit{1};
    const auto slow = [&] { return ScriptedProbe{bench.clock, {{Outcome::success, 300ms}}}; };
    const ProbeSpec spec{.period = 10s, .timeout = 1s};
    bench.group->readiness(slow(), spec);
    bench.group->liveness(slow(), spec);
    other.readiness(slow(), spec);
    bench.group->limit(limit);
    other.limit(limit);
    bench.group->start();
    other.start();
    bench.clock.run_ready();
    CHECK(limit.in_flight() == 1);
    CHECK(limit.waiting() == 2);
    bench.clock.advance(900ms);
    CHECK(limit.in_flight() == 0);
    CHECK(bench.group->ready());
    CHECK(other.ready());
}

TEST_CASE("liveness and readiness make no attempt until startup has passed") {
    Bench bench;
    ScriptedProbe startup{bench.clock, {Outcome::failure, Outcome::failure, Outcome::success}};
    ScriptedProbe readiness{bench.clock, {Outcome::success}};
    ScriptedProbe liveness{bench.clock, {Outcome::success}};
    bench.group->startup(
        startup, {.kind = ProbeKind::liveness, .period = 5s}); // the kind is set by the group
    bench.group->readiness(readiness, {.period = 7s});
    bench.group->liveness(liveness, {.period = 3s});
    bench.group->start();
    bench.clock.advance(10s - 1ns);
    CHECK(readiness.attempts() == 0);
    CHECK(liveness.attempts() == 0);
    bench.clock.advance(1ns);
    CHECK(bench.take() == Lines{"started at 10", "ready at 10"});
    CHECK(readiness.attempts() == 1); // at once
    CHECK(liveness.attempts() == 0);  // at its next point
    bench.clock.advance(2s);
    CHECK(liveness.attempts() == 1);
    bench.clock.advance(60s);
    CHECK(startup.attempts() == 3); // decided
    CHECK(bench.group->snapshot(ProbeKind::startup)->state == WorkerState::on_hold);
}

TEST_CASE("a failing liveness probe kills once, a new target begins anew") {
    Bench bench;
    ScriptedProbe liveness{bench.clock, {Outcome::failure}};
    bench.group->liveness(liveness, {.period = 5s});
    std::string reason;
    bench.group->on_change([&](const GroupChange& change) {
        bench.changes.push_back(std::string{to_string(change.event)});
        if (change.event == GroupChange::Event::kill) reason = change.reason();
    });
    bench.group->start();
    bench.clock.advance(60s);
    CHECK(bench.take() == Lines{"started", "ready", "kill"});
    CHECK(reason.starts_with("Liveness probe failed"));
    bench.group->target_gone();
    bench.clock.run_ready();
    CHECK(bench.take() == Lines{"unready"});
    bench.group->target_replaced();
    bench.clock.advance(60s);
    CHECK(bench.take() == Lines{"started", "ready", "kill"});
}

TEST_CASE("a startup probe that fails kills, and no other probe has made an attempt") {
    Bench bench;
    ScriptedProbe startup{bench.clock, {Outcome::failure}};
    ScriptedProbe readiness{bench.clock, {Outcome::success}};
    bench.group->startup(startup, {.period = 1s, .failure_threshold = 4});
    bench.group->readiness(readiness, {});
    bench.group->start();
    bench.clock.advance(60s);
    CHECK(bench.take() == Lines{"kill at 3"});
    CHECK(readiness.attempts() == 0);
    CHECK_FALSE(bench.group->started());
}

TEST_CASE("readiness goes both ways, and never kills") {
    Bench bench;
    ScriptedProbe readiness{
        bench.clock,
        {Outcome::failure, Outcome::success, Outcome::failure, Outcome::failure, Outcome::success}};
    bench.group->readiness(readiness, {.period = 1s, .failure_threshold = 2});
    bench.group->start();
    bench.clock.advance(10s);
    CHECK(bench.take() == Lines{"started at 0", "ready at 1", "unready at 3", "ready at 4"});
    bench.group->target_gone();
    bench.clock.run_ready();
    CHECK(bench.take() == Lines{"unready at 10"});
    bench.group->target_replaced();
    CHECK_FALSE(bench.group->ready());
    bench.clock.advance(1s);
    CHECK(bench.take() == Lines{"started at 10", "ready at 11"});
}

TEST_CASE(
    "what target_gone makes of liveness is no reason to kill; a terminating target is not killed") {
    Bench bench;
    ScriptedProbe liveness{bench.clock, {Outcome::success, Outcome::failure}};
    bench.group->liveness(liveness, {.period = 1s, .failure_threshold = 1});
    bench.group->start();
    bench.clock.run_ready();
    static_cast<void>(bench.take());
    SECTION("gone") {
        bench.group->target_gone();
        bench.clock.advance(10s);
        CHECK(bench.take() == Lines{"unready at 0"});
    }
    SECTION("terminating") {
        bench.group->target_terminating();
        bench.clock.advance(10s);
        CHECK(bench.take().empty());
        CHECK(liveness.attempts() == 1);
    }
}

TEST_CASE("probes may be added and replaced while the group runs") {
    Bench bench;
    bench.group->start();
    bench.clock.run_ready();
    static_cast<void>(bench.take());
    ScriptedProbe readiness{bench.clock, {Outcome::success}};
    bench.group->readiness(readiness, {});
    CHECK_FALSE(bench.group->ready());
    bench.clock.run_ready();
    CHECK(bench.take() == Lines{"unready at 0", "ready at 0"});
    CHECK_THROWS_AS(bench.group->liveness(readiness, {.period = 0s}), ConfigException);
    CHECK_FALSE(bench.group->snapshot(ProbeKind::liveness));
    CHECK_FALSE(bench.group->probe_now(ProbeKind::liveness));
    CHECK(bench.group->probe_now(ProbeKind::readiness));
}

TEST_CASE("a startup probe that is added while a target is ready takes that back until it passes") {
    Bench bench;
    bench.group->start();
    bench.clock.run_ready();
    static_cast<void>(bench.take());
    ScriptedProbe startup{bench.clock, {Outcome::failure, Outcome::success}};
    bench.group->startup(startup, {.period = 5s});
    CHECK_FALSE(bench.group->started());
    CHECK_FALSE(bench.group->ready());
    bench.clock.advance(5s);
    CHECK(bench.take() == Lines{"unready at 0", "started at 5", "ready at 5"});
}

TEST_CASE("a group says for which probe its target is to be killed") {
    Bench bench;
    ScriptedProbe liveness{bench.clock, {Outcome::failure}};
    bench.group->liveness(liveness, {.failure_threshold = 1});
    bench.group->start();
    CHECK_FALSE(bench.group->failed());
    bench.clock.run_ready();
    CHECK(bench.group->failed() == ProbeKind::liveness);
    SECTION("replaced") { bench.group->target_replaced(); }
    SECTION("terminating") { bench.group->target_terminating(); }
    CHECK_FALSE(bench.group->failed());
}

TEST_CASE("initial delays of a new target may count from an earlier moment") {
    Bench bench;
    ScriptedProbe liveness{bench.clock, {Outcome::success}};
    bench.group->liveness(liveness, {.initial_delay = 5s, .period = 5s});
    bench.group->start();
    bench.clock.advance(11s);
    CHECK(liveness.attempts() == 2); // at 5 s and at 10 s
    bench.group->target_gone();
    SECTION("now") {
        bench.group->target_replaced();
        bench.clock.advance(8s);
        CHECK(liveness.attempts() == 2);
    }
    SECTION("a second ago") {
        bench.group->target_replaced(bench.clock.now() - 1s);
        bench.clock.advance(8s);
        CHECK(liveness.attempts() == 3); // at 15 s
    }
}

TEST_CASE("what has started and is not ready is checked at once when asked, as at a pod's sync") {
    Bench bench;
    ScriptedProbe readiness{bench.clock, {Outcome::failure, Outcome::failure, Outcome::success}};
    CHECK_FALSE(bench.group->probe_unready());
    SECTION("on a grid") {
        bench.group->readiness(readiness, {.period = 60s});
        bench.group->start();
        bench.clock.advance(1s);
        CHECK(bench.group->probe_unready());
        bench.clock.run_ready();
        CHECK(readiness.attempts() == 2);
        CHECK(bench.group->probe_unready());
        bench.clock.run_ready();
        CHECK(bench.take() == Lines{"started at 0", "ready at 1"});
        CHECK_FALSE(bench.group->probe_unready());
    }
    SECTION("with container-scoped probes never") {
        bench.group->readiness(readiness,
                               {.period = 60s, .pacing = {.cadence = Cadence::target_start}});
        bench.group->start();
        bench.clock.advance(1s);
        CHECK_FALSE(bench.group->probe_unready());
    }
}

TEST_CASE(
    "a group keeps run() going until it is stopped, and stops when its attempts have cleaned up") {
    Bench bench;
    ScriptedProbe liveness{bench.clock, {Step::hang()}}, readiness{bench.clock, {Step::hang()}};
    bench.group->liveness(liveness, {.timeout = 100s});
    bench.group->readiness(readiness, {.timeout = 100s});
    bench.group->start();
    bench.clock.run_ready();
    CHECK_FALSE(bench.io.stopped());
    CHECK(liveness.in_flight() == 1);
    bool stopped = false;
    bench.group->async_stop([&](std::error_code error) {
        CHECK_FALSE(error);
        CHECK(liveness.in_flight() + readiness.in_flight() == 0);
        stopped = true;
    });
    bench.io.restart();
    bench.io.run();
    CHECK(stopped);
}

TEST_CASE("a group shares its observer with its workers") {
    asio::io_context io;
    ManualClock clock{io};
    Journal journal;
    ProbeGroup group{clock, io, std::ref(journal)};
    group.liveness(ScriptedProbe{clock, {Outcome::success}}, {});
    group.readiness(ScriptedProbe{clock, {Outcome::success}}, {});
    group.start();
    clock.run_ready();
    CHECK(std::count(journal.lines.begin(), journal.lines.end(), "begun 1.1") == 2);
}

TEST_CASE("a group may be destroyed or moved inside its own callback, and throw from it") {
    Bench bench;
    ScriptedProbe readiness{bench.clock, {Outcome::success, Outcome::failure}};
    bench.group->readiness(readiness, {.period = 1s, .failure_threshold = 1});
    bench.group->start();
    SECTION("destroyed") {
        int notified = 0;
        bench.group->on_change([&, kept = std::make_shared<int>(1)](const GroupChange& change) {
            bench.group.reset();
            notified += *kept;
            CHECK(change.event == GroupChange::Event::started); // still valid
        });
        bench.clock.advance(5s);
        CHECK(notified == 1);
    }
    SECTION("moved") {
        std::optional<Bench::Group> elsewhere;
        bench.group->on_change([&](const GroupChange&) {
            if (!elsewhere) elsewhere.emplace(std::move(*bench.group));
        });
        bench.clock.advance(5s);
        CHECK_FALSE(elsewhere->ready());
        CHECK(readiness.attempts() == 6);
    }
    SECTION("exceptions") {
        bench.group->on_change([&](const GroupChange& change) {
            bench.changes.push_back(std::string{to_string(change.event)});
            throw 1;
        });
        CHECK_THROWS_AS(bench.clock.run_ready(), int);
        CHECK_THROWS_AS(bench.clock.run_ready(), int);
        bench.clock.run_ready();
        CHECK(bench.take() == Lines{"started", "ready"});
    }
}
