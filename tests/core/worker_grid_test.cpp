// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/core/go_text.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/core/worker_fsm.hpp>

#include "../tools/printing.hpp"

// When checks happen, on a clock that is a variable. The simulation does what a worker does: it
// keeps one timer, has at most one attempt in flight and passes what happens to the FSM.
namespace {

using namespace probekit;
using namespace std::chrono_literals;

constexpr TimePoint at(Duration since_start) { return TimePoint{since_start}; }

struct CheckBegun {
    Duration begun = {};
    Duration late = {};
    int skipped = 0;

    friend bool operator==(const CheckBegun&, const CheckBegun&) = default;
};

std::string shown(const std::vector<CheckBegun>& checks) {
    std::string text;
    for (const CheckBegun& check : checks)
        text += go_duration(check.begun) + "(late " + go_duration(check.late) + ", skipped " +
                std::to_string(check.skipped) + ") ";
    return text;
}

class Simulation {
public:
    using Answer = std::function<ProbeResult(Duration now)>;

    explicit Simulation(const ProbeSpec& spec) : fsm(spec) {}

    /// Passes the FSM one event at the present moment.
    template <class Event>
    Decision apply(Event happened) {
        return carry_out(fsm.step(happened, at(now)));
    }

    /// Runs up to and including `until`.
    void run(Duration until) {
        while (true) {
            std::optional<Duration> next;
            if (end_) next = *end_;
            if (timer_ && (!next || *timer_ < *next)) next = *timer_;
            if (!next || *next > until) break;
            now = std::max(now, *next);
            if (end_ && *end_ <= now) {
                end_.reset();
                const ProbeResult result = answer(now);
                carry_out(fsm.step(event::Result{result}, at(now)));
            } else {
                timer_.reset();
                carry_out(fsm.step(event::Due{}, at(now)));
            }
        }
        now = until;
    }

    [[nodiscard]] std::vector<Duration> times() const {
        std::vector<Duration> all;
        for (const CheckBegun& check : checks) all.push_back(check.begun);
        return all;
    }

    WorkerFsm<> fsm;
    Duration now = 0s;
    std::function<Duration(std::size_t)> takes = [](std::size_t) {
        return 0s;
    }; // how long the n-th check lasts
    std::function<Duration(Duration)> wakes = [](Duration due) {
        return due;
    }; // how late the timer is
    Answer answer = [](Duration) { return ProbeResult::success(); };
    std::vector<CheckBegun> checks;
    std::vector<std::pair<Duration, Health>> verdicts;
    bool overlap = false;

private:
    Decision carry_out(const Decision& decision) {
        if (decision.changed) verdicts.emplace_back(now, decision.health);
        if (decision.cancel) {
            end_.reset();
            return carry_out(fsm.step(event::AttemptCancelled{}, at(now)));
        }
        switch (decision.action) {
        case Decision::Action::none: break;
        case Decision::Action::attempt:
            overlap = overlap || end_.has_value();
            timer_.reset();
            checks.push_back({now, at(now) - fsm.due(), decision.skipped});
            end_ = now + takes(checks.size() - 1);
            break;
        case Decision::Action::wait:
            timer_.reset();
            if (decision.at != TimePoint::max()) timer_ = wakes(decision.at.time_since_epoch());
            break;
        case Decision::Action::hold:
        case Decision::Action::end: timer_.reset(); break;
        }
        return decision;
    }

    std::optional<Duration> timer_;
    std::optional<Duration> end_; // of the attempt in flight
};

using Times = std::vector<Duration>;

} // namespace

TEST_CASE("Checks stay on the grid from the start, whatever they take") {
    const Duration takes = GENERATE(0ms, 1ms, 700ms, 999ms);
    Simulation s{{.period = 1s}};
    s.takes = [takes](std::size_t) { return takes; };
    s.apply(event::Started{});
    s.run(100s);
    REQUIRE(s.checks.size() == 101);
    for (std::size_t i = 0; i != s.checks.size(); ++i)
        CHECK(s.checks[i] == CheckBegun{std::chrono::seconds{i}, 0s, 0});
}

