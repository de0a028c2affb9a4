// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/testing/manual_clock.hpp>

#include <chrono>
#include <optional>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/runtime/probe_worker.hpp>
#include <probekit/testing/scripted_probe.hpp>

using namespace probekit;
using namespace std::chrono_literals;
using testing::ManualClock;

TEST_CASE("a clock stands still until it is moved") {
    asio::io_context io;
    ManualClock clock{io};
    const TimePoint begin = clock.now();
    CHECK(clock.now() == begin);
    clock.advance(90min);
    CHECK(clock.now() == begin + 90min);
    clock.run_ready();
    CHECK(clock.now() == begin + 90min);
    ManualClock other{io, TimePoint{5s}};
    CHECK(other.now() == TimePoint{5s});
}

TEST_CASE("advance() goes from one due timer to the next, the last moment included") {
    asio::io_context io;
    ManualClock clock{io};
    const TimePoint begin = clock.now();
    std::vector<Duration> at;
    struct Recorder {
        std::vector<Duration>* times;
        TimePoint from;
        void attempt_begun(const AttemptBegun& begun) { times->push_back(begun.at - from); }
    };
    ProbeWorker a{clock, testing::ScriptedProbe{clock, {Outcome::success}}, ProbeSpec{.period = 2s},
                  Recorder{&at, begin}};
    ProbeWorker b{clock, testing::ScriptedProbe{clock, {Outcome::success}}, ProbeSpec{.period = 3s},
                  Recorder{&at, begin}};
    a.start();
    b.start();
    clock.advance(6s);
    CHECK(at == std::vector<Duration>{0s, 0s, 2s, 3s, 4s, 6s, 6s});
}

TEST_CASE("after a stall, what was due happens late") {
    asio::io_context io;
    ManualClock clock{io};
    struct Recorder {
        std::vector<Duration>* late;
        void attempt_begun(const AttemptBegun& begun) { late->push_back(begun.late); }
    };
    std::vector<Duration> late;
    ProbeWorker worker{clock, testing::ScriptedProbe{clock, {Outcome::success}},
                       ProbeSpec{.period = 2s}, Recorder{&late}};
    worker.start();
    clock.run_ready();
    clock.stall(5s); // one of the two checks that were due is made late, the other is skipped
    CHECK(late == std::vector<Duration>{0s, 3s});
    CHECK(worker.snapshot().skipped == 1);
    clock.advance(1s); // back on the grid
    CHECK(late == std::vector<Duration>{0s, 3s, 0s});
}

TEST_CASE("posted functions run, and two clocks on one context are independent") {
    asio::io_context io;
    ManualClock fast{io}, slow{io};
    int posted = 0;
    asio::post(io, [&] { asio::post(io, [&] { ++posted; }); });
    fast.run_ready();
    CHECK(posted == 1);
    testing::ScriptedProbe probe{slow, {Outcome::success}};
    ProbeWorker worker{slow, probe, ProbeSpec{.period = 1s}};
    worker.start();
    fast.advance(1h);
    CHECK(probe.attempts() == 1); // a check that is due does not wait for its clock to move
    slow.advance(1s);
    CHECK(probe.attempts() == 2);
}

TEST_CASE("a clock can reach the last moment of time") {
    asio::io_context io;
    ManualClock clock{io};
    ProbeWorker worker{clock, testing::ScriptedProbe{clock, {Outcome::failure}},
                       ProbeSpec{.kind = ProbeKind::liveness, .failure_threshold = 1}};
    worker.start();
    clock.advance(Duration::max()); // it is on hold after the first check
    CHECK(clock.now() == TimePoint::max());
    CHECK(worker.health() == Health::failing);
}

TEST_CASE("a callback's exception leaves advance(), after which the clock can be moved again") {
    asio::io_context io;
    ManualClock clock{io};
    const TimePoint begin = clock.now();
    testing::ScriptedProbe probe{clock, {Outcome::success}};
    ProbeWorker worker{clock, probe, ProbeSpec{.period = 2s, .failure_threshold = 1}};
    worker.on_verdict([](const Verdict&) { throw 7; });
    worker.start();
    CHECK_THROWS_AS(clock.advance(5s), int);
    CHECK(clock.now() == begin);
    clock.advance(4s);
    CHECK(probe.attempts() == 3);
}

TEST_CASE("a clock at the address of an earlier one shares nothing with it") {
    asio::io_context io;
    std::optional<ManualClock> clock{std::in_place, io};
    const testing::ScriptedProbe kept{*clock, {Outcome::success}}; // keeps the old clock's wheel
    clock.emplace(io);
    testing::ScriptedProbe probe{*clock, {Outcome::success}};
    ProbeWorker worker{*clock, probe, ProbeSpec{.period = 1s}};
    worker.start();
    clock->advance(2s);
    CHECK(probe.attempts() == 3);
}

TEST_CASE("thousands of timers may be due at once") {
    asio::io_context io;
    ManualClock clock{io};
    testing::ScriptedProbe probe{clock, {Outcome::success}};
    std::vector<ProbeWorker<testing::ScriptedProbe, KubeletPolicy, NoObserver, ManualClock>>
        workers;
    for (int i = 0; i != 1000; ++i) workers.emplace_back(clock, probe, ProbeSpec{.period = 1s});
    for (auto& worker : workers) worker.start();
    clock.advance(1s);
    CHECK(probe.attempts() == 2000);
}
