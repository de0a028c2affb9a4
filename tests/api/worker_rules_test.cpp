// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// The rules that hold everywhere, one by one, for workers: on a clock moved by hand.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <probekit/probekit.hpp>
#include <probekit/testing/manual_clock.hpp>
#include <probekit/testing/scripted_probe.hpp>

using namespace probekit;
using namespace std::chrono_literals;
using probekit::testing::ManualClock;
using probekit::testing::ScriptedProbe;
using probekit::testing::Step;

namespace {

using Lines = std::vector<std::string>;

// Calls `hook` with the name of each hook, before it writes it down.
struct Hooks {
    std::function<void(std::string_view)> hook;

    void note(std::string_view name) const {
        const auto kept = hook; // the worker, and so this observer, may go meanwhile
        if (kept) kept(name);
    }
    void attempt_begun(const AttemptBegun&) const { note("begun"); }
    void attempt_ended(const AttemptEnded& ended) const {
        note(ended.error == asio::error::operation_aborted ? "aborted"
             : ended.error                                 ? "error"
             : ended.counted                               ? "ended"
                                                           : "uncounted");
    }
    void verdict_changed(const Verdict&) const { note("verdict"); }
    void state_changed(const StateChanged& change) const { note(to_string(change.to)); }
    void checks_skipped(const ChecksSkipped&) const { note("skipped"); }
};

struct Bench {
    asio::io_context io;
    ManualClock clock{io};
    Lines lines = {};
    std::function<void(std::string_view)> also = {};

    using Worker = ProbeWorker<ScriptedProbe, KubeletPolicy, Hooks, ManualClock>;

    Worker make(ScriptedProbe probe, const ProbeSpec& spec) {
        Worker worker{clock, std::move(probe), spec, Hooks{[this](std::string_view name) {
                          lines.emplace_back(name);
                          if (also) also(name);
                      }}};
        worker.on_verdict([this](const Verdict& verdict) {
            lines.push_back("on_verdict " + std::string{to_string(verdict.health)});
            if (also) also("on_verdict");
        });
        return worker;
    }
    ScriptedProbe script(std::initializer_list<Step> steps) { return {clock, steps}; }
    Lines take() { return std::exchange(lines, {}); }
};

constexpr ProbeSpec quick{.period = 1s, .failure_threshold = 1};

} // namespace

TEST_CASE(
    "order: policy, state, attempt_ended, verdict_changed, state_changed, on_verdict, waits") {
    Bench bench;
    struct Noting {
        Bench* bench;
        std::optional<Health> judge(const ProbeResult&, const ProbeSpec&) noexcept {
            bench->lines.emplace_back("judge");
            return Health::passing;
        }
    };
    ProbeWorker worker{bench.clock, bench.script({Outcome::success}), quick, Noting{&bench},
                       Hooks{[&](std::string_view name) {
                           bench.lines.emplace_back(name);
                           if (bench.also) bench.also(name);
                       }}};
    bench.also = [&](std::string_view name) {
        if (name == "ended")
            CHECK(worker.passing()); // the state is there before listeners are notified
        if (name == "ended") CHECK(worker.snapshot().judged);
    };
    worker.on_verdict([&](const Verdict&) { bench.lines.emplace_back("on_verdict"); });
    worker.async_wait(Health::passing, [&](std::error_code error, const Verdict&) {
        bench.lines.emplace_back(error ? "wait aborted" : "wait");
    });
    worker.start();
    CHECK(bench.take().empty());
    bench.clock.run_ready();
    const Lines lines = bench.take();
    const auto judged = std::find(lines.begin(), lines.end(), "judge");
    CHECK(Lines(judged, lines.end()) ==
          Lines{"judge", "ended", "verdict", "waiting", "on_verdict", "wait"});
    CHECK(std::find(lines.begin(), judged, "begun") != judged);
}

