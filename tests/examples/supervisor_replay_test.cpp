// The same scripts through the simulation and through what the supervisor decides by: a ProbeGroup,
// the container's machine and the pod's plan, on a clock that is moved by hand and with a process
// that is only said to run. Both must see the same events at the same moments.
#include <algorithm>
#include <csignal>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/core/container_fsm.hpp>
#include <probekit/runtime/probe_group.hpp>
#include <probekit/simulation/simulate.hpp>
#include <probekit/testing/manual_clock.hpp>
#include <probekit/testing/scripted_probe.hpp>

#include "run/pod_plan.hpp"

using namespace probekit;
using namespace std::chrono_literals;
using simulation::Event;
using What = Event::What;

namespace {

using Lines = std::vector<std::string>;

/// What a probe's attempts meet, in turn; the last repeats. Each takes a millisecond.
using Outcomes = std::map<ProbeKind, std::vector<Outcome>>;

struct Case {
    std::string name;
    simulation::Container container = {};
    Outcomes outcomes = {};
    std::vector<simulation::ProcessBehaviour> runs = {};
    std::optional<Duration> stop_after = {};
    Duration length = 300s;
};

std::string text(const Event& event) {
    const auto milliseconds = [](Duration span) {
        return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(span).count());
    };
    std::string line = milliseconds(event.at) + " " + std::string{to_string(event.what)};
    if (event.what == What::kill) line += " for " + std::string{to_string(event.kind)};
    if (event.what == What::kill || event.what == What::stop || event.what == What::back_off)
        line += " " + milliseconds(event.span);
    if (event.what == What::back_off) line += " of " + milliseconds(event.delay);
    if (event.what == What::ended) line += " with " + std::to_string(event.exit.as_shell());
    return line;
}

Lines simulated(const Case& given) {
    const simulation::Responses responses = [&](const simulation::Check& check) {
        const std::vector<Outcome>& all = given.outcomes.at(check.kind);
        const auto number = std::min(static_cast<std::size_t>(check.number), all.size());
        return simulation::Response{.outcome = all[number - 1]};
    };
    const simulation::Timeline timeline = simulate(given.container, {.responses = responses,
                                                                     .runs = given.runs,
                                                                     .stop_after = given.stop_after,
                                                                     .length = given.length});
    Lines lines;
    for (const Event& event : timeline.events)
        if (event.what != What::check && event.what != What::verdict) lines.push_back(text(event));
    return lines;
}

/// A pod of one container, run as the supervisor's PodRunner and ContainerRunner do.
class Pod {
public:
    explicit Pod(const Case& given) : case_(given), fsm_(given.container.settings()) {
        pod_.restart_policy = given.container.restart_policy;
        pod_.containers.emplace_back().restart_policy = given.container.restart_policy;
        for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::readiness, ProbeKind::liveness})
            if (const auto& spec = given.container.probe(kind)) add_probe(kind, *spec);
        group_.on_change([this](const GroupChange& change) { changed(change.event); });
    }

    Lines run() {
        sync();
        while (clock_.now() < begin_ + case_.length) {
            // In small steps, since a step may bring about something sooner than was known.
            const TimePoint next = std::min({exits_at_, killed_at_, starts_at_, stops_at_});
            clock_.advance(std::min<Duration>(next - clock_.now(), 50ms));
            if (exits_at_ <= clock_.now()) process_ended(behaviour().exit);
            if (killed_at_ <= clock_.now()) process_ended(signalled_exit_);
            if (starts_at_ <= clock_.now()) sync();
            if (stops_at_ <= clock_.now()) stop();
        }
        return lines_;
    }

