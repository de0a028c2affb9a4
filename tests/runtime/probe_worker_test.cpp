// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/runtime/probe_worker.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/probes/any_probe.hpp>
#include <probekit/probes/function_probe.hpp>
#include <probekit/probes/tcp_probe.hpp>
#include <probekit/runtime/attempt_limit.hpp>
#include <probekit/runtime/startup_gate.hpp>
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

// A worker on a scripted probe, with a record of all notifications.
struct Bench {
    explicit Bench(std::initializer_list<Step> steps, ProbeSpec given = {})
        : probe(clock, steps), spec(given) {}

    // Made late, so that a test may change the spec first.
    auto& made() {
        if (!worker) {
            worker.emplace(clock, probe, spec, std::ref(journal));
            worker->on_verdict([this](const Verdict& verdict) {
                verdicts.push_back(std::string{to_string(verdict.health)} + " at " + at());
            });
        }
        return *worker;
    }
    [[nodiscard]] std::string at() const {
        return std::to_string(
            std::chrono::duration_cast<std::chrono::milliseconds>(clock.now() - begin).count());
    }

    using Worker =
        ProbeWorker<ScriptedProbe, KubeletPolicy, std::reference_wrapper<Journal>, ManualClock>;

    asio::io_context io;
    ManualClock clock{io};
    TimePoint begin = clock.now();
    ScriptedProbe probe;
    ProbeSpec spec;
    Journal journal;
    std::vector<std::string> verdicts;
    std::optional<Worker> worker;
};

constexpr ProbeSpec of(ProbeKind kind) { return {.kind = kind}; }

} // namespace

TEST_CASE("a worker makes a check at its start and at each period after it") {
    Bench bench{{Outcome::success}};
    bench.made().start();
    CHECK(bench.probe.attempts() == 0); // never from inside the call
    bench.clock.run_ready();
    CHECK(bench.probe.attempts() == 1);
    bench.clock.advance(10s - 1ns);
    CHECK(bench.probe.attempts() == 1);
    bench.clock.advance(1ns);
    CHECK(bench.probe.attempts() == 2);
    bench.clock.advance(100s);
    CHECK(bench.probe.attempts() == 12);
    CHECK(bench.made().snapshot().attempts == 12);
}

TEST_CASE("the initial delay moves the first check to a point of the grid") {
    Bench bench{{Outcome::success}, {.initial_delay = 12s, .period = 5s}};
    bench.made().start();
    bench.clock.advance(15s - 1ns);
    CHECK(bench.probe.attempts() == 0);
    bench.clock.advance(1ns);
    CHECK(bench.probe.attempts() == 1);
}

TEST_CASE("checks with slack share their moments, and their grids stay where they are") {
    struct Moments {
        std::vector<TimePoint> at = {};
        void attempt_begun(const AttemptBegun& begun) { at.push_back(begun.at); }
    };
    asio::io_context io;
    ManualClock clock{io};
    const ScriptedProbe probe{clock, {Outcome::success}};
    constexpr Duration grain{1 << 26}; // the power of two that 100 ms hold
    const ProbeSpec spec{.period = 1s, .pacing = {.slack = 100ms}};
    Moments first;
    Moments second;
    ProbeWorker one{clock, probe, spec, std::ref(first)};
    ProbeWorker other{clock, probe, spec, std::ref(second)};
    clock.advance(grain - clock.now().time_since_epoch() % grain + 1ms);
    const TimePoint begin = clock.now();
    one.start();
    clock.advance(20ms);
    other.start();
    clock.advance(100s);
    REQUIRE(first.at.size() >= 100);
    CHECK(first.at.front() == begin);
    REQUIRE(second.at.size() >= 100);
    int shared = 0;
    for (std::size_t n = 1; n < 100; ++n) {
        const Duration late = first.at[n] - begin - n * 1s;
        CHECK((late >= 0s && late < grain));
        CHECK(first.at[n].time_since_epoch() % grain == 0s);
        CHECK(second.at[n].time_since_epoch() % grain == 0s);
        CHECK((second.at[n] == first.at[n] || second.at[n] == first.at[n] + grain));
        if (second.at[n] == first.at[n]) ++shared;
    }
    CHECK(shared > 60); // all but those that a multiple lies between
}