TEST_CASE("A late timer does not shift the grid") {
    Simulation s{{.period = 1s}};
    s.wakes = [](Duration due) { return due + 300ms; };
    s.apply(event::Started{});
    s.run(4s);
    CHECK(s.checks == std::vector<CheckBegun>{
                          {0s, 0s, 0}, {1300ms, 300ms, 0}, {2300ms, 300ms, 0}, {3300ms, 300ms, 0}});
}

TEST_CASE("A timer later than a period loses the points that passed, as a ticker does") {
    Simulation s{{.period = 1s}};
    s.wakes = [](Duration due) { return due == 1s ? 4500ms : due; };
    s.apply(event::Started{});
    s.run(6s);
    INFO(shown(s.checks));
    CHECK(s.checks ==
          std::vector<CheckBegun>{{0s, 0s, 0}, {4500ms, 3500ms, 3}, {5s, 0s, 0}, {6s, 0s, 0}});
}

TEST_CASE("A check exactly a period late is the next point's check") {
    Simulation s{{.period = 1s}};
    s.wakes = [](Duration due) { return due == 1s ? 2s : due; };
    s.apply(event::Started{});
    s.run(3s);
    CHECK(s.checks == std::vector<CheckBegun>{{0s, 0s, 0}, {2s, 1s, 1}, {3s, 0s, 0}});
}

TEST_CASE("A point that passes during a check is made up at once, further ones are lost") {
    Simulation s{{.period = 1s}};

    SECTION("one point") {
        s.takes = [](std::size_t check) { return check == 0 ? 1500ms : 0ms; };
        s.apply(event::Started{});
        s.run(3s);
        CHECK(s.checks ==
              std::vector<CheckBegun>{{0s, 0s, 0}, {1500ms, 500ms, 0}, {2s, 0s, 0}, {3s, 0s, 0}});
    }
    SECTION("three points") {
        s.takes = [](std::size_t check) { return check == 0 ? 3500ms : 0ms; };
        s.apply(event::Started{});
        s.run(5s);
        CHECK(s.checks ==
              std::vector<CheckBegun>{{0s, 0s, 0}, {3500ms, 2500ms, 2}, {4s, 0s, 0}, {5s, 0s, 0}});
    }
    SECTION("exactly a period: the next point is in time") {
        s.takes = [](std::size_t) { return 1s; };
        s.apply(event::Started{});
        s.run(3s);
        CHECK(s.checks ==
              std::vector<CheckBegun>{{0s, 0s, 0}, {1s, 0s, 0}, {2s, 0s, 0}, {3s, 0s, 0}});
    }
    SECTION("all checks are longer than the period: one follows the other") {
        s.takes = [](std::size_t) { return 2500ms; };
        s.apply(event::Started{});
        s.run(10s);
        CHECK(s.times() == Times{0s, 2500ms, 5s, 7500ms, 10s});
    }
    CHECK_FALSE(s.overlap);
}

TEST_CASE("The first check is at the first grid point not before the initial delay") {
    struct Row {
        Duration period, delay, target_before_start, first;
    };
    const Row row = GENERATE(Row{10s, 0s, 0s, 0s}, Row{10s, 1s, 0s, 10s}, Row{3s, 1s, 0s, 3s},
                             Row{5s, 15s, 0s, 15s}, Row{5s, 15001ms, 0s, 20s},
                             Row{10s, 5s, 2s, 10s}, Row{10s, 5s, 5s, 0s}, Row{10s, 5s, 60s, 0s},
                             Row{10s, 30s, -5s, 40s}, Row{300ms, 1s, 0s, 1200ms});
    Simulation s{{.initial_delay = row.delay, .period = row.period}};
    s.apply(event::Started{at(-row.target_before_start)});
    s.run(100s);
    CAPTURE(row.period, row.delay, row.target_before_start);
    REQUIRE_FALSE(s.checks.empty());
    CHECK(s.checks[0] == CheckBegun{row.first, 0s, 0});
    CHECK(s.checks[1].begun == row.first + row.period);
}