private:
    static constexpr TimePoint never = TimePoint::max();

    void add_probe(ProbeKind kind, const ProbeSpec& spec) {
        testing::ScriptedProbe probe{clock_, {}};
        for (const Outcome outcome : case_.outcomes.at(kind)) probe.push({outcome, 1ms});
        if (kind == ProbeKind::startup) group_.startup(probe, spec);
        if (kind == ProbeKind::readiness) group_.readiness(probe, spec);
        if (kind == ProbeKind::liveness) group_.liveness(probe, spec);
    }

    void sync() {
        if (stopping_ || fsm_.state() == ContainerState::ending) return;
        if (fsm_.alive()) group_.probe_unready();
        const supervisor::PodPlan plan =
            plan_pod(pod_, {{.state = fsm_.state(),
                             .started = fsm_.alive() && group_.started(),
                             .probe_failed = fsm_.alive() && group_.failed().has_value()}});
        CHECK(plan.end == (fsm_.state() == ContainerState::over));
        if (!plan.kill.empty()) kill_for_probe();
        if (!plan.start.empty()) start();
    }

    void start() {
        const ContainerDecision decision = fsm_.step(event::Due{}, clock_.now());
        if (decision.action == ContainerDecision::Action::wait) {
            record({.what = What::back_off,
                    .span = decision.at - clock_.now(),
                    .delay = decision.delay});
            starts_at_ = decision.at;
            return;
        }
        REQUIRE(decision.action == ContainerDecision::Action::start);
        starts_at_ = never;
        fsm_.step(event::Started{}, clock_.now());
        ++starts_;
        if (behaviour().exits_after) exits_at_ = clock_.now() + *behaviour().exits_after;
        record({.what = What::running});
        if (starts_ == 1)
            group_.start();
        else
            group_.target_replaced(
                truncated_start(clock_.now(), begin_, case_.container.start_precision()));
        clock_.run_ready();
        sync();
    }

    void changed(GroupEvent event) {
        if (event == GroupEvent::started && case_.container.startup)
            record({.what = What::started});
        if (event == GroupEvent::ready) record({.what = What::ready});
        if (event == GroupEvent::unready) record({.what = What::unready});
        sync();
    }

    void kill_for_probe() {
        const ProbeKind kind = *group_.failed();
        const ContainerDecision decision = fsm_.step(
            event::ProbeFailed{kind, case_.container.probe(kind)->termination_grace_period},
            clock_.now());
        signal(decision, {.what = What::kill, .kind = kind});
    }

    void stop() {
        stops_at_ = starts_at_ = never;
        stopping_ = true;
        group_.target_terminating();
        const ContainerDecision decision = fsm_.step(event::StopAsked{}, clock_.now());
        if (decision.action == ContainerDecision::Action::over) record({.what = What::over});
        signal(decision, {.what = What::stop});
    }

    void signal(const ContainerDecision& decision, Event event) {
        if (decision.action != ContainerDecision::Action::signal) return;
        event.span = decision.grace;
        record(event);
        const bool heeds = behaviour().ends_in <= decision.grace;
        const TimePoint ends = clock_.now() + (heeds ? behaviour().ends_in : decision.grace);
        if (ends >= killed_at_) return;
        killed_at_ = ends;
        signalled_exit_ = heeds ? behaviour().sigterm_exit : ExitStatus{.signal = SIGKILL};
    }

    void process_ended(ExitStatus exit) {
        exits_at_ = killed_at_ = never;
        record({.what = What::ended, .exit = exit});
        group_.target_gone();
        clock_.run_ready();
        const ContainerDecision decision = fsm_.step(event::Ended{exit}, clock_.now());
        if (decision.action == ContainerDecision::Action::over) {
            stops_at_ = never;
            record({.what = What::over});
        }
        sync();
    }

    [[nodiscard]] simulation::ProcessBehaviour behaviour() const {
        if (case_.runs.empty()) return {};
        return case_.runs[std::min(starts_, case_.runs.size()) - 1];
    }

    void record(Event event) {
        event.at = clock_.now() - begin_;
        lines_.push_back(text(event));
    }

    const Case& case_;
    supervisor::PodSpec pod_ = {};
    ContainerFsm fsm_;
    asio::io_context io_;
    testing::ManualClock clock_{io_};
    ProbeGroup<NoObserver, testing::ManualClock> group_{clock_, io_};
    TimePoint begin_ = clock_.now();
    Lines lines_ = {};
    std::size_t starts_ = 0;
    TimePoint exits_at_ = never;
    TimePoint killed_at_ = never;
    TimePoint starts_at_ = never;
    TimePoint stops_at_ = case_.stop_after ? begin_ + *case_.stop_after : never;
    ExitStatus signalled_exit_ = {};
    bool stopping_ = false;
};

constexpr auto ok = Outcome::success;
constexpr auto bad = Outcome::failure;

/// A probe that fails from its third check on.
const std::vector<Outcome> soon_bad{ok, ok, bad};

simulation::ProcessBehaviour exits(Duration after, int code) {
    return {.exits_after = after, .exit = {.code = code}};
}
simulation::ProcessBehaviour heeds_sigterm(ExitStatus exit) {
    return {.ends_in = 1300ms, .sigterm_exit = exit};
}