TEST_CASE("calls change the state before they return; callbacks are posted") {
    Bench bench;
    StartupGate gate{bench.io};
    auto worker = bench.make(bench.script({Outcome::success}), quick);
    worker.opens(gate);
    worker.start();
    CHECK(worker.snapshot().state == WorkerState::waiting);
    bench.clock.run_ready();
    CHECK(gate.is_open());
    bench.take();
    worker.target_replaced();
    CHECK_FALSE(gate.is_open());
    CHECK(worker.health() == Health::failing);
    CHECK_FALSE(worker.snapshot().judged);
    CHECK(bench.take().empty());
    bench.clock.run_ready();
    CHECK(bench.take() == Lines{"verdict", "on_verdict failing"});
    bench.clock.advance(1s);
    CHECK(gate.is_open());
    bench.take();
    worker.target_gone();
    CHECK_FALSE(gate.is_open());
    CHECK(worker.snapshot().state == WorkerState::no_target);
    worker.target_back();
    worker.pause();
    CHECK(worker.snapshot().state == WorkerState::paused);
    CHECK(bench.take().empty());
    bench.clock.run_ready();
    const Lines notified = bench.take();
    CHECK(std::count(notified.begin(), notified.end(), "on_verdict failing") == 1);
    worker.resume();
    CHECK(worker.snapshot().state == WorkerState::waiting);
    bench.clock.run_ready();
    CHECK(worker.passing());
    worker.stop();
    CHECK(worker.snapshot().state == WorkerState::stopped);
    CHECK(worker.passing()); // health stays
    CHECK(gate.is_open());   // stop leaves it
}

TEST_CASE("no on_verdict after stop, though it was on its way; attempt_ended still comes") {
    Bench bench;
    auto worker = bench.make(bench.script({Outcome::success, Step::hang()}), quick);
    SECTION("a change that is posted") {
        worker.start();
        bench.clock.run_ready();
        bench.take();
        worker.target_gone();
        worker.stop();
        bench.clock.run_ready();
        const Lines notified = bench.take();
        CHECK(std::count(notified.begin(), notified.end(), "on_verdict failing") == 0);
    }
    SECTION("from inside an earlier hook of the same step") {
        const std::string hook = GENERATE("ended", "verdict", "waiting");
        bool stopped = false;
        bench.also = [&](std::string_view name) {
            if (name != hook || stopped || bench.lines.size() < 2) return;
            stopped = true;
            worker.stop();
        };
        worker.start();
        bench.clock.run_ready();
        CHECK(stopped);
        for (const std::string& line : bench.take()) CHECK_FALSE(line.starts_with("on_verdict"));
        CHECK(worker.snapshot().state == WorkerState::stopped);
    }
    SECTION("an attempt in flight") {
        worker.start();
        bench.clock.advance(1s);
        CHECK(worker.snapshot().state == WorkerState::probing);
        bench.take();
        bool done = false;
        worker.async_stop([&](std::error_code error) {
            CHECK_FALSE(error);
            bench.lines.emplace_back("stop completed");
            done = true;
        });
        CHECK_FALSE(done);
        bench.clock.run_ready();
        CHECK(done);
        const Lines notified = bench.take();
        CHECK(std::count(notified.begin(), notified.end(), "aborted") == 1);
        CHECK(notified.back() == "stop completed");
    }
}

TEST_CASE("attempts never overlap, and each that began is reported to have ended") {
    Bench bench;
    int in_flight = 0;
    int begun = 0;
    int ended = 0;
    auto probe = bench.script({Step::hang()});
    auto worker = bench.make(probe, {.period = 1s, .timeout = 10s});
    bench.also = [&](std::string_view name) {
        if (name == "begun") {
            ++begun;
            CHECK(++in_flight == 1);
            CHECK(probe.in_flight() == 0);
        }
        if (name == "aborted" || name == "ended" || name == "uncounted" || name == "error") {
            ++ended;
            --in_flight;
            CHECK(probe.in_flight() == 0);
        }
    };
    worker.start();
    bench.clock.run_ready();
    CHECK(begun == 1);
    const std::vector<std::function<void()>> disturbances{
        [&] { worker.pause(), worker.resume(); },
        [&] { worker.target_replaced(); },
        [&] { worker.target_gone(), worker.target_back(); },
        [&] { worker.stop(), worker.start(); },
        [&] { worker.target_replaced(bench.script({Step::hang()})); },
        [&] { worker.target_replaced(probe); },
        [&] { CHECK(worker.probe_now()); },
        [&] {
            worker.stop(), worker.start(), worker.stop(), worker.start(), worker.pause(),
                worker.resume();
        },
        [&] { CHECK(worker.update({.period = 2s, .timeout = 5s}).empty()); }};
    for (const auto& disturb : disturbances)
        for (const auto& again : disturbances) {
            disturb();
            again();
            bench.clock.advance(1s);
            CHECK(worker.snapshot().state == WorkerState::probing);
            disturb();
            bench.clock.run_ready();
            again();
            bench.clock.advance(7s);
        }
    CHECK(begun > 50);
    worker.async_stop([&](std::error_code) { CHECK(begun == ended); });
    bench.clock.run_ready();
    CHECK(begun == ended);
}

