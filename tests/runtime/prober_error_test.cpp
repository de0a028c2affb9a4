// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
//
// A probe that cannot ask is heard of: in a worker, a gate, a group and a supervised process.
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/core/kubelet_text.hpp>
#include <probekit/probes/exec_probe.hpp>
#include <probekit/runtime/probe_group.hpp>
#include <probekit/runtime/probe_worker.hpp>
#include <probekit/runtime/startup_gate.hpp>
#include <probekit/runtime/supervised_process.hpp>
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

const std::error_code not_found = std::make_error_code(std::errc::no_such_file_or_directory);
const std::error_code no_descriptor = std::make_error_code(std::errc::too_many_files_open);

struct Bench {
    asio::io_context io;
    ManualClock clock{io};
    TimePoint begin = clock.now();
    Lines lines = {};

    [[nodiscard]] std::string at() const {
        return " at " + std::to_string((clock.now() - begin) / 1s);
    }
    [[nodiscard]] Lines take() { return std::exchange(lines, {}); }

    auto worker(ScriptedProbe& probe, const ProbeSpec& spec) {
        ProbeWorker made{clock, probe, spec};
        made.on_verdict([this](const Verdict& verdict) {
            lines.push_back(std::string{to_string(verdict.health)} + at() + ": " +
                            verdict.reason());
        });
        return made;
    }
    template <class Worker>
    void wait(Worker& worker, Health wanted) {
        worker.async_wait(wanted, [this, wanted](std::error_code error, const Verdict& verdict) {
            lines.push_back("wait for " + std::string{to_string(wanted)} +
                            (error ? ": stopped" : ": " + verdict.reason()));
        });
    }
};

std::string errored(const std::string& kind, std::error_code error) {
    return kind + " probe errored and resulted in unknown state: " + error.message();
}

} // namespace

TEST_CASE("a probe that can never ask is told, once, and the worker passes no more") {
    const ProbeKind kind = GENERATE(ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness);
    Bench bench;
    ScriptedProbe probe{bench.clock, {not_found}};
    auto worker = bench.worker(probe, {.kind = kind, .period = 10s});
    worker.start();
    bench.clock.advance(19s);
    CHECK(bench.lines.empty());
    CHECK(worker.passing() == (kind == ProbeKind::liveness));
    bench.clock.advance(60s);
    CHECK(bench.take() ==
          Lines{"unknown at 20: " + errored(std::string{to_string(kind)}, not_found)});
    CHECK_FALSE(worker.passing());
    const WorkerSnapshot now = worker.snapshot();
    CHECK(now.health == Health::unknown);
    CHECK(now.judged);
    CHECK(now.state == WorkerState::waiting); // it goes on
    CHECK(now.last_cause == not_found);
}

TEST_CASE("an error threshold of 0 tells nothing, as in the kubelet") {
    Bench bench;
    ScriptedProbe probe{bench.clock, {not_found}};
    auto worker = bench.worker(probe, {.kind = ProbeKind::liveness, .error_threshold = 0});
    worker.start();
    bench.clock.advance(600s);
    CHECK(bench.lines.empty());
    CHECK(worker.passing());
    CHECK(worker.snapshot().errors == 183);
}

TEST_CASE("a starved prober tells nothing, unless it is asked to") {
    const bool local = GENERATE(false, true);
    Bench bench;
    ScriptedProbe probe{bench.clock, {no_descriptor}};
    auto worker =
        bench.worker(probe, {.kind = ProbeKind::liveness, .error_threshold_local = local});
    worker.start();
    bench.clock.advance(600s);
    CHECK(worker.passing() == !local);
    CHECK(bench.take() ==
          (local ? Lines{"unknown at 20: " + errored("Liveness", no_descriptor)} : Lines{}));
}

TEST_CASE("waits for unknown complete, and those for passing go on until it passes again") {
    Bench bench;
    // Each error comes thrice in a check.
    ScriptedProbe probe{bench.clock,
                        {Outcome::success, not_found, not_found, not_found, Outcome::failure,
                         not_found, not_found, not_found}};
    auto worker =
        bench.worker(probe, {.kind = ProbeKind::liveness, .period = 10s, .error_threshold = 1});
    bench.wait(worker, Health::unknown);
    worker.start();
    bench.clock.advance(5s);
    CHECK(bench.take() == Lines{"passing at 0: Liveness probe succeeded"});
    bench.clock.advance(10s);
    const std::string why = errored("Liveness", not_found);
    CHECK(bench.take() == Lines{"unknown at 10: " + why, "wait for unknown: " + why});
    bench.wait(worker, Health::unknown); // stands
    bench.wait(worker, Health::passing);
    bench.clock.run_ready();
    CHECK(bench.take() == Lines{"wait for unknown: " + why});
    bench.clock.advance(10s);
    const std::string restored = "Liveness probe can ask again: passing as before";
    CHECK(bench.take() == Lines{"passing at 20: " + restored, "wait for passing: " + restored});
    bench.wait(worker, Health::passing);
    bench.clock.run_ready();
    CHECK(bench.take() == Lines{"wait for passing: " + restored});
}

