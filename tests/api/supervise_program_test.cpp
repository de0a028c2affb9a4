// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// Programs a user would write, from the documentation alone: something runs, is probed, and is
// restarted.
#include <chrono>
#include <csignal>
#include <cstddef>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/probekit.hpp>
#include <probekit/testing/manual_clock.hpp>
#include <probekit/testing/scripted_probe.hpp>

#include "tools.hpp"

using namespace probekit;
using namespace std::chrono_literals;
using probekit::testing::ManualClock;
using probekit::testing::ScriptedProbe;
using probekit::testing::Step;

namespace {

// One process with a liveness probe, restarted with back-off: what a user makes of the parts.
class Supervised {
public:
    Supervised(asio::io_context& io, ProcessSpec spec, AnyProbe liveness)
        : process_(io), timer_(io), spec_(std::move(spec)), group_(io) {
        group_.liveness(std::move(liveness),
                        {.period = 5ms, .timeout = 20s, .failure_threshold = 2});
        group_.on_change([this](const GroupChange& change) {
            if (change.event != GroupChange::Event::kill) return;
            reasons.push_back(change.reason());
            killed_ = true;
            process_.async_terminate({.grace = 20s}, [](std::error_code, ExitStatus) {});
        });
    }

    void run() {
        REQUIRE_FALSE(process_.start(spec_));
        ++starts;
        if (starts == 1)
            group_.start();
        else
            group_.target_replaced();
        process_.async_wait([this](std::error_code error, ExitStatus status) {
            if (!error) ended(status);
        });
    }
    void stop() {
        stopping_ = true;
        timer_.cancel();
        group_.stop();
        process_.async_terminate({.grace = 20s}, [](std::error_code, ExitStatus) {});
    }

    int starts = 0;
    std::vector<std::string> reasons = {};
    std::vector<ExitStatus> ends = {};

private:
    void ended(ExitStatus status) {
        ends.push_back(status);
        group_.target_gone();
        if (stopping_ || !should_restart(RestartPolicy::always, status)) return group_.stop();
        const TimePoint now = std::chrono::steady_clock::now();
        const TimePoint next =
            std::exchange(killed_, false) ? back_off_.after_kill(now) : back_off_.after_exit(now);
        timer_.expires_at(next);
        timer_.async_wait([this](std::error_code error) {
            if (!error) run();
        });
    }

    Process process_;
    asio::steady_timer timer_;
    ProcessSpec spec_;
    ProbeGroup<> group_;
    RestartBackOff back_off_{{.base = 1ms, .max = 4ms}};
    bool killed_ = false;
    bool stopping_ = false;
};

} // namespace

TEST_CASE("a supervisor restarts its process when the liveness probe has failed") {
    asio::io_context io;
    Supervised one{io,
                   {.command = {"sleep", "60"}},
                   ExecProbe{io, {.command = {"sh", "-c", "echo broken; exit 1"}}}};
    one.run();
    CHECK(run_until(io, [&] { return one.starts == 3; }));
    one.stop();
    CHECK(run_out(io));
    CHECK(one.ends.size() == 3);
    CHECK(one.ends.at(0).as_shell() == 143);
    CHECK(one.reasons == std::vector<std::string>(2, "Liveness probe failed: broken\n"));
}

TEST_CASE("a supervisor restarts a process that ends by itself") {
    asio::io_context io;
    Supervised one{io, {.command = {"sh", "-c", "exit 7"}}, FunctionProbe{io, [] { return true; }}};
    one.run();
    CHECK(run_until(io, [&] { return one.starts == 4; }));
    one.stop();
    CHECK(run_out(io));
    CHECK(one.ends.at(0).code == 7);
    CHECK(one.reasons.empty()); // what target_gone makes of liveness is no reason to kill
}

TEST_CASE("the whole life of a supervised target, on a clock moved by hand") {
    asio::io_context io;
    ManualClock clock{io};
    const TimePoint begin = clock.now();
    const auto at = [&] {
        return std::to_string(
            std::chrono::duration_cast<std::chrono::seconds>(clock.now() - begin).count());
    };
    ScriptedProbe startup{clock, {Outcome::failure, Outcome::failure, Outcome::success}};
    ScriptedProbe liveness{clock, {Outcome::success}};
    ScriptedProbe readiness{clock, {Outcome::failure, Outcome::success}};
    std::vector<std::string> notified;
    ProbeGroup group{clock, io};
    group.startup(startup, {.period = 10s, .failure_threshold = 30});
    group.liveness(liveness, {.period = 10s});
    group.readiness(readiness, {.period = 5s});
    group.on_change([&](const GroupChange& change) {
        notified.push_back(at() + " " + std::string{to_string(change.event)} + ": " +
                           change.reason());
    });
    group.start();
    CHECK_FALSE(group.started());
    CHECK_FALSE(group.ready());
    clock.advance(19s);
    CHECK(liveness.attempts() == 0);
    CHECK(readiness.attempts() == 0);
    clock.advance(1s);
    CHECK(group.started());
    CHECK(readiness.attempts() == 1); // when the gate opens, readiness is checked at once
    CHECK_FALSE(group.ready());
    clock.advance(5s);
    CHECK(group.ready());
    liveness.push(Outcome::failure);
    clock.advance(60s);
    REQUIRE(notified.size() >= 3);
    CHECK(notified[0] == "20 started: Startup probe succeeded");
    CHECK(notified[1] == "25 ready: Readiness probe succeeded");
    CHECK(notified[2].find("kill: Liveness probe failed") != std::string::npos);
    CHECK(notified.size() == 3); // once per target
    group.target_gone();
    CHECK_FALSE(group.ready());
    clock.run_ready();
    CHECK(notified.size() == 4);
    CHECK(notified[3].find("unready: target is gone") != std::string::npos);
    group.target_replaced();
    CHECK_FALSE(group.started());
    clock.advance(10s);
    CHECK(group.started());
    CHECK(notified.at(4).find("started") != std::string::npos);
    clock.advance(60s);
    CHECK(notified.back().find("kill") != std::string::npos);
    CHECK(group.snapshot(ProbeKind::liveness)->state == WorkerState::on_hold);
    group.stop();
    const std::size_t before = notified.size();
    clock.advance(60s);
    CHECK(notified.size() == before);
}

