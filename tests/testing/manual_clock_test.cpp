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

TEST_CASE("the clock stands still, and shows what it was moved by") {
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

TEST_CASE("it goes from due point to due point, the last one included") {
    asio::io_context io;
    ManualClock clock{io};
    const TimePoint begin = clock.now();
    std::vector<Duration> at;
    struct Note {
        std::vector<Duration>* seen;
        TimePoint from;
        void attempt_begun(const AttemptBegun& begun) { seen->push_back(begun.at - from); }
    };
    ProbeWorker a{clock, testing::ScriptedProbe{clock, {Outcome::success}}, ProbeSpec{.period = 2s},
                  Note{&at, begin}};
    ProbeWorker b{clock, testing::ScriptedProbe{clock, {Outcome::success}}, ProbeSpec{.period = 3s},
                  Note{&at, begin}};
    a.start();
    b.start();
    clock.advance(6s);
    CHECK(at == std::vector<Duration>{0s, 0s, 2s, 3s, 4s, 6s, 6s});
}

TEST_CASE("a stall goes past due points, and what was due happens late") {
    asio::io_context io;
    ManualClock clock{io};
    struct Note {
        std::vector<Duration>* late;
        void attempt_begun(const AttemptBegun& begun) { late->push_back(begun.late); }
    };
    std::vector<Duration> late;
    ProbeWorker worker{clock, testing::ScriptedProbe{clock, {Outcome::success}},
                       ProbeSpec{.period = 2s}, Note{&late}};
    worker.start();
    clock.run_ready();
    clock.stall(5s); // one of the two looks that were due is made up, the other is skipped
    CHECK(late == std::vector<Duration>{0s, 3s});
    CHECK(worker.snapshot().skipped == 1);
    clock.advance(1s); // back on the grid
    CHECK(late == std::vector<Duration>{0s, 3s, 0s});
}

TEST_CASE("what is posted runs, and two clocks on one context do not disturb each other") {
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
    CHECK(probe.attempts() == 1); // what is due need not wait for its clock to be moved
    slow.advance(1s);
    CHECK(probe.attempts() == 2);
}

TEST_CASE("the last moment there is can be reached") {
    asio::io_context io;
    ManualClock clock{io};
    ProbeWorker worker{clock, testing::ScriptedProbe{clock, {Outcome::failure}},
                       ProbeSpec{.kind = ProbeKind::liveness, .failure_threshold = 1}};
    worker.start();
    clock.advance(Duration::max()); // it holds after the first look
    CHECK(clock.now() == TimePoint::max());
    CHECK(worker.health() == Health::failing);
}

TEST_CASE("an exception of a callback goes through advance(), and time can be moved on after it") {
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

TEST_CASE("a clock that stands where another stood has nothing of it") {
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

TEST_CASE("more than one turn's worth may be due at once") {
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
