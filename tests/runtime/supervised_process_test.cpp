// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/runtime/supervised_process.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/core/error.hpp>
#include <probekit/probes/function_probe.hpp>
#include <probekit/testing/manual_clock.hpp>
#include <probekit/testing/scripted_probe.hpp>

#include "../process/process_tools.hpp"
#include "worker_tools.hpp"

using namespace probekit;
using namespace std::chrono_literals;
using probekit::testing::ManualClock;
using probekit::testing::ScriptedProbe;
using probekit::testing::Step;

namespace {

using Event = SupervisionChange::Event;
using Supervised = BasicSupervisedProcess<NoObserver, ManualClock>;

const std::vector<std::string> runs_on = {"sleep", "600"};

/// Supervises on a clock moved by hand, and writes down all changes. The process is real.
struct Bench {
    asio::io_context io;
    ManualClock clock{io};
    TimePoint begin = clock.now();
    Lines lines = {};
    int ends = 0;

    Supervised supervise(std::vector<std::string> command, SupervisionOptions options = {}) {
        Supervised made{clock, io, ProcessSpec{.command = std::move(command)}, options};
        listen(made);
        return made;
    }
    void listen(Supervised& process) {
        process.on_change([this](const SupervisionChange& change) { note(change); });
    }
    void note(const SupervisionChange& change) {
        std::string line{to_string(change.event)};
        if (change.event == Event::exited || change.event == Event::killed)
            line += ": " + change.reason();
        if (change.event == Event::restarting) {
            const auto in = std::chrono::floor<std::chrono::seconds>(change.at - begin);
            line += " at " + std::to_string(in.count());
        }
        if (change.event == Event::exited) ++ends;
        lines.push_back(std::move(line));
    }

    /// Time stands still until so many runs have ended, which the process decides.
    void until_ended(int count) {
        clock.run_ready();
        io.restart();
        while (ends < count && io.run_one_for(60s) != 0) {}
        REQUIRE(ends == count);
        clock.run_ready();
    }
    /// Stops and runs until that is over.
    ExitStatus stop(Supervised& process) {
        std::optional<ExitStatus> status;
        process.async_stop([&](std::error_code error, ExitStatus last) {
            CHECK_FALSE(error);
            status = last;
        });
        clock.run_ready();
        io.restart();
        while (!status && io.run_one_for(60s) != 0) {}
        REQUIRE(status);
        return *status;
    }
    [[nodiscard]] Lines take() { return std::exchange(lines, {}); }
};

ProbeSpec every(Duration period, int failures = 1) {
    return {.period = period, .failure_threshold = failures};
}

} // namespace

TEST_CASE("a process without probes is started and ready at once, and ends when it is stopped") {
    Bench bench;
    Supervised process = bench.supervise(runs_on);
    CHECK(process.snapshot().state == ContainerState::idle);
    process.start();
    CHECK(bench.lines.empty()); // never inside the call
    CHECK(process.snapshot().pid > 0);
    bench.clock.run_ready();
    CHECK(bench.take() == Lines{"started", "ready"});
    CHECK(process.started());
    CHECK(process.ready());

    CHECK(bench.stop(process) == ExitStatus{.signal = SIGTERM});
    CHECK(bench.take() == Lines{"exited: killed by signal 15", "unready", "over"});
    CHECK(process.snapshot().state == ContainerState::over);
    CHECK(process.snapshot().pid == -1);
    CHECK(process.snapshot().last_exit == ExitStatus{.signal = SIGTERM});
    CHECK(bench.io.poll() == 0); // nothing keeps the loop
}