TEST_CASE("verdicts: the first judgement, and then the changes") {
    Bench bench{{Outcome::failure, Outcome::success, Outcome::warning, Outcome::failure,
                 Outcome::failure, Outcome::failure, Outcome::success},
                {.period = 1s, .failure_threshold = 3}};
    CHECK(bench.made().health() == Health::failing); // readiness, before anything is known
    bench.made().start();
    bench.clock.advance(10s);
    CHECK(bench.verdicts == Lines{"passing at 1000", "failing at 5000", "passing at 6000"});
}

TEST_CASE("a first judgement that equals the initial health is notified as well") {
    Bench bench{{Outcome::success}, of(ProbeKind::liveness)};
    CHECK(bench.made().passing());
    CHECK_FALSE(bench.made().snapshot().judged);
    bench.made().start();
    bench.clock.advance(20s);
    CHECK(bench.verdicts == Lines{"passing at 0"});
    CHECK(bench.made().snapshot().judged);
}

TEST_CASE("hooks come in order: attempt, verdict, state, and then on_verdict") {
    Bench bench{{Outcome::failure}, {.kind = ProbeKind::liveness, .failure_threshold = 1}};
    Journal& journal = bench.journal;
    bench.made().on_verdict([&](const Verdict&) { journal.lines.push_back("on_verdict"); });
    bench.made().async_wait(Health::failing,
                            [&](std::error_code, Verdict) { journal.lines.push_back("wait"); });
    bench.made().start();
    CHECK(journal.lines.empty());
    bench.clock.run_ready();
    CHECK(journal.take() == Lines{"stopped->waiting", "begun 1.1", "waiting->probing",
                                  "ended 1.1 failure", "verdict failing", "probing->on_hold",
                                  "on_verdict", "wait"});
}

TEST_CASE("liveness holds once failed, startup once decided, until the target is replaced") {
    const auto [kind, outcome] =
        GENERATE(table<ProbeKind, Outcome>({{ProbeKind::liveness, Outcome::failure},
                                            {ProbeKind::startup, Outcome::failure},
                                            {ProbeKind::startup, Outcome::success}}));
    Bench bench{{outcome}, {.kind = kind, .period = 4s, .failure_threshold = 1}};
    bench.made().start();
    bench.clock.advance(30s);
    CHECK(bench.probe.attempts() == 1);
    CHECK(bench.made().snapshot().state == WorkerState::on_hold);
    CHECK_FALSE(bench.made().probe_now());
    bench.made().target_replaced();
    CHECK(bench.made().health() ==
          (kind == ProbeKind::liveness ? Health::passing : Health::unknown));
    CHECK(bench.made().snapshot().state == WorkerState::waiting);
    bench.clock.advance(2s); // the grid goes on: 32 s is a point of it
    CHECK(bench.probe.attempts() == 2);
}

TEST_CASE("an error counts for nothing, and is tried again at once, three times in all") {
    const std::error_code error = std::make_error_code(std::errc::too_many_files_open);
    Bench bench{{error, error, error, error, Outcome::failure},
                {.period = 10s, .failure_threshold = 1}};
    bench.made().start();
    bench.clock.run_ready();
    CHECK(bench.probe.attempts() == 3);
    CHECK(bench.verdicts.empty());
    CHECK(bench.made().snapshot().errors == 3);
    CHECK(bench.made().snapshot().last_error == error);
    CHECK(bench.journal.take() == Lines{"stopped->waiting", "begun 1.1", "waiting->probing",
                                        "ended 1.1 error retried", "begun 2.2",
                                        "ended 2.2 error retried", "begun 3.3",
                                        "ended 3.3 error not counted", "probing->waiting"});
    bench.clock.advance(10s);
    CHECK(bench.probe.attempts() == 5);
    CHECK(bench.verdicts == Lines{"failing at 10000"});
}