TEST_CASE("destroyed inside any hook: silence from then on, and waits are aborted") {
    Bench bench;
    const std::string hook = GENERATE("begun", "ended", "verdict", "probing", "waiting",
                                      "on_verdict", "error", "skipped", "aborted");
    CAPTURE(hook);
    auto probe = bench.script(
        {{Outcome::success, 2500ms}, asio::error::no_descriptors, Outcome::failure, Step::hang()});
    auto worker = std::make_unique<Bench::Worker>(
        bench.make(probe, {.period = 1s, .timeout = 5s, .failure_threshold = 1}));
    bool destroyed = false;
    std::size_t lines = 0;
    int aborted = 0;
    worker->async_wait(Health::unknown, [&](std::error_code error, const Verdict&) {
        CHECK(error == asio::error::operation_aborted);
        ++aborted;
    });
    bench.also = [&](std::string_view name) {
        CHECK_FALSE(destroyed);
        if (name != hook) return;
        destroyed = true;
        worker.reset();
        lines = bench.lines.size();
    };
    worker->start();
    for (int i = 0; i != 20 && !destroyed; ++i) {
        bench.clock.advance(500ms);
        if (hook == "aborted" && worker && worker->snapshot().state == WorkerState::probing &&
            i > 10)
            worker->pause();
    }
    CHECK(destroyed);
    bench.clock.advance(20s);
    CHECK(bench.lines.size() == lines);
    CHECK(probe.in_flight() == 0);
    CHECK(aborted == 1);
    bench.io.restart();
    bench.io.run(); // nothing of it is left
}

TEST_CASE("destroyed inside the handler of its wait or stop") {
    Bench bench;
    auto worker =
        std::make_unique<Bench::Worker>(bench.make(bench.script({Outcome::success}), quick));
    int notified = 0;
    worker->async_wait(Health::passing, [&](std::error_code error, const Verdict& verdict) {
        worker.reset();
        CHECK_FALSE(error);
        CHECK(verdict.passed()); // still there
        ++notified;
    });
    worker->async_wait(Health::failing, [&](std::error_code error, const Verdict&) {
        CHECK(error == asio::error::operation_aborted);
        ++notified;
    });
    worker->start();
    bench.clock.run_ready();
    CHECK(notified == 2);
    worker = std::make_unique<Bench::Worker>(bench.make(bench.script({Step::hang()}), quick));
    worker->start();
    bench.clock.run_ready();
    worker->async_stop([&](std::error_code) {
        worker.reset();
        ++notified;
    });
    bench.clock.run_ready();
    CHECK(notified == 3);
}

TEST_CASE("what a hook throws reaches the caller of run, and everything goes on") {
    Bench bench;
    const std::string hook = GENERATE("begun", "ended", "verdict", "probing", "waiting",
                                      "on_verdict", "error", "skipped", "paused");
    CAPTURE(hook);
    auto probe = bench.script({Outcome::success,
                               {Outcome::success, 2500ms},
                               asio::error::no_descriptors,
                               asio::error::no_descriptors,
                               asio::error::no_descriptors,
                               Outcome::failure,
                               Outcome::success,
                               Outcome::failure,
                               Outcome::success});
    auto worker = bench.make(probe, {.period = 1s, .timeout = 5s, .failure_threshold = 1});
    int thrown = 0;
    bench.also = [&](std::string_view name) {
        if (name == hook && thrown++ % 2 == 0) throw std::runtime_error{"from " + hook};
    };
    worker.start();
    int caught = 0;
    for (int i = 0; i != 40; ++i) {
        try {
            bench.clock.advance(500ms);
        } catch (const std::runtime_error& exception) {
            CHECK(exception.what() == "from " + hook);
            ++caught;
        }
        if (i == 30) worker.pause();
        if (i == 32) worker.resume();
    }
    CHECK(caught > 0);
    CHECK(caught == (thrown + 1) / 2);
    CHECK(worker.passing());
    CHECK(worker.snapshot().state == WorkerState::waiting);
    const std::size_t started = probe.attempts();
    const std::uint64_t attempts = worker.snapshot().attempts;
    CHECK(started > 12);
    CHECK(attempts >=
          started); // one was called off before its probe started, where the hook prevented that
    bench.also = {};
    bench.clock.advance(3s);
    CHECK(probe.attempts() == started + 3);
    CHECK(worker.snapshot().attempts == attempts + 3);
}