TEST_CASE("a process that ends is restarted at once, and then after 10, 20 and 40 s") {
    Bench bench;
    Supervised process = bench.supervise({"sh", "-c", "exit 3"});
    process.start();
    bench.until_ended(2);
    CHECK(process.snapshot().state == ContainerState::waiting);
    CHECK(process.snapshot().back_off == 10s);
    CHECK(process.snapshot().next_start == bench.begin + 10s);
    bench.clock.advance(10s - 1ns);
    CHECK(process.snapshot().starts == 2);
    bench.clock.advance(1ns);
    CHECK(process.snapshot().starts == 3);
    bench.until_ended(3);
    bench.clock.advance(20s);
    bench.until_ended(4);
    Lines restarts;
    for (const std::string& line : bench.take())
        if (line.starts_with("restarting")) restarts.push_back(line);
    CHECK(restarts ==
          Lines{"restarting at 0", "restarting at 10", "restarting at 30", "restarting at 70"});
    CHECK(bench.stop(process) == ExitStatus{.code = 3});
    CHECK(bench.take() == Lines{"over"});
}

TEST_CASE("the restart policy decides by the exit status") {
    struct Row {
        RestartPolicy policy;
        const char* script;
        bool restarts;
    };
    const auto row = GENERATE(Row{RestartPolicy::on_failure, "exit 0", false},
                              Row{RestartPolicy::on_failure, "exit 1", true},
                              Row{RestartPolicy::on_failure, "kill -9 $$", true},
                              Row{RestartPolicy::always, "exit 0", true},
                              Row{RestartPolicy::never, "exit 1", false});
    Bench bench;
    Supervised process = bench.supervise({"sh", "-c", row.script}, {.restart_policy = row.policy});
    process.start();
    bench.until_ended(row.restarts ? 2 : 1);
    CHECK(process.snapshot().state ==
          (row.restarts ? ContainerState::waiting : ContainerState::over));
    CHECK(process.snapshot().starts == (row.restarts ? 2u : 1u));
    CHECK((bench.lines.back() == "over") != row.restarts);
    static_cast<void>(bench.stop(process));
}

TEST_CASE("a process is killed for its liveness probe and restarted whatever its exit status") {
    Bench bench;
    ScriptedProbe liveness{bench.clock, {Outcome::success, Outcome::failure, Outcome::success}};
    // It has set its trap when it writes, and ends with 0 when the test lets go of its input.
    tests::Pipe input;
    tests::Pipe output;
    Supervised process{bench.clock, bench.io,
                       ProcessSpec{.command = {"sh", "-c",
                                               "trap 'read line; exit 0' TERM; echo up; "
                                               "while :; do sleep 0.05; done 2>/dev/null"},
                                   .stdin_fd = input.read_end,
                                   .stdout_fd = output.write_end},
                       SupervisionOptions{.restart_policy = RestartPolicy::on_failure}};
    bench.listen(process);
    process.probe(ProbeKind::liveness, liveness, every(10s));
    process.start();
    bench.clock.run_ready();
    CHECK(bench.take() == Lines{"started", "ready"});
    CHECK(output.next() == "up\n");
    bench.clock.advance(10s);
    CHECK(bench.take() == Lines{"killed: Liveness probe failed: "});
    CHECK(process.snapshot().state == ContainerState::ending);
    input.close_write_end();
    bench.until_ended(1);
    CHECK(process.snapshot().starts == 2);
    CHECK(bench.take() ==
          Lines{"exited: exited with 0", "restarting at 10", "unready", "started", "ready"});
    bench.clock.advance(30s);
    CHECK(process.snapshot().starts == 2);
    static_cast<void>(bench.stop(process));
}

TEST_CASE("a process whose policy is never is killed for a probe and then over") {
    Bench bench;
    Supervised process = bench.supervise(runs_on, {.restart_policy = RestartPolicy::never});
    process.probe(ProbeKind::startup, ScriptedProbe{bench.clock, {Outcome::failure}}, every(1s));
    process.start();
    bench.until_ended(1);
    CHECK(bench.take() ==
          Lines{"killed: Startup probe failed: ", "exited: killed by signal 15", "over"});
}