TEST_CASE("Never: durations without end") {
    SECTION("initial delay") {
        Simulation s{{.initial_delay = Duration::max()}};
        s.apply(event::Started{at(5s)});
        s.run(1h);
        CHECK(s.checks.empty());
        CHECK(s.fsm.next_check() == TimePoint::max());
        s.apply(event::Triggered{});
        CHECK(s.checks.empty());
    }
    SECTION("period") {
        Simulation s{{.period = Duration::max()}};
        s.now = 5s;
        s.apply(event::Started{at(5s)});
        s.run(1h);
        CHECK(s.times() == Times{5s});
        CHECK(s.fsm.next_check() == TimePoint::max());
        s.apply(event::Triggered{});
        CHECK(s.times() == Times{5s, 1h});
        (void)s.fsm.update({.period = 10s}, at(1h));
        CHECK(s.fsm.next_check() == at(1h + 10s));
    }
    SECTION("both, with jitter and spread") {
        Simulation s{
            {.initial_delay = Duration::max(),
             .period = Duration::max(),
             .pacing = {.spread = Duration::max(), .jitter = Duration::max() - 1ns, .seed = 3}}};
        s.apply(event::Started{});
        s.apply(event::Triggered{});
        s.run(1h);
        CHECK(s.checks.empty());
    }
}

TEST_CASE("A trigger checks at once and begins the grid anew") {
    Simulation s{{.period = 10s}};
    s.apply(event::Started{});
    s.run(13s);
    s.apply(event::Triggered{});
    s.run(40s);
    CHECK(s.checks == std::vector<CheckBegun>{
                          {0s, 0s, 0}, {10s, 0s, 0}, {13s, 0s, 0}, {23s, 0s, 0}, {33s, 0s, 0}});
}

TEST_CASE("A trigger during a check is one more check right after, from which the grid goes on") {
    Simulation s{{.period = 10s}};
    s.takes = [](std::size_t check) { return check == 0 ? 4s : 0s; };
    s.apply(event::Started{});
    s.run(2s);
    s.apply(event::Triggered{});
    s.apply(event::Triggered{}); // one is remembered, not two
    CHECK(s.fsm.check_pending());
    s.run(30s);
    CHECK(s.checks ==
          std::vector<CheckBegun>{{0s, 0s, 0}, {4s, 0s, 0}, {14s, 0s, 0}, {24s, 0s, 0}});
}

TEST_CASE("A trigger inside the initial delay causes no check, but begins the grid anew") {
    Simulation s{{.initial_delay = 15s, .period = 10s}};
    s.apply(event::Started{});
    s.run(3s);
    const Decision decision = s.apply(event::Triggered{});
    CHECK(decision.action == Decision::Action::wait);
    CHECK(decision.at == at(23s));
    s.run(40s);
    CHECK(s.times() == Times{23s, 33s});
}

TEST_CASE("A trigger behind a closed gate causes no check, but begins the grid anew") {
    Simulation s{{.kind = ProbeKind::liveness, .period = 10s}};
    s.apply(event::GateClosed{});
    s.apply(event::Started{});
    s.run(3s);
    CHECK(s.apply(event::Triggered{}).action == Decision::Action::hold);
    s.run(15s);
    s.apply(event::GateOpened{});
    s.run(40s);
    CHECK(s.checks == std::vector<CheckBegun>{{23s, 0s, 0}, {33s, 0s, 0}});
}

TEST_CASE("When its gate opens readiness checks at once, the others at their next grid point") {
    const ProbeKind kind = GENERATE(ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness);
    Simulation s{{.kind = kind, .period = 10s, .failure_threshold = 100}};
    s.answer = [](Duration) { return ProbeResult::failure(std::string{}); };
    s.apply(event::GateClosed{});
    s.apply(event::Started{});
    CHECK(s.fsm.state() == WorkerState::gated);
    CHECK(s.fsm.next_check() == TimePoint::max());
    s.run(24s);
    s.apply(event::GateOpened{});
    s.run(55s);
    // Points that passed behind the gate are neither made up nor counted.
    const Times expected =
        kind == ProbeKind::readiness ? Times{24s, 34s, 44s, 54s} : Times{30s, 40s, 50s};
    CHECK(s.times() == expected);
    for (const CheckBegun& check : s.checks) CHECK(check.skipped == 0);
}