TEST_CASE("an error is not retried behind a closed gate, and the observer is notified so") {
    Bench bench{{Step{std::make_error_code(std::errc::too_many_files_open), 1s}}};
    StartupGate gate{bench.io};
    gate.open();
    bench.made().start(gate);
    bench.clock.run_ready();
    gate.close();
    bench.clock.advance(20s);
    CHECK(bench.probe.attempts() == 1);
    CHECK(bench.journal.take() == Lines{"stopped->waiting", "begun 1.1", "waiting->probing",
                                        "ended 1.1 error not counted", "probing->gated"});
}

TEST_CASE("the worker guards the timeout of a probe that does not") {
    Bench bench{{Step::hang(), {Outcome::success, 900ms}},
                {.period = 10s, .timeout = 2s, .failure_threshold = 1}};
    bench.made().start();
    bench.clock.advance(2s - 1ns);
    CHECK(bench.verdicts.empty());
    CHECK(bench.probe.in_flight() == 1);
    CHECK(bench.made().snapshot().state == WorkerState::probing);
    std::error_code cause;
    bench.made().on_verdict([&](const Verdict& verdict) { cause = verdict.result.cause; });
    bench.clock.advance(1ns);
    CHECK(cause == Errc::timed_out);
    CHECK(bench.probe.in_flight() == 0);
    CHECK(bench.made().snapshot().last_elapsed == 2s);
    bench.clock.advance(9s);
    CHECK(bench.made().passing());
    CHECK(bench.made().snapshot().last_elapsed == 900ms);
}

TEST_CASE("a timeout that a busy loop comes to late begins anew, once") {
    const ProbeSpec spec{.period = 60s, .timeout = 2s, .failure_threshold = 1};
    SECTION("a probe that hangs is found out all the same") {
        Bench bench{{Step::hang()}, spec};
        bench.made().start();
        bench.clock.advance(1s);
        bench.clock.stall(3s);
        CHECK(bench.verdicts.empty());
        bench.clock.advance(1s);
        CHECK(bench.probe.in_flight() == 1);
        bench.clock.stall(5s); // it is not set anew again
        CHECK(bench.verdicts == Lines{"failing at 10000"});
        CHECK(bench.probe.in_flight() == 0);
        CHECK(bench.made().snapshot().last_cause == Errc::timed_out);
    }
    SECTION("one that answers in the time it was left has passed") {
        Bench bench{{{Outcome::success, 5s}}, spec};
        bench.made().start();
        bench.clock.run_ready();
        bench.clock.stall(4s);
        bench.clock.advance(1s);
        CHECK(bench.verdicts == Lines{"passing at 5000"});
    }
    SECTION("each attempt anew") {
        Bench bench{{{Outcome::success, 5s}}, spec};
        bench.made().start();
        bench.clock.run_ready();
        for (int check = 1; check != 4; ++check) {
            bench.clock.stall(4s);
            bench.clock.advance(56s);
        }
        CHECK(bench.made().snapshot().run == 3);
        CHECK(bench.made().passing());
    }
    SECTION("an eighth of it is not late") {
        Bench bench{{Step::hang()}, spec};
        bench.made().start();
        bench.clock.run_ready();
        bench.clock.stall(2s + 250ms);
        CHECK(bench.verdicts == Lines{"failing at 2250"});
    }
}

TEST_CASE("a check that takes longer than the period is followed by one at once, the others are "
          "skipped") {
    Bench bench{{{Outcome::success, 3500ms}, Outcome::success}, {.period = 1s, .timeout = 10s}};
    bench.made().start();
    bench.clock.advance(3500ms);
    CHECK(bench.probe.attempts() == 2);
    CHECK(bench.made().snapshot().skipped == 2);
    bench.clock.advance(500ms); // back on the grid
    CHECK(bench.probe.attempts() == 3);
}