TEST_CASE("liveness and readiness probe once the startup probe has passed") {
    Bench bench;
    ScriptedProbe startup{bench.clock, {Outcome::failure, Outcome::success}};
    ScriptedProbe liveness{bench.clock, {Outcome::success}};
    ScriptedProbe readiness{bench.clock, {Outcome::failure, Outcome::success}};
    Supervised process = bench.supervise(runs_on);
    process.probe(ProbeKind::startup, startup, every(10s, 3));
    process.probe(ProbeKind::liveness, liveness, every(10s));
    process.probe(ProbeKind::readiness, readiness, every(10s));
    process.start();
    bench.clock.run_ready();
    CHECK(bench.take().empty());
    CHECK(liveness.attempts() == 0);
    bench.clock.advance(10s);
    CHECK(bench.take() == Lines{"started"});
    CHECK(readiness.attempts() == 1);
    bench.clock.advance(10s);
    CHECK(bench.take() == Lines{"ready"});
    const SupervisionSnapshot seen = process.snapshot();
    REQUIRE(seen.startup);
    CHECK(seen.startup->state == WorkerState::on_hold);
    REQUIRE(seen.liveness);
    CHECK(seen.liveness->attempts == 2);
    REQUIRE(seen.readiness);
    CHECK(seen.readiness->health == Health::passing);
    static_cast<void>(bench.stop(process));
}

TEST_CASE("after a restart readiness is checked at once, as a kubelet checks the unready") {
    Bench bench;
    ScriptedProbe readiness{bench.clock, {Outcome::success}};
    Supervised process = bench.supervise(runs_on);
    process.probe(ProbeKind::readiness, readiness, every(10s));
    process.start();
    bench.clock.advance(1s);
    CHECK(readiness.attempts() == 1);
    process.restart();
    bench.until_ended(1);
    CHECK(readiness.attempts() == 2);
    CHECK(process.ready());
    static_cast<void>(bench.stop(process));
}

TEST_CASE("a program that is not there exits with 128, says why, and backs off") {
    Bench bench;
    std::vector<std::error_code> errors;
    Supervised process = bench.supervise({"/nonexistent/program"});
    process.on_change([&](const SupervisionChange& change) {
        bench.note(change);
        if (change.event == Event::exited) errors.push_back(change.error);
    });
    process.start();
    CHECK(process.snapshot().last_exit == ExitStatus{.code = 128});
    bench.clock.run_ready();
    CHECK(bench.take() ==
          Lines{"exited: could not be started: No such file or directory", "restarting at 0",
                "exited: could not be started: No such file or directory", "restarting at 10"});
    CHECK(errors.front() == std::errc::no_such_file_or_directory);
    bench.clock.advance(10s);
    CHECK(process.snapshot().starts == 3);
    CHECK(bench.stop(process) == ExitStatus{.code = 128});
}

TEST_CASE("a program that is not there and has no back-off does not hang the caller") {
    Bench bench;
    Supervised process =
        bench.supervise({"/nonexistent/program"}, {.back_off = {.base = 0s, .max = 0s}});
    int exits = 0;
    process.on_change([&](const SupervisionChange& change) {
        if (change.event == Event::exited && ++exits == 5)
            process.async_stop([](std::error_code, ExitStatus) {});
    });
    process.start();
    while (bench.io.poll() != 0) bench.clock.run_ready();
    CHECK(exits == 5);
    CHECK(process.snapshot().state == ContainerState::over);
}

TEST_CASE("restart() ends the process, starts it at once and leaves the back-off alone") {
    Bench bench;
    Supervised process = bench.supervise(runs_on, {.restart_policy = RestartPolicy::never});
    process.start();
    for (int run = 1; run <= 3; ++run) {
        bench.clock.run_ready();
        static_cast<void>(bench.take());
        process.restart();
        CHECK(process.snapshot().state == ContainerState::ending);
        bench.until_ended(run);
        CHECK(bench.take() == Lines{"exited: killed by signal 15", "restarting at 0", "unready",
                                    "started", "ready"});
        CHECK(process.snapshot().back_off == 0s);
    }
    static_cast<void>(bench.stop(process));
}