TEST_CASE("The initial delay counts from the start, not from the gate") {
    Simulation s{{.kind = ProbeKind::liveness, .initial_delay = 25s, .period = 10s}};
    s.apply(event::GateClosed{});
    s.apply(event::Started{});
    SECTION("gate opens before") {
        s.run(12s);
        s.apply(event::GateOpened{});
        s.run(45s);
        CHECK(s.times() == Times{30s, 40s});
    }
    SECTION("gate opens after") {
        s.run(32s);
        s.apply(event::GateOpened{});
        s.run(45s);
        CHECK(s.times() == Times{40s});
    }
}

TEST_CASE("A new target does not move the grid; its delay counts from its own start") {
    Simulation s{
        {.kind = ProbeKind::liveness, .initial_delay = 5s, .period = 10s, .failure_threshold = 1}};
    s.answer = [](Duration now) {
        return now == 10s ? ProbeResult::failure(std::string{}) : ProbeResult::success();
    };
    s.apply(event::Started{});
    s.run(33s); // failed at 10 s, on hold since
    CHECK(s.times() == Times{10s});
    s.apply(event::TargetStarted{at(33s)});
    s.run(60s);
    CHECK(s.checks ==
          std::vector<CheckBegun>{{10s, 0s, 0}, {40s, 0s, 0}, {50s, 0s, 0}, {60s, 0s, 0}});
    s.now = 66s;
    s.apply(event::TargetStarted{at(66s)});
    s.run(80s);
    CHECK(s.times() == Times{10s, 40s, 50s, 60s, 80s}); // 70 s is inside its delay
}

TEST_CASE("Points that passed on hold or without a target are not made up for the next target") {
    Simulation s{{.kind = ProbeKind::liveness, .period = 10s, .failure_threshold = 1}};
    s.answer = [](Duration now) {
        return now == 10s ? ProbeResult::failure(std::string{}) : ProbeResult::success();
    };
    s.apply(event::Started{});
    s.run(33s); // on hold since 10 s
    s.apply(event::TargetStarted{at(33s)});
    s.run(42s);
    s.apply(event::TargetGone{});
    s.run(75s);
    s.apply(event::TargetStarted{at(75s)});
    s.run(80s);
    CHECK(s.checks ==
          std::vector<CheckBegun>{{0s, 0s, 0}, {10s, 0s, 0}, {40s, 0s, 0}, {80s, 0s, 0}});
}

TEST_CASE("A target that comes back is checked at the next grid point") {
    Simulation s{{.period = 10s}};
    s.apply(event::Started{});
    s.run(3s);
    s.apply(event::TargetGone{});
    s.run(47s);
    s.apply(event::TargetBack{});
    s.run(60s);
    CHECK(s.checks == std::vector<CheckBegun>{{0s, 0s, 0}, {50s, 0s, 0}, {60s, 0s, 0}});
}

TEST_CASE("Resuming checks at once and begins the grid anew") {
    Simulation s{{.period = 10s}};
    s.apply(event::Started{});
    s.run(3s);
    s.apply(event::Paused{});
    s.run(47s);
    CHECK(s.times() == Times{0s});
    s.apply(event::Resumed{});
    s.run(60s);
    CHECK(s.checks == std::vector<CheckBegun>{{0s, 0s, 0}, {47s, 0s, 0}, {57s, 0s, 0}});
}

TEST_CASE("Another period counts from the last check") {
    Simulation s{{.period = 10s}};
    s.apply(event::Started{});
    s.run(13s);
    struct Row {
        Duration period;
        Duration next;
    };
    const Row row =
        GENERATE(Row{10s, 20s}, Row{4s, 14s}, Row{2s, 14s}, Row{60s, 70s}, Row{3s, 13s});
    ProbeSpec spec = s.fsm.spec();
    spec.period = row.period;
    const Decision decision = s.fsm.update(spec, at(13s));
    CAPTURE(row.period);
    CHECK(s.fsm.spec() == spec);
    if (row.next == 13s) {
        CHECK(decision.action == Decision::Action::attempt);
    } else {
        CHECK(decision.action == Decision::Action::wait);
        CHECK(decision.at == at(row.next));
        CHECK(s.fsm.next_check() == at(row.next));
    }
}

TEST_CASE("A shorter initial delay applies at once") {
    Simulation s{{.initial_delay = 60s, .period = 10s}};
    s.apply(event::Started{});
    s.run(13s);
    CHECK(s.fsm.next_check() == at(60s));
    // The grid from the start stands: 10 s has passed, and no check was to come there.
    CHECK(s.fsm.update({.initial_delay = 5s, .period = 10s}, at(13s)).at == at(20s));
}