TEST_CASE("probe_now makes a check at once, and the grid begins anew") {
    Bench bench{{Outcome::success}, {.period = 10s}};
    CHECK_FALSE(bench.made().probe_now()); // not started
    bench.made().start();
    bench.clock.advance(4s);
    CHECK(bench.made().probe_now());
    CHECK(bench.probe.attempts() == 1);
    bench.clock.run_ready();
    CHECK(bench.probe.attempts() == 2);
    bench.clock.advance(10s - 1ns);
    CHECK(bench.probe.attempts() == 2);
    bench.clock.advance(1ns);
    CHECK(bench.probe.attempts() == 3);
}

TEST_CASE("probe_now during an attempt asks for one more right after it") {
    Bench bench{{{Outcome::success, 500ms}, Outcome::success}, {.period = 10s, .timeout = 5s}};
    bench.made().start();
    bench.clock.run_ready();
    CHECK(bench.made().probe_now());
    CHECK(bench.made().probe_now());
    bench.clock.advance(499ms);
    CHECK(bench.probe.attempts() == 1);
    bench.clock.advance(1ms);
    CHECK(bench.probe.attempts() == 2);
}

TEST_CASE("a pause cancels the attempt uncounted; resuming makes a check at once") {
    Bench bench{{Step::hang(), Outcome::success}, {.timeout = 100s}};
    bench.made().start();
    bench.clock.run_ready();
    bench.made().pause();
    CHECK(bench.made().snapshot().state == WorkerState::paused);
    CHECK_FALSE(bench.made().probe_now());
    bench.clock.advance(60s);
    CHECK(bench.probe.in_flight() == 0);
    CHECK(bench.probe.attempts() == 1);
    CHECK(bench.verdicts.empty());
    bench.made().resume();
    bench.clock.run_ready();
    CHECK(bench.probe.attempts() == 2);
    CHECK(bench.verdicts == Lines{"passing at 60000"});
}

TEST_CASE("a target that is gone fails, and is not checked until it is back") {
    Bench bench{{Outcome::success}, {.period = 10s}};
    bench.made().start();
    bench.clock.advance(1s);
    bench.made().target_gone();
    CHECK(bench.made().health() == Health::failing); // at once
    CHECK(bench.verdicts.size() == 1);               // notified by a post
    bench.clock.advance(30s);
    CHECK(bench.verdicts == Lines{"passing at 0", "failing at 1000"});
    CHECK(bench.probe.attempts() == 1);
    bench.made().target_back();
    bench.clock.advance(9s);
    CHECK(bench.probe.attempts() == 2);
    CHECK(bench.made().passing());
}

TEST_CASE("a terminating target passes and ends liveness and startup, readiness goes on") {
    const ProbeKind kind = GENERATE(ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness);
    Bench bench{{Outcome::failure}, of(kind)};
    bench.made().start();
    bench.clock.run_ready();
    bench.made().target_terminating();
    bench.clock.advance(50s);
    if (kind == ProbeKind::readiness) {
        CHECK(bench.probe.attempts() == 6);
        CHECK(bench.made().snapshot().state == WorkerState::waiting);
    } else {
        CHECK(bench.probe.attempts() == 1);
        CHECK(bench.made().passing());
        CHECK(bench.made().snapshot().state == WorkerState::ended);
    }
}

TEST_CASE(
    "stop: on_verdict is not called afterwards, the observer is notified of the attempt's end") {
    Bench bench{{Step::hang()}, {.timeout = 100s}};
    bench.made().start();
    bench.clock.run_ready();
    static_cast<void>(bench.journal.take());
    bench.made().target_gone(); // its verdict has been left to a post
    bool stopped = false;
    bench.made().async_stop([&](std::error_code error) {
        CHECK_FALSE(error);
        CHECK(bench.journal.lines.back() == "ended 1.1 error not counted");
        stopped = true;
    });
    CHECK_FALSE(stopped);
    bench.clock.run_ready();
    CHECK(stopped);
    CHECK(bench.verdicts.empty());
    CHECK(bench.probe.in_flight() == 0);
    CHECK(bench.made().health() == Health::failing);
    bench.made().start(); // anew
    bench.clock.run_ready();
    CHECK(bench.probe.attempts() == 2);
}