TEST_CASE("a health that was never judged is restored as that: no wait completes, no gate opens") {
    Bench bench;
    ScriptedProbe probe{bench.clock,
                        {not_found, not_found, not_found, Outcome::failure, Outcome::success}};
    auto worker =
        bench.worker(probe, {.kind = ProbeKind::liveness, .period = 10s, .error_threshold = 1});
    StartupGate gate{bench.io};
    worker.opens(gate);
    bench.wait(worker, Health::passing);
    worker.start();
    bench.clock.advance(15s);
    CHECK(bench.take() == Lines{"unknown at 0: " + errored("Liveness", not_found),
                                "passing at 10: Liveness probe can ask again: passing as before"});
    CHECK_FALSE(worker.snapshot().judged);
    CHECK_FALSE(gate.is_open());
    bench.clock.advance(10s);
    CHECK(bench.take() == Lines{"passing at 20: Liveness probe succeeded",
                                "wait for passing: Liveness probe succeeded"});
    CHECK(gate.is_open());
}

TEST_CASE("a gate is closed while nothing is known, and open again when it is") {
    Bench bench;
    ScriptedProbe probe{bench.clock,
                        {Outcome::success, not_found, not_found, not_found, Outcome::failure,
                         not_found, not_found, not_found}};
    auto worker = bench.worker(probe, {.period = 10s, .error_threshold = 1});
    StartupGate gate{bench.io};
    worker.opens(gate);
    worker.start();
    bench.clock.run_ready();
    CHECK(gate.is_open());
    bench.clock.advance(10s);
    CHECK_FALSE(gate.is_open());
    bench.clock.advance(10s);
    CHECK(gate.is_open()); // a failure of three: it passes as before
    StartupGate late{bench.io};
    worker.opens(late);
    CHECK(late.is_open());
    bench.clock.advance(10s);
    CHECK_FALSE(gate.is_open());
    CHECK_FALSE(late.is_open());
    worker.target_replaced();
    CHECK_FALSE(gate.is_open());
}

TEST_CASE("the latest result says why it is failing now") {
    Bench bench;
    ScriptedProbe probe{bench.clock,
                        {Step{Outcome::success, 3ms}, ProbeResult::failure("disk is full"),
                         ProbeResult::failure("disk is slow"), ProbeResult::warning("warm"),
                         not_found}};
    ProbeWorker worker{bench.clock, probe, ProbeSpec{.period = 10s, .failure_threshold = 1}};
    CHECK(worker.last_result().outcome == Outcome::unknown);
    CHECK(worker.last_result().message().empty());
    worker.start();
    bench.clock.advance(5s);
    CHECK(worker.last_result().passed());
    CHECK(worker.last_result().phase == Phase::finish);
    CHECK(worker.last_result().elapsed() == 3ms);
    bench.clock.advance(10s); // decides
    CHECK(worker.last_result().message() == "disk is full");
    bench.clock.advance(10s); // does not
    CHECK(worker.last_result().message() == "disk is slow");
    std::string waited;
    worker.async_wait(Health::failing, [&](std::error_code, const Verdict& verdict) {
        waited = verdict.result.message();
    });
    bench.clock.run_ready();
    CHECK(waited == "disk is full"); // what it was judged by
    bench.clock.advance(10s);
    CHECK(worker.last_result().outcome == Outcome::warning);
    CHECK(worker.last_result().message() == "warm");
    bench.clock.advance(10s);
    CHECK(worker.last_result().outcome == Outcome::unknown);
    CHECK(worker.last_result().message() == not_found.message());
    worker.stop();
    CHECK(worker.last_result().message() == not_found.message());
}

TEST_CASE("an observer finds the latest result where the snapshot is of it, and may read both") {
    struct Reader {
        std::vector<std::string>* lines;
        std::function<std::string()> last;
        void attempt_ended(const AttemptEnded& ended) {
            lines->push_back(ended.result.message() + "|" + last());
        }
    };
    Bench bench;
    ScriptedProbe probe{bench.clock,
                        {ProbeResult::failure("a"), ProbeResult::failure("b"), not_found}};
    using Worker = ProbeWorker<ScriptedProbe, KubeletPolicy, Reader, ManualClock>;
    std::optional<Worker> worker;
    worker.emplace(bench.clock, probe, ProbeSpec{.period = 10s, .failure_threshold = 2},
                   Reader{&bench.lines, [&] { return worker->last_result().message(); }});
    worker->start();
    bench.clock.advance(20s);
    const std::string error = not_found.message();
    CHECK(bench.lines ==
          Lines{"a|a", "b|b", error + "|" + error, error + "|" + error, error + "|" + error});
}