TEST_CASE("every member may be called from inside any callback") {
    Bench bench;
    const std::string hook = GENERATE("begun", "ended", "verdict", "waiting", "on_verdict");
    const int call = GENERATE(range(0, 14));
    CAPTURE(hook, call);
    StartupGate gate{bench.io};
    AttemptLimit limit{1};
    auto probe = bench.script({Outcome::success, Outcome::failure});
    std::optional<Bench::Worker> worker{bench.make(probe, quick)};
    std::optional<Bench::Worker> moved;
    worker->limit(limit);
    worker->opens(gate);
    int left = 3;
    int waits = 0;
    int waits_told = 0;
    const auto here = [&]() -> Bench::Worker& { return moved ? *moved : *worker; };
    bench.also = [&](std::string_view name) {
        if (name != hook || left-- <= 0) return;
        Bench::Worker& w = here();
        switch (call) {
        case 0:
            w.stop();
            w.start();
            break;
        case 1:
            w.pause();
            w.resume();
            break;
        case 2: w.target_replaced(); break;
        case 3: w.target_replaced(bench.script({Outcome::warning})); break;
        case 4:
            w.target_gone();
            w.target_back();
            break;
        case 5: w.on_verdict([](const Verdict&) {}); break;
        case 6: w.on_verdict(nullptr); break;
        case 7: static_cast<void>(w.probe_now()); break;
        case 8: CHECK(w.update({.period = 2s, .failure_threshold = 1}).empty()); break;
        case 9:
            if (!moved) moved.emplace(std::move(*worker)), worker.reset();
            break;
        case 10:
            ++waits;
            w.async_wait(Health::passing, [&](std::error_code, const Verdict&) { ++waits_told; });
            break;
        case 11: gate = StartupGate{bench.io}; break;
        case 12: w = bench.make(bench.script({Outcome::success}), quick), w.start(); break;
        default:
            ++waits;
            w.async_stop([&](std::error_code error) {
                CHECK_FALSE(error);
                ++waits_told;
                here().start();
            });
        }
        CHECK(here().spec().failure_threshold == 1);
        CHECK(here().snapshot().kind == ProbeKind::readiness);
    };
    worker->start();
    bench.clock.advance(10s);
    CHECK(here().snapshot().state == WorkerState::waiting);
    CHECK(limit.in_flight() == 0);
    const std::uint64_t before = here().snapshot().attempts;
    bench.clock.advance(4s);
    CHECK(here().snapshot().attempts >= before + 2);
    here().stop();
    bench.clock.run_ready();
    CHECK(waits_told == waits);
    worker.reset();
    moved.reset();
    bench.io.restart();
    bench.io.run();
}

TEST_CASE("a limit's place is given back however the attempt ends") {
    Bench bench;
    AttemptLimit limit{1};
    StartupGate gate{bench.io};
    gate.open();
    auto other_probe = bench.script({Step::hang()});
    auto other = bench.make(other_probe, {.period = 1s, .timeout = 500ms});
    other.limit(limit);
    std::optional<Bench::Worker> worker{
        bench.make(bench.script({Step::hang()}), {.period = 1s, .timeout = 500ms})};
    worker->limit(limit);
    SECTION("destroyed when its beginning is announced") {
        bench.also = [&](std::string_view name) {
            if (name == "begun") worker.reset();
        };
        worker->start();
        bench.clock.run_ready();
    }
    SECTION("destroyed after a hook has thrown at its beginning") {
        bench.also = [&](std::string_view name) {
            if (name == "begun") throw std::runtime_error{"from begun"};
        };
        worker->start();
        CHECK_THROWS_AS(bench.clock.run_ready(), std::runtime_error);
        worker.reset();
    }
    SECTION("destroyed in flight") {
        worker->start();
        bench.clock.run_ready();
        CHECK(limit.in_flight() == 1);
        worker.reset();
    }
    SECTION("stopped in flight") {
        worker->start();
        bench.clock.run_ready();
        worker->stop();
    }
    SECTION("timed out") {
        worker->start();
        bench.clock.advance(600ms);
    }
    SECTION("its gate was closed while it waited for the permit") {
        other.start();
        bench.clock.run_ready();
        worker->start(gate);
        bench.clock.run_ready();
        CHECK(limit.waiting() == 1);
        gate.close();
        bench.clock.advance(10ms);
        other.stop();
    }
    SECTION("stopped, and started again, while it waited for the place") {
        other.start();
        bench.clock.run_ready();
        worker->start();
        bench.clock.run_ready();
        CHECK(limit.waiting() == 1);
        worker->stop();
        CHECK(limit.waiting() == 0);
        worker->start();
        bench.clock.run_ready();
        CHECK(limit.waiting() == 1);
        worker.reset();
        CHECK(limit.waiting() == 0);
        other.stop();
    }
    bench.also = {};
    bench.clock.run_ready();
    CHECK(limit.in_flight() == 0);
    CHECK(limit.waiting() == 0);
}