TEST_CASE("a started worker keeps run() going in every state, a stopped one does not") {
    Bench bench{{Outcome::failure}, {.kind = ProbeKind::liveness, .failure_threshold = 1}};
    bench.made().start();
    bench.clock.run_ready();
    CHECK(bench.made().snapshot().state == WorkerState::on_hold);
    CHECK_FALSE(bench.io.stopped());
    SECTION("stopped") { bench.made().stop(); }
    SECTION("destroyed") { bench.worker.reset(); }
    bench.io.restart();
    bench.io.run();
    CHECK(bench.io.stopped());
}

TEST_CASE("waiting for a verdict") {
    Bench bench{
        {Outcome::success, Outcome::failure, Outcome::failure, Outcome::failure, Outcome::success},
        {.kind = ProbeKind::readiness, .period = 1s}};
    std::vector<std::string> notified;
    const auto record = [&](std::string name) {
        return [&notified, name](std::error_code error, const Verdict& verdict) {
            notified.push_back(name +
                               (error ? " aborted" : " " + std::string{to_string(verdict.health)}));
        };
    };
    SECTION("the initial health does not count") {
        bench.made().async_wait(Health::failing, record("wait"));
        bench.made().start();
        bench.clock.advance(2s);
        CHECK(notified.empty());
        bench.clock.advance(1s);
        CHECK(notified == Lines{"wait failing"});
    }
    SECTION("what stands already completes the wait soon") {
        bench.made().start();
        bench.clock.run_ready();
        bench.made().async_wait(Health::passing, record("wait"));
        CHECK(notified.empty());
        bench.clock.run_ready();
        CHECK(notified == Lines{"wait passing"});
    }
    SECTION("stop, destruction and cancellation") {
        asio::cancellation_signal signal;
        bench.made().start();
        bench.made().async_wait(Health::failing,
                                asio::bind_cancellation_slot(signal.slot(), record("cancelled")));
        bench.made().async_wait(Health::failing, record("stopped"));
        signal.emit(asio::cancellation_type::total);
        bench.clock.run_ready();
        CHECK(notified == Lines{"cancelled aborted"});
        bench.made().stop();
        bench.clock.run_ready();
        CHECK(notified.back() == "stopped aborted");
        bench.made().async_wait(Health::failing, record("destroyed"));
        bench.worker.reset();
        bench.clock.run_ready();
        CHECK(notified.back() == "destroyed aborted");
    }
    SECTION("the callback that stops the worker comes too late for those whose verdict it is") {
        bench.made().on_verdict([&](const Verdict& verdict) {
            if (verdict.failed()) bench.made().stop();
        });
        bench.made().async_wait(Health::failing, record("wait"));
        bench.made().start();
        bench.clock.advance(10s);
        CHECK(notified == Lines{"wait failing"});
    }
}

TEST_CASE(
    "no check while the gate is closed; readiness is checked when it opens, the others at the next "
    "point of the grid") {
    const ProbeKind kind = GENERATE(ProbeKind::liveness, ProbeKind::readiness);
    Bench bench{{Outcome::success}, {.kind = kind, .period = 10s}};
    StartupGate gate{bench.io};
    bench.made().start(gate);
    bench.clock.advance(23s);
    CHECK(bench.probe.attempts() == 0);
    CHECK(bench.made().snapshot().state == WorkerState::gated);
    gate.open();
    bench.clock.run_ready();
    CHECK(bench.probe.attempts() == (kind == ProbeKind::readiness ? 1 : 0));
    bench.clock.advance(7s);
    CHECK(bench.probe.attempts() == 1);
    gate.close();
    bench.clock.advance(60s);
    CHECK(bench.probe.attempts() == (kind == ProbeKind::readiness ? 1 : 1));
}