TEST_CASE("A target that has run for long takes over inside another's delay: the next grid point "
          "is its first") {
    Simulation s{{.initial_delay = 60s, .period = 10s}};
    s.apply(event::Started{});
    s.run(13s);
    s.apply(event::TargetStarted{at(-100s), true});
    s.run(35s);
    CHECK(s.checks == std::vector<CheckBegun>{{20s, 0s, 0}, {30s, 0s, 0}});
}

// ---- container-scoped probes ----

TEST_CASE("Cadence::target_start: the first check comes exactly after the delay, the grid begins "
          "with it") {
    Simulation s{
        {.initial_delay = 3s, .period = 10s, .pacing = {.cadence = Cadence::target_start}}};
    s.apply(event::Started{at(0s)});
    s.run(25s);
    CHECK(s.times() == Times{3s, 13s, 23s});
    s.apply(event::TargetStarted{at(25s)});
    s.run(50s);
    CHECK(s.times() == Times{3s, 13s, 23s, 28s, 38s, 48s});
    for (const CheckBegun& check : s.checks) CHECK(check == CheckBegun{check.begun, 0s, 0});
}

TEST_CASE("One spec under both cadences, as docs/kubelet.md shows it") {
    // Healthy until 24 s, and up again two seconds after it was killed.
    const auto life = [](Cadence cadence) {
        Simulation s{{.kind = ProbeKind::liveness,
                      .initial_delay = 3s,
                      .period = 10s,
                      .failure_threshold = 2,
                      .pacing = {.cadence = cadence}}};
        Duration healthy_until = 24s;
        s.answer = [&](Duration now) {
            return now < healthy_until ? ProbeResult::success()
                                       : ProbeResult::failure(Errc::timed_out);
        };
        s.apply(event::Started{at(0s)});
        s.run(s.fsm.next_check().time_since_epoch());
        while (s.fsm.state() != WorkerState::on_hold) s.run(s.fsm.next_check().time_since_epoch());
        healthy_until = Duration::max();
        s.now += 2s;
        s.apply(event::TargetStarted{at(s.now)});
        s.run(60s);
        return s.times();
    };
    CHECK(life(Cadence::grid) == Times{10s, 20s, 30s, 40s /* killed, up at 42 s */, 50s, 60s});
    CHECK(life(Cadence::target_start) ==
          Times{3s, 13s, 23s, 33s, 43s /* killed, up at 45 s */, 48s, 58s});
}

TEST_CASE("Cadence::target_start: a target that has run longer than the delay is checked at once") {
    Simulation s{
        {.initial_delay = 3s, .period = 10s, .pacing = {.cadence = Cadence::target_start}}};
    s.now = 20s;
    s.apply(event::Started{at(0s)});
    s.run(35s);
    CHECK(s.times() == Times{20s, 30s});
}

TEST_CASE(
    "Cadence::target_start: with a gate the first check waits for the later of delay and gate") {
    const ProbeKind kind = GENERATE(ProbeKind::liveness, ProbeKind::readiness);
    Simulation s{{.kind = kind,
                  .initial_delay = 5s,
                  .period = 10s,
                  .pacing = {.cadence = Cadence::target_start}}};
    s.apply(event::GateClosed{});
    s.apply(event::Started{});
    SECTION("gate later") {
        s.run(7s);
        s.apply(event::GateOpened{});
        s.run(20s);
        CHECK(s.times() == Times{7s, 17s});
    }
    SECTION("delay later") {
        s.run(2s);
        s.apply(event::GateOpened{});
        s.run(20s);
        CHECK(s.times() == Times{5s, 15s});
    }
    SECTION("a trigger before changes nothing") {
        s.run(1s);
        s.apply(event::Triggered{});
        s.run(2s);
        s.apply(event::GateOpened{});
        s.run(3s);
        s.apply(event::Triggered{});
        s.run(20s);
        CHECK(s.times() == Times{5s, 15s});
    }
}

