// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// Cancellation of every operation: terminal, partial and total have one meaning, at once and at
// every later turn.
#include <chrono>
#include <csignal>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <dirent.h>
#include <sys/wait.h>

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <probekit/probekit.hpp>
#include <probekit/testing/manual_clock.hpp>
#include <probekit/testing/scripted_probe.hpp>

#include "tools.hpp"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

[[nodiscard]] std::size_t open_descriptors() {
    std::size_t count = 0;
    DIR* const directory = opendir("/proc/self/fd");
    while (readdir(directory) != nullptr) ++count;
    closedir(directory);
    return count;
}

[[nodiscard]] bool has_children() {
    siginfo_t info = {};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

struct FrameCount {
    int* count;
    explicit FrameCount(int& frames) : count(&frames) { ++*count; }
    FrameCount(const FrameCount&) = delete;
    FrameCount& operator=(const FrameCount&) = delete;
    ~FrameCount() { --*count; }
};

// A target that takes what it is sent, and never answers.
struct Bench {
    asio::io_context io;
    Server silent{io};
    StartupGate gate{io};
    int frames = 0;
    std::error_code error = {};
    int notified = 0;
    asio::cancellation_signal signal;

    template <class Probe>
    void probe(Probe probe) {
        probe.async_probe(60s, asio::bind_cancellation_slot(
                                   signal.slot(), [this](std::error_code ec, const ProbeResult&) {
                                       error = ec;
                                       ++notified;
                                   }));
    }
};

// The operations that would not end by themselves.
const std::vector<std::pair<std::string, std::function<void(Bench&)>>> endless{
    {"http",
     [](Bench& bench) {
         bench.probe(HttpGetProbe{bench.io, {.port = bench.silent.port()}});
     }},
    {"exec",
     [](Bench& bench) {
         bench.probe(ExecProbe{bench.io, {.command = {"sh", "-c", "sleep 60 & sleep 60"}}});
     }},
    {"stubborn exec",
     [](Bench& bench) {
         bench.probe(ExecProbe{bench.io,
                               {.command = {"sh", "-c", "trap '' TERM; while :; do sleep 1; done"}},
                               {.kill_grace = 10ms}});
     }},
    {"coroutine",
     [](Bench& bench) {
         bench.probe(
             FunctionProbe{bench.io, [&bench]() -> asio::awaitable<bool> {
                               const FrameCount frame{bench.frames};
                               asio::steady_timer timer{co_await asio::this_coro::executor, 60s};
                               co_await timer.async_wait(asio::use_awaitable);
                               co_return true;
                           }});
     }},
    {"any",
     [](Bench& bench) {
         bench.probe(AnyProbe{ExecProbe{bench.io, {.command = {"sleep", "60"}}}});
     }},
    {"gate", [](Bench& bench) {
         bench.gate.async_wait(
             asio::bind_cancellation_slot(bench.signal.slot(), [&bench](std::error_code ec) {
                 bench.error = ec;
                 ++bench.notified;
             }));
     }}};

} // namespace

TEST_CASE("a cancelled operation completes with operation_aborted once, and leaves nothing") {
    const auto& [name, begin] = GENERATE_REF(from_range(endless));
    const auto type = GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial,
                               asio::cancellation_type::total);
    const int turns = GENERATE(0, 1, 2, 3, 5, 8);
    CAPTURE(name, turns, static_cast<unsigned>(type));
    REQUIRE_FALSE(has_children());
    Bench bench;
    bench.io.poll();
    const std::size_t descriptors = open_descriptors();
    begin(bench);
    for (int i = 0; i != turns; ++i) {
        bench.io.restart();
        bench.io.run_one_for(5ms);
    }
    REQUIRE(bench.notified == 0);
    bench.signal.emit(type);
    CHECK(bench.notified == 0); // never inside the call
    CHECK(run_until(bench.io, [&] { return bench.notified != 0; }));
    CHECK(bench.error == asio::error::operation_aborted);
    CHECK_FALSE(has_children());
    CHECK(bench.frames == 0);
    bench.signal.emit(type); // means nothing any more
    bench.silent.close();
    CHECK(run_out(bench.io));
    CHECK(bench.notified == 1);
    CHECK(open_descriptors() <= descriptors);
}