std::vector<Case> cases() {
    constexpr auto on_failure = RestartPolicy::on_failure;
    constexpr auto never = RestartPolicy::never;
    const ProbeSpec every_10s{.kind = ProbeKind::liveness};
    const ProbeSpec every_5s{.period = 5s};
    using Kind = ProbeKind;
    return {
        {.name = "exits, always restarted", .runs = {exits(3700ms, 1)}},
        {.name = "exits with 0, always restarted", .runs = {exits(3700ms, 0)}},
        {.name = "restarted until it exits with 0",
         .container = {.restart_policy = on_failure},
         .runs = {exits(3700ms, 1), exits(200ms, 7), exits(700ms, 0)}},
        {.name = "never restarted", .container = {.restart_policy = never}, .runs = {exits(2s, 1)}},
        {.name = "good running makes the back-off forget",
         .runs = {exits(200ms, 1), exits(200ms, 1), exits(611s, 1), exits(200ms, 1)},
         .length = 700s},
        {.name = "killed again and again",
         .container = {.liveness = every_10s},
         .outcomes = {{Kind::liveness, soon_bad}},
         .runs = {heeds_sigterm({.signal = SIGTERM})},
         .length = 900s},
        {.name = "killed, exits with 0, restarted on failure",
         .container = {.liveness = every_10s, .restart_policy = on_failure},
         .outcomes = {{Kind::liveness, soon_bad}},
         .runs = {heeds_sigterm({})}},
        {.name = "killed and never restarted",
         .container = {.liveness = every_10s, .restart_policy = never},
         .outcomes = {{Kind::liveness, soon_bad}},
         .runs = {heeds_sigterm({.code = 1})}},
        {.name = "kills and exits share the back-off",
         .container = {.liveness = ProbeSpec{.period = 2s, .failure_threshold = 1}},
         .outcomes = {{Kind::liveness, soon_bad}},
         .runs = {exits(700ms, 1), heeds_sigterm({}), exits(300ms, 0), heeds_sigterm({})}},
        {.name = "its own grace period, which is too short, and deaf to SIGTERM",
         .container = {.liveness = ProbeSpec{.termination_grace_period = 1s}},
         .outcomes = {{Kind::liveness, soon_bad}},
         .runs = {simulation::ignores_sigterm()}},
        {.name = "the container's grace period, and deaf to SIGTERM",
         .container = {.liveness = every_10s, .termination_grace_period = 7s},
         .outcomes = {{Kind::liveness, soon_bad}},
         .runs = {simulation::ignores_sigterm()}},
        {.name = "comes up only the second time",
         .container = {.startup = ProbeSpec{.period = 3s},
                       .liveness = every_10s,
                       .readiness = every_5s,
                       .starts_in_whole_seconds = true},
         .outcomes = {{Kind::startup, {bad, bad, bad, bad, ok}},
                      {Kind::liveness, {ok, ok, ok, bad}},
                      {Kind::readiness, {bad, bad, ok, bad, ok}}},
         .runs = {heeds_sigterm({.code = 3})}},
        {.name = "ready and unready, a restart between",
         .container = {.readiness = ProbeSpec{.period = 5s, .failure_threshold = 2}},
         .outcomes = {{Kind::readiness, {bad, ok, ok, bad, bad, ok, bad, ok}}},
         .runs = {exits(17300ms, 1), exits(12700ms, 1)}},
        {.name = "initial delays from truncated starts",
         .container = {.liveness = ProbeSpec{.initial_delay = 5s, .period = 5s},
                       .readiness = ProbeSpec{.initial_delay = 10s, .period = 5s},
                       .starts_in_whole_seconds = true},
         .outcomes = {{Kind::liveness, {ok, bad}}, {Kind::readiness, {ok, ok, ok, bad, ok}}},
         .runs = {heeds_sigterm({.code = 3}), exits(33300ms, 0)}},
        {.name = "initial delays from exact starts",
         .container = {.liveness = ProbeSpec{.initial_delay = 5s, .period = 5s},
                       .readiness = ProbeSpec{.initial_delay = 10s, .period = 5s}},
         .outcomes = {{Kind::liveness, {ok, bad}}, {Kind::readiness, {ok, ok, ok, bad, ok}}},
         .runs = {heeds_sigterm({.code = 3}), exits(33300ms, 0)}},
        {.name = "container-scoped probes",
         .container = {.liveness = ProbeSpec{.initial_delay = 3s,
                                             .period = 4s,
                                             .pacing = {.cadence = Cadence::target_start}},
                       .readiness = ProbeSpec{.initial_delay = 1s,
                                              .period = 7s,
                                              .pacing = {.cadence = Cadence::target_start}}},
         .outcomes = {{Kind::liveness, {ok, ok, bad}}, {Kind::readiness, {bad, ok, bad, ok}}},
         .runs = {heeds_sigterm({})}},
        {.name = "stopped while it runs",
         .container = {.liveness = every_10s, .readiness = every_5s},
         .outcomes = {{Kind::liveness, {ok, ok, bad}}, {Kind::readiness, {ok}}},
         .runs = {simulation::ignores_sigterm()},
         .stop_after = 14700ms},
        {.name = "stopped while it waits for its back-off",
         .runs = {exits(700ms, 1)},
         .stop_after = 20s},
        {.name = "stopped while it is being killed",
         .container = {.liveness = every_10s, .termination_grace_period = 20s},
         .outcomes = {{Kind::liveness, {bad}}},
         .runs = {simulation::ignores_sigterm()},
         .stop_after = 25300ms},
        {.name = "stopped when it is over",
         .container = {.restart_policy = never},
         .runs = {exits(700ms, 0)},
         .stop_after = 20s},
    };
}

} // namespace

TEST_CASE("the simulation and the supervisor decide alike") {
    for (const Case& each : cases()) {
        CAPTURE(each.name);
        const Lines expected = simulated(each);
        const Lines decided = Pod{each}.run();
        CHECK(expected.size() > 1);
        CHECK(decided == expected);
    }
}