TEST_CASE("Cadence::target_start: a gate that opens again is a new beginning, for every kind") {
    Simulation s{
        {.kind = ProbeKind::liveness, .period = 10s, .pacing = {.cadence = Cadence::target_start}}};
    s.apply(event::Started{});
    s.run(3s);
    s.apply(event::GateClosed{});
    s.run(27s);
    s.apply(event::GateOpened{});
    s.run(40s);
    CHECK(s.checks == std::vector<CheckBegun>{{0s, 0s, 0}, {27s, 0s, 0}, {37s, 0s, 0}});
}

TEST_CASE("Cadence::target_start: counters begin anew with each target, on the grid they go on") {
    const Cadence cadence = GENERATE(Cadence::grid, Cadence::target_start);
    Simulation s{{.kind = ProbeKind::liveness,
                  .period = 10s,
                  .failure_threshold = 3,
                  .pacing = {.cadence = cadence}}};
    s.answer = [](Duration) { return ProbeResult::failure(std::string{}); };
    s.apply(event::Started{});
    s.run(15s); // checks at 0 s and 10 s
    CHECK(s.fsm.run() == 2);
    s.apply(event::TargetStarted{at(15s)});
    CHECK(s.fsm.run() == (cadence == Cadence::grid ? 2 : 0));
    s.run(60s);
    const auto failed = std::find(
        s.verdicts.begin(), s.verdicts.end(),
        std::pair<Duration, Health>{cadence == Cadence::grid ? 20s : 35s, Health::failing});
    CHECK(failed != s.verdicts.end());
}

TEST_CASE("Cadence::target_start: an adopted target is checked within a period, not all at once") {
    std::vector<Duration> firsts;
    for (std::uint64_t seed = 1; seed != 101; ++seed) {
        Simulation s{{.initial_delay = 5s,
                      .period = 10s,
                      .pacing = {.cadence = Cadence::target_start, .seed = seed}}};
        s.now = 100s;
        s.apply(event::Started{at(100s)});
        s.apply(event::TargetStarted{at(0s), true});
        s.run(200s);
        firsts.push_back(s.checks.at(0).begun - 100s);
        CHECK(s.checks.at(1).begun == s.checks.at(0).begun + 10s);
    }
    const auto [least, most] = std::minmax_element(firsts.begin(), firsts.end());
    CHECK(*least >= 0s);
    CHECK(*most < 10s);
    CHECK(*most - *least > 8s);
}

// ---- spread and jitter ----

TEST_CASE("Spread begins the grid somewhere in its span, and the grid stays a grid") {
    const Cadence cadence = GENERATE(Cadence::grid, Cadence::target_start);
    std::vector<Duration> firsts;
    for (std::uint64_t seed = 1; seed != 201; ++seed) {
        Simulation s{{.period = 10s, .pacing = {.cadence = cadence, .spread = 10s, .seed = seed}}};
        s.apply(event::Started{});
        s.run(45s);
        firsts.push_back(s.checks.at(0).begun);
        for (std::size_t i = 1; i != s.checks.size(); ++i)
            CHECK(s.checks[i].begun - s.checks[i - 1].begun == 10s);
    }
    const auto [least, most] = std::minmax_element(firsts.begin(), firsts.end());
    CHECK(*least >= 0s);
    CHECK(*least < 500ms);
    CHECK(*most < 10s);
    CHECK(*most > 9500ms);
    const Duration mean = std::accumulate(firsts.begin(), firsts.end(), Duration{}) / 200;
    CHECK(mean > 4s);
    CHECK(mean < 6s);
}