TEST_CASE("cancelling a wait for a process leaves the process alone") {
    asio::io_context io;
    const auto type = GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial,
                               asio::cancellation_type::total);
    const bool poll_first = GENERATE(false, true);
    asio::cancellation_signal signal;
    Process process{io};
    REQUIRE_FALSE(process.start({.command = {"sleep", "60"}}));
    std::error_code completed_with;
    process.async_wait(asio::bind_cancellation_slot(
        signal.slot(), [&](std::error_code error, ExitStatus) { completed_with = error; }));
    if (poll_first) io.poll();
    signal.emit(type);
    CHECK_FALSE(completed_with);
    CHECK(run_out(io));
    CHECK(completed_with == asio::error::operation_aborted);
    CHECK(process.running());
    ExitStatus status;
    completed_with = {};
    process.async_terminate(
        {.signal = SIGCONT, .grace = 60s},
        asio::bind_cancellation_slot(
            signal.slot(), [&](std::error_code error, ExitStatus) { completed_with = error; }));
    if (poll_first) io.poll();
    signal.emit(type); // the signal was sent, SIGKILL will not be
    CHECK(run_out(io));
    CHECK(completed_with == asio::error::operation_aborted);
    CHECK(process.running());
    process.async_terminate({.grace = 0s}, [&](std::error_code error, ExitStatus ended) {
        completed_with = error;
        status = ended;
    });
    CHECK(run_out(io));
    CHECK_FALSE(completed_with);
    CHECK_FALSE(status.ok());
    CHECK_FALSE(has_children());
}

TEST_CASE("a second termination may only shorten the first") {
    asio::io_context io;
    Process process{io};
    REQUIRE_FALSE(
        process.start({.command = {"sh", "-c", "trap '' TERM; while :; do sleep 1; done"}}));
    int notified = 0;
    const auto note = [&](std::error_code error, ExitStatus status) {
        CHECK_FALSE(error);
        CHECK(status.signal == SIGKILL);
        ++notified;
    };
    process.async_terminate({.signal = SIGCONT, .grace = 60s}, note);
    process.async_terminate({.signal = SIGCONT, .grace = 10ms}, note);
    process.async_terminate({.signal = SIGCONT, .grace = 60s}, note);
    process.async_wait(note);
    CHECK(run_out(io));
    CHECK(notified == 4);
}

TEST_CASE("destroyed, a process is killed and reaped without blocking; detached, it is not ours") {
    asio::io_context io;
    std::error_code completed_with;
    {
        Process process{io};
        REQUIRE_FALSE(process.start({.command = {"sleep", "60"}}));
        process.async_wait([&](std::error_code error, ExitStatus) { completed_with = error; });
    }
    CHECK_FALSE(completed_with);
    CHECK(run_until(io, [&] { return !has_children(); }));
    CHECK(completed_with == asio::error::operation_aborted);
    Process process{io};
    REQUIRE_FALSE(process.start({.command = {"sleep", "60"}}));
    const int pid = process.pid();
    process.detach();
    CHECK_FALSE(process.running());
    CHECK(kill(pid, SIGKILL) == 0);
    int status = 0;
    CHECK(waitpid(pid, &status, 0) == pid); // left to us
    CHECK_FALSE(has_children());
}