TEST_CASE("a startup worker opens a gate, and a new target closes it") {
    Bench bench{{Outcome::failure, Outcome::success}, {.kind = ProbeKind::startup, .period = 1s}};
    StartupGate gate{bench.io};
    bench.made().opens(gate);
    bench.made().start();
    bench.clock.run_ready();
    CHECK_FALSE(gate.is_open());
    bench.clock.advance(1s);
    CHECK(gate.is_open());
    bench.made().target_replaced();
    CHECK_FALSE(gate.is_open()); // at once
    bench.clock.advance(1s);
    CHECK(gate.is_open());
    bench.made().stop();
    bench.worker.reset();
    CHECK(gate.is_open()); // left as it is
}

TEST_CASE(
    "a limit lets so many attempts in, first due first served, and the wait shows as lateness") {
    asio::io_context io;
    ManualClock clock{io};
    AttemptLimit limit{1};
    struct Lateness {
        std::vector<Duration>* late;
        void attempt_begun(const AttemptBegun& begun) { late->push_back(begun.late); }
    };
    std::vector<Duration> late;
    ScriptedProbe slow{clock, {{Outcome::success, 300ms}}};
    using Worker = ProbeWorker<ScriptedProbe, KubeletPolicy, Lateness, ManualClock>;
    std::vector<Worker> workers;
    for (int i = 0; i != 3; ++i) {
        workers.emplace_back(clock, slow, ProbeSpec{}, Lateness{&late});
        workers.back().limit(limit);
        workers.back().start();
    }
    clock.run_ready();
    CHECK(slow.in_flight() == 1);
    CHECK(limit.in_flight() == 1);
    CHECK(limit.waiting() == 2);
    clock.advance(600ms);
    CHECK(late == std::vector<Duration>{0ms, 300ms, 600ms});
    SECTION("a worker that is destroyed releases its permit") {
        workers.clear();
        clock.advance(1s);
        CHECK(limit.in_flight() == 0);
    }
    SECTION("a worker that stops while it waits leaves the queue") {
        clock.advance(9400ms); // all due again
        workers[1].stop();
        clock.advance(300ms);
        CHECK(limit.waiting() == 0);
        CHECK(slow.in_flight() == 1);
    }
}

TEST_CASE("another spec: all of it or nothing") {
    Bench bench{{Outcome::success}, {.period = 10s}};
    bench.made().start();
    bench.clock.run_ready();
    const ConfigErrors wrong = bench.made().update({.kind = ProbeKind::liveness, .period = 0s});
    CHECK(wrong ==
          ConfigErrors{{"kind", "cannot change"}, {"period", "must be greater than zero"}});
    CHECK(bench.made().spec().period == 10s);
    CHECK(bench.made().update({.period = 3s}).empty());
    bench.clock.advance(3s);
    CHECK(bench.probe.attempts() == 2);
    CHECK_THROWS_AS((ProbeWorker{bench.clock, bench.probe, ProbeSpec{.period = 0s}}),
                    ConfigException);
}

TEST_CASE("workers of one context share equal specs, and another spec is another's no more") {
    asio::io_context io;
    ManualClock clock{io};
    auto& specs = detail::ContextState::of(io.get_executor())->local<detail::SpecCache>();
    ScriptedProbe probe{clock, {Outcome::success}};
    std::optional<ProbeWorker<ScriptedProbe, KubeletPolicy, NoObserver, ManualClock>> workers[3];
    for (auto& worker : workers) worker.emplace(clock, probe, ProbeSpec{.period = 10s}).start();
    CHECK(specs.size() == 1);
    CHECK(workers[0]->update({.period = 2s}).empty());
    CHECK(specs.size() == 2);
    CHECK(workers[0]->spec().period == 2s);
    CHECK(workers[1]->spec().period == 10s);
    workers[1].reset();
    CHECK(workers[2]->spec().period == 10s);
    clock.advance(9s);
    CHECK(workers[0]->snapshot().attempts == 5);
    CHECK(workers[2]->snapshot().attempts == 1);
    for (auto& worker : workers) worker.reset();
    CHECK(specs.size() == 0);
}