TEST_CASE("restart() ends the wait for the back-off, and begins anew what is over") {
    Bench bench;
    Supervised process = bench.supervise({"sh", "-c", "exit 1"});
    process.start();
    bench.until_ended(2);
    REQUIRE(process.snapshot().state == ContainerState::waiting);
    process.restart();
    CHECK(process.snapshot().starts == 3);
    bench.until_ended(3);
    static_cast<void>(bench.stop(process));
    REQUIRE(process.snapshot().state == ContainerState::over);
    process.restart();
    CHECK(process.snapshot().starts == 4);
    bench.until_ended(4);
    static_cast<void>(bench.stop(process));
}

TEST_CASE("start() after the end begins anew, its back-off too") {
    Bench bench;
    Supervised process = bench.supervise({"sh", "-c", "exit 1"});
    process.start();
    bench.until_ended(2);
    static_cast<void>(bench.stop(process));
    static_cast<void>(bench.take());
    process.start();
    process.start(); // does nothing
    CHECK(process.snapshot().starts == 3);
    bench.until_ended(4); // the first restart is at once again
    CHECK(process.snapshot().back_off == 10s);
    static_cast<void>(bench.stop(process));
}

TEST_CASE("a process that does not heed the signal is killed after the grace period") {
    asio::io_context io;
    SupervisedProcess process{io,
                              {.command = {"sh", "-c", "trap '' TERM; echo up; sleep 600"},
                               .output = ProcessOutput::capture},
                              {.termination = {.signal = SIGTERM, .grace = 0s}}};
    process.start();
    while (process.output().empty() && io.run_one_for(60s) != 0) {} // it has set its trap
    std::optional<ExitStatus> end;
    process.async_stop([&](std::error_code, ExitStatus status) { end = status; });
    io.restart();
    io.run();
    CHECK(end == ExitStatus{.signal = SIGKILL});
}

TEST_CASE("the termination's own signal is sent, and signal() reaches the process") {
    Bench bench;
    Supervised process = bench.supervise(runs_on, {.termination = {.signal = SIGINT}});
    CHECK(process.signal(SIGHUP) == std::errc::no_such_process);
    process.start();
    bench.clock.run_ready();
    CHECK_FALSE(process.signal(SIGHUP));
    bench.until_ended(1);
    CHECK(process.snapshot().last_exit == ExitStatus{.signal = SIGHUP});
    CHECK(bench.stop(process) == ExitStatus{.signal = SIGINT});
}

TEST_CASE("waits for a stop are many, may be cancelled, and soon end where nothing runs") {
    Bench bench;
    Supervised process = bench.supervise(runs_on);
    std::vector<std::string> ended;
    const auto wait = [&](const char* name) {
        return [&ended, name](std::error_code error, ExitStatus status) {
            ended.push_back(name + std::string{error ? " aborted" : ""} + " " +
                            std::to_string(status.signal));
        };
    };
    process.async_stop(wait("idle"));
    CHECK(ended.empty());
    bench.clock.run_ready();
    CHECK(ended == Lines{"idle 0"});

    process.start();
    asio::cancellation_signal cancel;
    process.async_stop(asio::bind_cancellation_slot(cancel.slot(), wait("cancelled")));
    process.async_stop(wait("first"));
    process.async_stop(wait("second"));
    cancel.emit(asio::cancellation_type::total);
    bench.until_ended(1);
    CHECK(ended == Lines{"idle 0", "cancelled aborted 0", "first 15", "second 15"});
    process.async_stop(wait("over"));
    bench.clock.run_ready();
    CHECK(ended.back() == "over 15");
}

TEST_CASE("destroyed while it runs, it kills the whole group and does not wait") {
    Bench bench;
    tests::Pipe pipe;
    std::optional<Supervised> process;
    process.emplace(bench.clock, bench.io,
                    ProcessSpec{.command = {"sh", "-c", "sleep 600 & echo up; wait"},
                                .stdout_fd = pipe.write_end});
    bench.listen(*process);
    process->start();
    CHECK(pipe.next() == "up\n");
    bool aborted = false;
    process->async_stop([&](std::error_code error, ExitStatus) {
        aborted = error == asio::error::operation_aborted;
    });
    static_cast<void>(bench.take());
    process.reset();
    CHECK(pipe.drain().empty()); // ends, so the last writer has gone
    bench.io.restart();
    bench.io.run();
    CHECK(aborted);
    CHECK(bench.take().empty());
}