TEST_CASE(
    "a stop is over when the attempt has cleaned up, though the worker has been started again") {
    Bench bench;
    auto probe = bench.script({Step::hang()});
    auto worker = bench.make(probe, {.period = 1s, .timeout = 500ms});
    worker.start();
    bench.clock.run_ready();
    int notified = 0;
    worker.async_stop([&](std::error_code error) {
        CHECK_FALSE(error);
        ++notified;
    });
    worker.start();
    bench.clock.run_ready();
    CHECK(notified == 1);
    CHECK(probe.attempts() == 2);
}

TEST_CASE("changes are notified in order, never nested") {
    Bench bench;
    auto worker = bench.make(bench.script({Outcome::success}), quick);
    bool inside = false;
    std::vector<Health> notified;
    worker.on_verdict([&](const Verdict& verdict) {
        CHECK_FALSE(inside);
        inside = true;
        notified.push_back(verdict.health);
        if (notified.size() == 1) {
            worker.target_gone(); // failing
            worker.target_replaced();
            CHECK(verdict.passed()); // what was passed in stays
        }
        inside = false;
    });
    worker.start();
    bench.clock.run_ready();
    CHECK(notified == std::vector<Health>{
                          Health::passing,
                          Health::failing}); // the replacement is failing as well: no difference
    bench.clock.advance(1s);
    CHECK(notified == std::vector<Health>{Health::passing, Health::failing, Health::passing});
}

TEST_CASE("waits: judged verdicts only, soon if it is so already, aborted by stop") {
    Bench bench;
    auto worker = bench.make(bench.script({Outcome::failure, Outcome::success}),
                             {.kind = ProbeKind::liveness, .period = 1s, .failure_threshold = 2});
    Lines notified;
    const auto note = [&](std::string name) {
        return [&notified, name](std::error_code error, const Verdict& verdict) {
            notified.push_back(name + (error == asio::error::operation_aborted
                                           ? " aborted"
                                           : " " + std::string{to_string(verdict.health)}));
        };
    };
    worker.async_wait(Health::passing, note("a")); // before start
    worker.start();
    bench.clock.run_ready();
    CHECK(notified.empty()); // passing, but only as the initial value
    bench.clock.advance(1s);
    CHECK(notified == Lines{"a passing"});
    worker.async_wait(Health::passing, note("b"));
    CHECK(notified.size() == 1);
    bench.clock.run_ready();
    CHECK(notified.back() == "b passing");
    worker.async_wait(Health::failing, note("c"));
    worker.stop();
    CHECK(notified.size() == 2);
    bench.clock.run_ready();
    CHECK(notified.back() == "c aborted");
    worker.start();
    worker.async_wait(Health::passing, note("d"));
    bench.clock.run_ready();
    CHECK(notified.back() == "d passing"); // a check since the start
    worker.target_replaced();
    worker.async_wait(Health::passing, note("e"));
    bench.clock.run_ready();
    CHECK(notified.back() == "d passing"); // not judged since the replacement
    bench.clock.advance(1s);
    CHECK(notified.back() == "e passing");
    worker.async_wait(Health::failing, note("f"));
    worker.target_gone();
    bench.clock.run_ready();
    CHECK(notified.back() == "f failing");
}

TEST_CASE("work: a started worker keeps run() going in every state, and lets go as promised") {
    Bench bench;
    const auto goes_on = [&] {
        bench.io.restart();
        bench.io.poll();
        return !bench.io.stopped();
    };
    StartupGate gate{bench.io};
    auto worker = bench.make(bench.script({Outcome::failure}),
                             {.kind = ProbeKind::liveness, .period = 1s, .failure_threshold = 1});
    CHECK_FALSE(goes_on()); // not started
    worker.start(gate);
    CHECK(worker.snapshot().state == WorkerState::gated);
    CHECK(goes_on());
    gate.open();
    bench.clock.advance(1s);
    CHECK(worker.snapshot().state == WorkerState::on_hold);
    CHECK(goes_on());
    worker.target_replaced();
    worker.target_gone();
    CHECK(goes_on());
    worker.target_back();
    worker.pause();
    CHECK(goes_on());
    SECTION("stop") { worker.stop(); }
    SECTION("end") { worker.target_terminating(); }
    SECTION("destruction") { const auto gone = std::move(worker); }
    SECTION("assignment") { worker = bench.make(bench.script({Outcome::success}), quick); }
    SECTION("started twice, stopped once") {
        worker.start();
        worker.stop();
    }
    CHECK_FALSE(goes_on());
}