TEST_CASE("a worker stays on its executor when another probe comes") {
    asio::io_context io;
    asio::io_context other;
    int calls = 0;
    const auto count = [&calls] { return ++calls != 0; };
    ProbeWorker worker{FunctionProbe{io, count}, ProbeSpec{}};
    worker.target_replaced(FunctionProbe{other, count});
    CHECK(worker.get_executor() == asio::any_io_executor{io.get_executor()});
    worker.start();
    while (calls == 0) io.run_one_for(20s);
    CHECK(other.poll() == 0);

    ProbeWorker any{AnyProbe{TcpProbe{io, {.port = 1}}}, ProbeSpec{}};
    any.target_replaced(AnyProbe{TcpProbe{other, {.port = 1}}});
    CHECK(any.get_executor() == asio::any_io_executor{io.get_executor()});
}

TEST_CASE("a callback may replace itself, stop, move or destroy the worker") {
    Bench bench{{Outcome::success, Outcome::failure, Outcome::success},
                {.period = 1s, .failure_threshold = 1}};
    bench.made().start();
    SECTION("replace itself") {
        int first = 0, second = 0;
        bench.made().on_verdict([&, big = std::string(100, 'x')](const Verdict&) {
            ++first;
            bench.made().on_verdict([&](const Verdict&) { ++second; });
            CHECK(big.size() == 100); // still there
        });
        bench.clock.advance(2s);
        CHECK(first == 1);
        CHECK(second == 2);
    }
    SECTION("take itself away") {
        int notified = 0;
        bench.made().on_verdict([&](const Verdict&) {
            ++notified;
            bench.made().on_verdict(nullptr);
        });
        bench.clock.advance(5s);
        CHECK(notified == 1);
    }
    SECTION("destroy the worker") {
        int notified = 0;
        bench.made().on_verdict([&, kept = std::make_shared<int>(5)](const Verdict&) {
            bench.worker.reset();
            notified += *kept;
        });
        bench.clock.advance(5s);
        CHECK(notified == 5);
        CHECK(bench.probe.attempts() == 1);
    }
    SECTION("move the worker") {
        std::optional<Bench::Worker> elsewhere;
        bench.made().on_verdict([&](const Verdict&) {
            if (!elsewhere) elsewhere.emplace(std::move(*bench.worker));
        });
        bench.clock.advance(5s);
        CHECK(bench.probe.attempts() == 6);
        CHECK(elsewhere->snapshot().attempts == 6);
    }
    SECTION("change the target: notified later, in order") {
        bench.made().on_verdict([&](const Verdict& verdict) {
            bench.verdicts.push_back(std::string{to_string(verdict.origin)});
            if (bench.verdicts.size() == 1) {
                bench.made().target_gone();
                bench.made().target_replaced();
                CHECK(bench.verdicts.size() == 1);
            }
        });
        bench.clock.run_ready();
        CHECK(bench.verdicts ==
              Lines{"result", "target_gone"}); // failing already: target_replaced changes nothing
    }
}