TEST_CASE("a probe that gives no more than an error code is explained by that code") {
    struct Events {
        std::vector<std::string>* lines;
        void attempt_ended(const AttemptEnded& ended) {
            if (const auto event = kubelet::probe_event(ended)) lines->push_back(event->message);
        }
    };
    Bench bench;
    ProbeWorker worker{bench.clock, Broken{bench.io.get_executor(), not_found},
                       ProbeSpec{.kind = ProbeKind::liveness, .error_threshold = 1},
                       Events{&bench.lines}};
    std::string reason;
    worker.on_verdict([&](const Verdict& verdict) { reason = verdict.reason(); });
    worker.start();
    bench.clock.run_ready();
    CHECK(bench.lines == Lines{"Liveness probe errored and resulted in unknown state: "
                               "no such file or directory"}); // in Go's words
    CHECK(reason == errored("Liveness", not_found));
    CHECK(worker.last_result().cause == not_found);
}

TEST_CASE("in a group readiness that cannot ask is not ready, and the others are told") {
    Bench bench;
    ProbeGroup group{bench.clock, bench.io};
    group.on_change([&](const GroupChange& change) {
        bench.lines.push_back(std::string{to_string(change.event)} + bench.at() + ": " +
                              change.reason());
    });
    ScriptedProbe probe{bench.clock,
                        {Outcome::success, not_found, not_found, not_found, not_found, not_found,
                         not_found, Outcome::success}};
    const ProbeSpec spec{.period = 10s, .failure_threshold = 1, .error_threshold = 2};
    SECTION("readiness") {
        group.readiness(probe, spec);
        group.start();
        bench.clock.advance(100s);
        CHECK(bench.take() == Lines{"started at 0: target has started",
                                    "ready at 0: Readiness probe succeeded",
                                    "unready at 20: " + errored("Readiness", not_found),
                                    "ready at 30: Readiness probe succeeded"});
    }
    SECTION("liveness") {
        group.liveness(probe, spec);
        group.start();
        bench.clock.advance(25s);
        CHECK(bench.take() == Lines{"started at 0: target has started",
                                    "ready at 0: target is ready",
                                    "prober_error at 20: " + errored("Liveness", not_found)});
        CHECK_FALSE(group.failed());
        CHECK(group.ready());
        CHECK(group.snapshot(ProbeKind::liveness)->health == Health::unknown);
        CHECK(group.last_result(ProbeKind::liveness)->message() == not_found.message());
        CHECK_FALSE(group.last_result(ProbeKind::startup));
        bench.clock.advance(600s);
        CHECK(bench.take().empty());
        CHECK(group.snapshot(ProbeKind::liveness)->health == Health::passing);
    }
    SECTION("startup: never a hold, so it starts when it can ask") {
        ScriptedProbe late{
            bench.clock,
            {not_found, not_found, not_found, not_found, not_found, not_found, Outcome::success}};
        group.startup(late, spec);
        group.start();
        bench.clock.advance(60s);
        CHECK(bench.take() == Lines{"prober_error at 10: " + errored("Startup", not_found),
                                    "started at 20: Startup probe succeeded",
                                    "ready at 20: Startup probe succeeded"});
    }
    SECTION("another target: everything anew") {
        group.liveness(probe, spec);
        group.start();
        bench.clock.advance(25s);
        group.target_replaced();
        CHECK(group.snapshot(ProbeKind::liveness)->health == Health::passing);
        CHECK_FALSE(group.snapshot(ProbeKind::liveness)->judged);
    }
}

TEST_CASE("a supervised process with a misspelt liveness command is told of it and goes on") {
    Bench bench;
    BasicSupervisedProcess process{bench.clock, bench.io, ProcessSpec{.command = {"sleep", "600"}}};
    std::vector<std::string> changes;
    process.on_change([&](const SupervisionChange& change) {
        changes.push_back(std::string{to_string(change.event)} + ": " + change.reason());
    });
    process.probe(ProbeKind::liveness, ExecProbe{bench.io, {.command = {"/no/such/helthcheck"}}},
                  {.period = 10s, .failure_threshold = 1});
    process.start();
    bench.clock.advance(100s);
    REQUIRE(changes.size() == 3);
    CHECK(changes[2].starts_with("prober_error: Liveness probe errored and resulted in unknown "
                                 "state: "));
    CHECK(changes[2].find("/no/such/helthcheck") != std::string::npos);
    CHECK(process.snapshot().state == ContainerState::running);
    CHECK(process.last_result(ProbeKind::liveness)->cause == std::errc::no_such_file_or_directory);
}