TEST_CASE("probe_now returns whether a check follows") {
    Bench bench;
    StartupGate gate{bench.io};
    auto probe = bench.script({Outcome::success});
    auto worker =
        bench.make(probe, {.kind = ProbeKind::liveness, .period = 10s, .failure_threshold = 1});
    CHECK_FALSE(worker.probe_now()); // stopped
    worker.start(gate);
    CHECK_FALSE(worker.probe_now()); // gated
    gate.open();
    bench.clock.advance(10s);
    CHECK(probe.attempts() >= 1);
    const std::size_t attempts = probe.attempts();
    bench.clock.advance(3s);
    CHECK(worker.probe_now());
    CHECK(probe.attempts() == attempts);
    bench.clock.run_ready();
    CHECK(probe.attempts() == attempts + 1);
    CHECK(worker.snapshot().next_at == bench.clock.now() + 10s); // the grid begins anew
    worker.pause();
    CHECK_FALSE(worker.probe_now());
    worker.resume();
    bench.clock.run_ready();
    CHECK(probe.attempts() == attempts + 2);
    worker.target_gone();
    CHECK_FALSE(worker.probe_now());
    worker.target_back();
    probe.push(Outcome::failure);
    CHECK(worker.probe_now());
    bench.clock.run_ready();
    CHECK(worker.snapshot().state == WorkerState::on_hold);
    CHECK_FALSE(worker.probe_now());
    worker.target_replaced();
    worker.target_terminating();
    CHECK(worker.snapshot().state == WorkerState::ended);
    CHECK(worker.passing());
    CHECK_FALSE(worker.probe_now());

    auto delayed =
        bench.make(bench.script({Outcome::success}), {.initial_delay = 5s, .period = 10s});
    delayed.start();
    CHECK_FALSE(delayed.probe_now());
}

TEST_CASE("update is all or nothing, and the kind stays") {
    Bench bench;
    auto worker =
        bench.make(bench.script({Outcome::failure}), {.period = 10s, .failure_threshold = 3});
    worker.start();
    bench.clock.run_ready();
    const ConfigErrors errors =
        worker.update({.kind = ProbeKind::liveness, .period = -1s, .timeout = 0s});
    REQUIRE(errors.size() == 3);
    CHECK(
        (errors[0].field == "kind" && errors[1].field == "period" && errors[2].field == "timeout"));
    CHECK(worker.spec().period == 10s);
    CHECK(worker.update({.period = 2s, .failure_threshold = 2}).empty());
    CHECK(worker.spec() == ProbeSpec{.period = 2s, .failure_threshold = 2});
    CHECK(worker.snapshot().run == 1); // counters stay
    bench.clock.advance(2s);
    CHECK(worker.snapshot().judged);
}

TEST_CASE("the execution context may go first; destruction is the one call left") {
    auto io = std::make_unique<asio::io_context>();
    int notified = 0;
    ProbeWorker worker{ExecProbe{*io, {.command = {"sleep", "60"}}},
                       {.kind = ProbeKind::liveness, .period = 1s}};
    ProbeWorker tcp{TcpProbe{*io, {.port = 1}}, {.period = 1s}};
    ProbeGroup<> group{*io};
    group.readiness(ExecProbe{*io, {.command = {"sleep", "60"}}}, {});
    StartupGate gate{*io};
    StartupGate::Condition condition = gate.add_condition();
    Process process{*io};
    AnyProbe probe{TcpProbe{*io, {.port = 1}}};
    AttemptLimit limit{1};
    worker.limit(limit);
    worker.on_verdict([&](const Verdict&) { ++notified; });
    worker.async_wait(Health::passing, [&](std::error_code, const Verdict&) { ++notified; });
    gate.async_wait([&](std::error_code) { ++notified; });
    worker.start();
    tcp.start(gate);
    tcp.opens(gate);
    group.start();
    CHECK_FALSE(process.start({.command = {"sleep", "60"}}));
    process.async_wait([&](std::error_code, ExitStatus) { ++notified; });
    io->poll();
    io.reset();
    CHECK(notified == 0);
}