TEST_CASE("what listeners throw goes to the caller of run(), and the worker goes on") {
    Bench bench{{Outcome::success, Outcome::failure, Outcome::success},
                {.period = 1s, .failure_threshold = 1}};
    bench.made().start();
    SECTION("from on_verdict") {
        bench.made().on_verdict([&](const Verdict&) { throw std::runtime_error{"mine"}; });
        CHECK_THROWS_AS(bench.clock.run_ready(), std::runtime_error);
        CHECK(bench.made().passing());
        CHECK_THROWS_AS(bench.clock.advance(1s), std::runtime_error);
        CHECK(bench.probe.attempts() == 2);
        CHECK(bench.made().snapshot().state == WorkerState::waiting);
    }
    SECTION("from an observer: the others are notified in the next turn, and in order") {
        const std::string hook = GENERATE("attempt", "verdict", "state");
        CAPTURE(hook);
        struct Thrower {
            Lines* lines;
            std::string hook;
            bool* armed;
            void note(const char* which) {
                if (which != hook || !std::exchange(*armed, false)) return;
                throw std::runtime_error{"mine"};
            }
            void attempt_ended(const AttemptEnded&) { note("attempt"); }
            void verdict_changed(const Verdict& verdict) {
                lines->push_back("observed " + std::string{to_string(verdict.health)});
                note("verdict");
            }
            void state_changed(const StateChanged& state) {
                if (state.to == WorkerState::on_hold) note("state");
            }
        };
        Lines lines;
        bool armed = true;
        ScriptedProbe probe{bench.clock, {Outcome::failure}};
        ProbeWorker worker{bench.clock, probe,
                           ProbeSpec{.kind = ProbeKind::liveness, .failure_threshold = 1},
                           Thrower{&lines, hook, &armed}};
        worker.on_verdict([&](const Verdict& verdict) {
            lines.push_back(std::string{to_string(verdict.health)});
        });
        worker.async_wait(Health::failing,
                          [&](std::error_code, Verdict) { lines.push_back("wait"); });
        worker.start();
        CHECK_THROWS_AS(bench.clock.run_ready(), std::runtime_error);
        worker.target_replaced(); // comes after what is left
        bench.clock.run_ready();
        CHECK(lines == Lines{"observed failing", "failing", "observed passing", "passing", "wait"});
    }
    SECTION("from an observer, before the probe is started") {
        struct Thrower {
            int* left;
            void attempt_begun(const AttemptBegun&) {
                if ((*left)-- > 0) throw std::runtime_error{"mine"};
            }
        };
        int left = 1;
        ScriptedProbe probe{bench.clock, {Outcome::success}};
        ProbeWorker worker{bench.clock, probe, ProbeSpec{}, Thrower{&left}};
        worker.start();
        CHECK_THROWS_AS(bench.clock.run_ready(), std::runtime_error);
        CHECK(probe.attempts() == 0);
        bench.clock.run_ready();
        CHECK(probe.attempts() == 1); // the attempt that was announced is made
        CHECK(worker.passing());
    }
}

TEST_CASE("an exception of the probe's initiation is an error of the attempt") {
    asio::io_context io;
    ManualClock clock{io};
    const Broken broken{io.get_executor(), std::make_error_code(std::errc::too_many_files_open)};
    ProbeWorker worker{clock, broken, ProbeSpec{}};
    worker.start();
    clock.run_ready();
    CHECK(worker.snapshot().errors == 3);
    CHECK(worker.snapshot().last_error == std::errc::too_many_files_open);
}

TEST_CASE("everything may be destroyed in any order, at any moment") {
    const bool hanging = GENERATE(true, false);
    const auto step = hanging ? Step::hang() : Step{Outcome::success};
    SECTION("the worker, with an attempt in flight") {
        Bench bench{{step}, {.timeout = 100s}};
        bench.made().start();
        bench.clock.run_ready();
        bench.worker.reset();
        static_cast<void>(bench.journal.take());
        bench.clock.advance(200s);
        CHECK(bench.journal.lines.empty()); // silent
        CHECK(bench.probe.in_flight() == 0);
    }
    SECTION("the context first") {
        std::optional<ProbeWorker<testing::ScriptedProbe, KubeletPolicy, NoObserver, ManualClock>>
            worker;
        {
            auto io = std::make_unique<asio::io_context>();
            auto clock = std::make_unique<ManualClock>(*io);
            worker.emplace(*clock, ScriptedProbe{*clock, {step}}, ProbeSpec{});
            worker->start();
            clock->run_ready();
            clock.reset();
            io.reset();
        }
        worker.reset();
    }
    SECTION("the gate, while workers wait for it") {
        Bench bench{{step}};
        {
            StartupGate gate{bench.io};
            bench.made().start(gate);
        }
        bench.clock.advance(20s);
        CHECK(bench.probe.attempts() == 0); // it stays as it was for them
    }
}