TEST_CASE("it may be destroyed, replaced and restarted from inside its own callback") {
    const auto during =
        GENERATE(Event::started, Event::ready, Event::killed, Event::exited, Event::restarting);
    const bool replace = GENERATE(false, true);
    CAPTURE(to_string(during), replace);
    Bench bench;
    std::optional<Supervised> process;
    const auto make = [&] {
        process.emplace(bench.clock, bench.io, ProcessSpec{.command = runs_on});
        process->probe(ProbeKind::liveness,
                       ScriptedProbe{bench.clock, {Outcome::success, Outcome::failure}},
                       every(10s));
    };
    make();
    bool reached = false;
    process->on_change([&](const SupervisionChange& change) {
        REQUIRE_FALSE(reached); // silence afterwards
        if (change.event == Event::exited) ++bench.ends;
        if (change.event != during) return;
        reached = true;
        if (replace)
            make();
        else
            process.reset();
    });
    process->start();
    bench.clock.run_ready();
    bench.clock.advance(10s);
    bench.io.restart();
    while (!reached && bench.io.run_one_for(60s) != 0) {}
    CHECK(reached);
    process.reset();
    bench.io.restart();
    bench.io.run();
}

TEST_CASE("the context may go first, and takes the process along") {
    const bool on_strand = GENERATE(false, true);
    tests::Pipe pipe;
    std::optional<SupervisedProcess> process;
    {
        asio::io_context io;
        const asio::any_io_executor executor = on_strand
                                                   ? asio::any_io_executor{asio::make_strand(io)}
                                                   : asio::any_io_executor{io.get_executor()};
        process.emplace(executor, ProcessSpec{.command = runs_on, .stdout_fd = pipe.write_end});
        process->start();
        io.poll();
    }
    CHECK(pipe.drain().empty());
    process.reset();
}

TEST_CASE("on a strand of a pool") {
    asio::thread_pool pool{2};
    const auto strand = asio::make_strand(pool);
    std::optional<SupervisedProcess> process;
    asio::post(strand, [&] {
        process.emplace(strand, ProcessSpec{.command = {"sh", "-c", "exit 1"}},
                        SupervisionOptions{.back_off = {.base = 1ms, .max = 1ms}});
        process->probe(ProbeKind::readiness, FunctionProbe{strand, [] { return true; }},
                       every(1ms));
        process->on_change([&](const SupervisionChange& change) {
            if (change.event == Event::exited && process->snapshot().starts >= 5)
                process->async_stop([](std::error_code, ExitStatus) {});
        });
        process->start();
    });
    pool.join();
    CHECK(process->snapshot().starts == 5);
    CHECK(process->snapshot().state == ContainerState::over);
}

TEST_CASE("an observer sees the probes of a supervised process") {
    Bench bench;
    Journal journal;
    BasicSupervisedProcess process{bench.clock, bench.io, ProcessSpec{.command = runs_on},
                                   SupervisionOptions{}, std::ref(journal)};
    process.probe(ProbeKind::readiness, ScriptedProbe{bench.clock, {Outcome::success}}, every(10s));
    process.start();
    bench.clock.run_ready();
    const Lines lines = journal.take();
    CHECK(std::find(lines.begin(), lines.end(), "ended 1.1 success") != lines.end());
}

TEST_CASE("mistakes of a supervised process are named all at once") {
    asio::io_context io;
    try {
        const SupervisedProcess process{
            io, {.command = {}}, {.back_off = {.base = -1s}, .termination = {.grace = -1s}}};
        FAIL("accepted");
    } catch (const ConfigException& wrong) {
        CHECK(std::string{wrong.what()} ==
              "command: must not be empty; back_off.base: must not be negative; "
              "termination.grace: must not be negative");
    }
}