TEST_CASE("a group in its own callback: destroyed, moved, stopped, replaced, thrown from") {
    asio::io_context io;
    ManualClock clock{io};
    const int what = GENERATE(0, 1, 2, 3, 4, 5, 6);
    CAPTURE(what);
    using Group = ProbeGroup<NoObserver, ManualClock>;
    auto group = std::make_unique<Group>(clock, io);
    std::unique_ptr<Group> moved;
    ScriptedProbe probe{clock, {Outcome::success, Outcome::failure, Outcome::success}};
    group->readiness(probe, {.period = 1s, .failure_threshold = 1});
    int notified = 0;
    group->on_change([&](const GroupChange& change) {
        const std::string reason = change.reason();
        if (++notified != 2) return; // ready
        switch (what) {
        case 0: group.reset(); break;
        case 1:
            moved = std::make_unique<Group>(std::move(*group));
            group.reset();
            break;
        case 2: group->stop(); break;
        case 3: group->target_replaced(); break;
        case 4: group->readiness(probe, {.period = 1s, .failure_threshold = 1}); break;
        case 5: throw std::runtime_error{"from on_change"};
        default: group->on_change([&](const GroupChange&) { notified += 100; });
        }
        CHECK(change.reason() == reason); // valid until the callback returns
    });
    group->start();
    if (what == 5) CHECK_THROWS_AS(clock.advance(5s), std::runtime_error);
    clock.advance(5s);
    switch (what) {
    case 0:
    case 2: CHECK(notified == 2); break;
    case 6: CHECK(notified > 100); break;
    default: CHECK(notified >= 3);
    }
}

TEST_CASE("work and stopping of a group") {
    asio::io_context io;
    const auto goes_on = [&] {
        io.restart();
        io.poll();
        return !io.stopped();
    };
    ProbeGroup<> group{io};
    CHECK_FALSE(goes_on());
    group.start();
    CHECK(goes_on()); // also without a probe
    group.pause();
    CHECK(goes_on());
    group.resume();
    group.stop();
    CHECK_FALSE(goes_on());
    group.start();
    CHECK(goes_on());
    SECTION("terminating") {
        group.target_terminating();
        group.stop();
    }
    SECTION("destruction") { const ProbeGroup<> gone = std::move(group); }
    SECTION("asynchronously") {
        int notified = 0;
        group.async_stop([&](std::error_code error) { notified += !error; });
        CHECK(notified == 0);
        CHECK_FALSE(goes_on());
        CHECK(notified == 1);
    }
    CHECK_FALSE(goes_on());
}

TEST_CASE("a pod's end, as one coroutine") {
    asio::io_context io;
    Process process{io};
    ProbeGroup<> group{io};
    group.readiness(ExecProbe{io, {.command = {"true"}}}, {.period = 1s});
    std::vector<std::string> notified;
    group.on_change(
        [&](const GroupChange& change) { notified.emplace_back(to_string(change.event)); });
    bool done = false;
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            ProcessSpec spec;
            spec.command = {"sh", "-c",
                            "trap 'echo bye; exit 3' TERM; while :; do sleep 0.01; done"};
            spec.output = ProcessOutput::capture;
            CHECK_FALSE(process.start(spec));
            group.start();
            while (!group.ready()) {
                asio::steady_timer turn{io, 1ms};
                co_await turn.async_wait(asio::use_awaitable);
            }
            group.target_terminating();
            const Termination how{.grace = 20s};
            const ExitStatus status = co_await process.async_terminate(how, asio::use_awaitable);
            CHECK((status.code == 3 ||
                   status.signal == SIGTERM)); // the shell may not have got to its trap
            if (status.code == 3)
                CHECK(process.output().ends_with("bye\n")); // the shell speaks of its child before
            group.target_gone();
            co_await group.async_stop(asio::use_awaitable);
            done = true;
        },
        asio::detached);
    CHECK(run_out(io));
    CHECK(done);
    CHECK(notified.size() >= 2);
    CHECK(notified.at(0) == "started");
    CHECK(notified.at(1) == "ready");
}