TEST_CASE("cancelling a worker's wait or stop only ends the waiting") {
    asio::io_context io;
    const auto type = GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial,
                               asio::cancellation_type::total);
    asio::cancellation_signal signal;
    ProbeWorker worker{ExecProbe{io, {.command = {"sleep", "60"}}}, {.timeout = 60s}};
    ProbeGroup<> group{io};
    group.liveness(ExecProbe{io, {.command = {"sleep", "60"}}}, {.timeout = 60s});
    group.start();
    worker.start();
    std::vector<std::error_code> notified;
    worker.async_wait(
        Health::passing,
        asio::bind_cancellation_slot(signal.slot(), [&](std::error_code error, const Verdict&) {
            notified.push_back(error);
        }));
    CHECK(run_until(
        io, [&] { return worker.snapshot().state == WorkerState::probing && has_children(); }));
    signal.emit(type);
    CHECK(notified.empty());
    CHECK(run_until(io, [&] { return notified.size() == 1; }));
    CHECK(notified[0] == asio::error::operation_aborted);
    CHECK(worker.snapshot().state == WorkerState::probing);
    worker.async_stop(asio::bind_cancellation_slot(
        signal.slot(), [&](std::error_code error) { notified.push_back(error); }));
    signal.emit(type);
    CHECK(run_until(io, [&] { return notified.size() == 2; }));
    CHECK(notified[1] == asio::error::operation_aborted);
    group.async_stop(asio::bind_cancellation_slot(
        signal.slot(), [&](std::error_code error) { notified.push_back(error); }));
    signal.emit(type);
    CHECK(run_until(io, [&] { return notified.size() == 3; }));
    CHECK(notified[2] == asio::error::operation_aborted);
    CHECK(run_out(io)); // stopped all the same, and cleaned up
    CHECK_FALSE(has_children());
    CHECK(worker.snapshot().state == WorkerState::stopped);
}

TEST_CASE("when a stop has completed, nothing of the attempt is left") {
    asio::io_context io;
    ProbeWorker worker{ExecProbe{io, {.command = {"sleep", "60"}}}, {.timeout = 60s}};
    ProbeGroup<> group{io};
    group.startup(ExecProbe{io, {.command = {"sleep", "60"}}}, {.timeout = 60s});
    group.start();
    worker.start();
    CHECK(run_until(io, [&] { return worker.snapshot().state == WorkerState::probing; }));
    int notified = 0;
    const auto note = [&](std::error_code error) {
        CHECK_FALSE(error);
        if (++notified == 2) CHECK_FALSE(has_children());
    };
    worker.async_stop(note);
    group.async_stop(note);
    CHECK(run_out(io));
    CHECK(notified == 2);
    worker.async_stop(note); // at once if idle, but not inside the call
    CHECK(notified == 2);
    CHECK(run_out(io));
    CHECK(notified == 3);
}

TEST_CASE("a worker destroyed in flight leaves nothing, and the event loop ends") {
    asio::io_context io;
    const int turns = GENERATE(range(0, 6));
    Server silent{io};
    int frames = 0;
    int notified = 0;
    {
        ProbeWorker exec{ExecProbe{io, {.command = {"sleep", "60"}}}, {.timeout = 60s}};
        ProbeWorker http{HttpGetProbe{io, {.port = silent.port()}}, {.timeout = 60s}};
        ProbeWorker any{AnyProbe{HttpGetProbe{io, {.port = silent.port()}}}, {.timeout = 60s}};
        ProbeWorker coroutine{
            FunctionProbe{io,
                          [&frames]() -> asio::awaitable<bool> {
                              const FrameCount frame{frames};
                              asio::steady_timer timer{co_await asio::this_coro::executor, 60s};
                              co_await timer.async_wait(asio::use_awaitable);
                              co_return true;
                          }},
            {.timeout = 60s}};
        const auto start = [&](auto&... workers) {
            (workers.on_verdict([&](const Verdict&) { ++notified; }), ...);
            (workers.start(), ...);
        };
        start(exec, http, any, coroutine);
        for (int i = 0; i != turns; ++i) io.run_one_for(5ms);
    }
    silent.close();
    CHECK(run_out(io));
    CHECK(notified == 0);
    CHECK(frames == 0);
    CHECK_FALSE(has_children());
}