TEST_CASE("Jitter keeps each check within its span after its grid point, and loses none") {
    const Duration jitter = GENERATE(1000ms, 9999ms);
    Simulation s{{.period = 10s, .pacing = {.jitter = jitter, .seed = 7}}};
    s.wakes = [](Duration due) { return due + 1ms; };
    s.takes = [](std::size_t) { return 5ms; };
    s.apply(event::Started{});
    s.run(10'000s + jitter);
    REQUIRE(s.checks.size() >= 1000);
    bool differ = false;
    for (std::size_t i = 0; i != 1000; ++i) {
        const Duration offset = s.checks[i].begun - std::chrono::seconds{10 * i};
        CHECK(offset >= 0s);
        CHECK(offset < jitter + 7ms);
        CHECK(s.checks[i].skipped == 0);
        differ = differ || offset != s.checks[0].begun;
    }
    CHECK(differ);
}

TEST_CASE("The same seed gives the same checks, another seed others, no seed each worker its own") {
    const auto checks = [](std::uint64_t seed) {
        Simulation s{{.period = 10s, .pacing = {.spread = 10s, .jitter = 5s, .seed = seed}}};
        s.apply(event::Started{});
        s.run(100s);
        return s.times();
    };
    CHECK(checks(1) == checks(1));
    CHECK(checks(1) != checks(2));
    Simulation one{{.pacing = {.spread = 10s}}};
    Simulation other{{.pacing = {.spread = 10s}}};
    one.apply(event::Started{});
    other.apply(event::Started{});
    CHECK(one.fsm.next_check() != other.fsm.next_check());
}

// ---- whole stories ----

TEST_CASE(
    "A container whose file vanishes is restarted every 42 s, and backs off at the sixth kill") {
    // liveness exec `test -e /tmp/healthy`, initial delay 1 s, period 3 s; the file is there
    // for 3.5 s; the process ignores SIGTERM, so that killing it takes the grace period of 30 s.
    // The next instance runs 1 s later.
    Simulation s{{.kind = ProbeKind::liveness, .initial_delay = 1s, .period = 3s}};
    Duration born = 0s;
    s.answer = [&](Duration now) {
        return now - born < 3500ms ? ProbeResult::success()
                                   : ProbeResult::failure(std::string{}, Errc::exit_status);
    };
    RestartBackOff back_off;
    s.apply(event::Started{at(0s)});
    std::vector<Duration> restarts;
    std::optional<Duration> backs_off;
    while (!backs_off) {
        while (s.fsm.state() != WorkerState::on_hold) s.run(s.now + 1s);
        const Duration killed = s.now + 30s;
        const TimePoint next = back_off.after_kill(at(killed));
        s.run(killed + 1s);
        if (next > at(killed)) {
            backs_off = s.now;
        } else {
            born = s.now;
            restarts.push_back(born);
            s.apply(event::TargetStarted{at(born)});
        }
    }
    CHECK(restarts == Times{43s, 85s, 127s, 169s, 211s});
    CHECK(*backs_off == 253s);
    CHECK(back_off.current() == 80s);
}

TEST_CASE("A server whose first answer takes 15 s is ready at 31 s") {
    // readiness httpGet, initial delay 15, timeout 2, period 5: those at 15, 20, 25 time out, the
    // one at 30 succeeds.
    Simulation s{{.initial_delay = 15s, .period = 5s, .timeout = 2s}};
    s.answer = [](Duration now) {
        return now < 30s ? ProbeResult::failure(std::string{}, Errc::timed_out)
                         : ProbeResult::success();
    };
    s.takes = [](std::size_t check) { return check < 3 ? 2s : 1ms; };
    s.apply(event::Started{});
    s.run(40s);
    CHECK(s.times() == Times{15s, 20s, 25s, 30s, 35s, 40s});
    REQUIRE(s.verdicts.size() == 2);
    CHECK(s.verdicts[0] == std::pair<Duration, Health>{27s, Health::failing});
    CHECK(s.verdicts[1] == std::pair<Duration, Health>{30001ms, Health::passing});
}

TEST_CASE("The worst case of detection is met and never exceeded") {
    const Duration takes = GENERATE(0ms, 400ms, 1000ms);
    const ProbeSpec spec{
        .kind = ProbeKind::liveness, .period = 1s, .timeout = 1s, .failure_threshold = 3};
    Duration worst = 0s;
    for (Duration dies = 5s; dies < 7s; dies += 10ms) {
        Simulation s{spec};
        s.takes = [&](std::size_t) { return s.now > dies ? takes : 0ms; };
        s.answer = [&](Duration now) {
            return now > dies ? ProbeResult::failure(std::string{}) : ProbeResult::success();
        };
        s.apply(event::Started{});
        s.run(60s);
        REQUIRE(s.verdicts.back().second == Health::failing);
        worst = std::max(worst, s.verdicts.back().first - dies);
    }
    CHECK(worst <= worst_case_detection(spec));
    if (takes == spec.timeout) CHECK(worst >= worst_case_detection(spec) - 20ms);
}
