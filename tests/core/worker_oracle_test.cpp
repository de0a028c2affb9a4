// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <unordered_set>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <probekit/core/worker_fsm.hpp>

// WorkerFsm against a second, naive statement of the same rules: the kubelet's doProbe, written down step by step as it
// reads container statuses. Every sequence of what may happen to a container and of what a look may give is tried, for all
// kinds and small thresholds. Paths that lead to the same state of both machines are followed once.
namespace {

using namespace probekit;
using namespace std::chrono_literals;

constexpr Duration period = 10s;

enum class Answer { success, warning, failure, unknown, error, error_then_success };
constexpr std::array answers{Answer::success, Answer::warning, Answer::failure,
                             Answer::unknown, Answer::error,   Answer::error_then_success};

/// What happened since the last tick.
enum class Change { none, restarted, stopped_running, running_again, started_flips, deleted, ended_for_good, pod_over };
constexpr std::array changes{Change::none,          Change::restarted, Change::stopped_running, Change::running_again,
                             Change::started_flips, Change::deleted,   Change::ended_for_good,  Change::pod_over};

/// What the kubelet's worker can read.
struct Status {
    int id = 1;
    bool running = true;
    bool may_restart = true; // if it does not run
    bool started = false;
    bool deleted = false;
    bool pod_over = false;
    bool adopted = false;
    TimePoint started_at = {};
};

enum class Entry { none, unknown, success, failure };

/// The worker as the kubelet has it.
struct Kubelet {
    ProbeSpec spec;
    int id = 0;
    Entry cached = Entry::none; // of the current id; entries of others are removed
    bool on_hold = false;
    bool last_passed = true;
    int run = 0;
    int calls = 0; // of the prober, in the last doProbe

    bool do_probe(const Status& status, TimePoint now, Answer answer) {
        calls = 0;
        if (status.pod_over) return false;
        if (status.id != id) {
            id = status.id;
            cached = Entry::none;
            if (!(status.running && status.adopted))
                cached = spec.kind == ProbeKind::startup    ? Entry::unknown
                         : spec.kind == ProbeKind::liveness ? Entry::success
                                                            : Entry::failure;
            on_hold = false;
        }
        if (on_hold) return true;
        if (!status.running) {
            cached = Entry::failure;
            return status.may_restart;
        }
        if (status.deleted && spec.kind != ProbeKind::readiness) {
            cached = Entry::success;
            return false;
        }
        if (now - status.started_at < spec.initial_delay) return true;
        if (status.started == (spec.kind == ProbeKind::startup)) return true;
        calls = answer == Answer::error || answer == Answer::error_then_success ? 3 : 1;
        if (answer == Answer::error) return true;
        const bool passed = answer != Answer::failure && answer != Answer::unknown;
        run = passed == last_passed ? run + 1 : 1;
        last_passed = passed;
        if (!passed && run < spec.failure_threshold) return true;
        if (passed && run < spec.success_threshold) return true;
        cached = passed ? Entry::success : Entry::failure;
        if (spec.kind == ProbeKind::startup || (spec.kind == ProbeKind::liveness && !passed)) {
            on_hold = true;
            run = 0;
        }
        return true;
    }
};

/// WorkerFsm, told the same as events.
struct Ours {
    WorkerFsm<> fsm;
    bool seeded = false; // the cache has an entry without anything having been judged
    bool keep_going = true;
    int calls = 0;
    bool found_fault = false;

    template <class Event>
    Decision tell(Event happened, TimePoint now) {
        const Decision decision = fsm.step(happened, now);
        if (decision.cancel) tell(event::AttemptDropped{}, now);
        if (decision.action == Decision::Action::end) keep_going = false;
        if (decision.action == Decision::Action::wait) {
            // Ticks come at whole periods, and that is when it wants to be woken.
            const bool on_grid = (decision.at.time_since_epoch() % period).count() == 0;
            found_fault = found_fault || decision.at <= now || !on_grid;
        }
        return decision;
    }

    void replaced(const Status& status, TimePoint now) {
        seeded = !status.adopted;
        tell(event::TargetStarted{status.started_at, status.adopted}, now);
    }

    void tick(const Status& before, const Status& status, TimePoint now, Answer answer) {
        calls = 0;
        const bool startup = fsm.spec().kind == ProbeKind::startup;
        if (status.pod_over) {
            tell(event::Stopped{}, now);
            return;
        }
        if (status.started == startup) tell(event::GateShut{}, now);
        if (status.id != before.id) replaced(status, now);
        if (status.running && !before.running) tell(event::TargetBack{}, now);
        if (!status.running) tell(event::TargetGone{}, now);
        if (!status.running && !status.may_restart && fsm.state() == WorkerState::no_target)
            tell(event::Stopped{}, now);
        if (status.running && status.deleted) tell(event::Terminating{}, now);
        if (status.started != startup) tell(event::GateOpened{}, now);
        if (!fsm.in_flight()) tell(event::Due{}, now);
        while (fsm.in_flight()) {
            ++calls;
            if (answer == Answer::error || (answer == Answer::error_then_success && calls < 3)) {
                tell(event::Error{}, now);
                continue;
            }
            ProbeResult result = ProbeResult::success();
            if (answer == Answer::warning) result = ProbeResult::warning({});
            if (answer == Answer::failure) result = ProbeResult::failure(std::string{});
            if (answer == Answer::unknown) result.outcome = Outcome::unknown;
            tell(event::Result{result}, now);
        }
    }

    [[nodiscard]] Entry cached() const {
        switch (fsm.health()) {
        case Health::passing: return Entry::success;
        case Health::failing: return Entry::failure;
        case Health::unknown: break;
        }
        return seeded ? Entry::unknown : Entry::none;
    }
};

struct Node {
    Status status;
    Kubelet kubelet;
    Ours ours;
};

/// All of both machines that the future depends on, as one number; times relative to `now`, in seconds.
std::uint64_t key(const Node& node, TimePoint now) {
    const Status& s = node.status;
    const Kubelet& k = node.kubelet;
    const WorkerFsm<>& f = node.ours.fsm;
    std::uint64_t number = 0;
    const auto add = [&number](auto value, std::uint64_t limit) {
        number = number * limit + std::min(static_cast<std::uint64_t>(value), limit - 1);
    };
    const auto seconds = [](Duration span) { return std::max<Duration::rep>(span / 1s, -100) + 100; };
    for (const bool fact : {s.running, s.may_restart, s.started, s.deleted, k.on_hold, k.last_passed, f.judged(),
                            f.policy().counter().last(), f.look_pending()})
        add(fact, 2);
    add(seconds(now - s.started_at), 256);
    add(seconds(f.due() - now), 256);
    add(k.cached, 4);
    add(f.health(), 4);
    add(f.state(), 8);
    add(k.run, 16);
    add(f.run(), 16);
    return number;
}

std::optional<Status> changed(Status status, Change change, TimePoint now) {
    switch (change) {
    case Change::none: return status;
    case Change::restarted:
        return Status{.id = status.id + 1, .started = false, .deleted = status.deleted, .started_at = now - period / 2};
    case Change::stopped_running:
        if (!status.running) return {};
        status.running = false;
        return status;
    case Change::running_again:
        if (status.running) return {};
        status.running = status.may_restart = true;
        return status;
    case Change::started_flips: status.started = !status.started; return status;
    case Change::deleted:
        if (status.deleted) return {};
        status.deleted = true;
        return status;
    case Change::ended_for_good:
        if (!status.running && !status.may_restart) return {};
        status.running = status.may_restart = false;
        return status;
    case Change::pod_over: status.pod_over = true; return status;
    }
    return {};
}

struct Count {
    std::size_t states = 0;
    std::size_t steps = 0;
};

/// Follows all sequences of at most `depth` ticks.
Count explore(const ProbeSpec& spec, bool adopted, int depth) {
    Count count;
    Status first;
    first.adopted = adopted;
    first.started_at = TimePoint{adopted ? -1000s : 0s};
    Node root{first, Kubelet{.spec = spec}, Ours{.fsm = WorkerFsm{spec}}};
    // Before the first tick nothing is known of the container; its worker begins with the first status.
    TimePoint now{};
    std::vector<Node> front;
    for (const bool started : {false, true})
        for (const Answer answer : answers) {
            Node node = root;
            node.status.started = started;
            const bool startup = spec.kind == ProbeKind::startup;
            if (started == startup) node.ours.tell(event::GateShut{}, now);
            node.ours.tell(event::Started{node.status.started_at}, now);
            node.ours.seeded = true;
            if (adopted) node.ours.replaced(node.status, now);
            node.ours.tick(node.status, node.status, now, answer);
            REQUIRE(node.kubelet.do_probe(node.status, now, answer));
            front.push_back(node);
        }
    for (int tick = 1; tick <= depth; ++tick) {
        now += period;
        std::unordered_set<std::uint64_t> seen;
        std::vector<Node> following;
        for (const Node& node : front)
            for (const Change change : changes) {
                const std::optional<Status> status = changed(node.status, change, now);
                if (!status) continue;
                for (const Answer answer : answers) {
                    Node next = node;
                    next.status = *status;
                    const bool keep_going = next.kubelet.do_probe(*status, now, answer);
                    next.ours.tick(node.status, *status, now, answer);
                    ++count.steps;
                    const Kubelet& k = next.kubelet;
                    const Ours& o = next.ours;
                    const bool same = keep_going == o.keep_going && k.calls == o.calls && k.cached == o.cached() &&
                                      (!keep_going || k.on_hold == (o.fsm.state() == WorkerState::held)) &&
                                      k.run == o.fsm.run() && k.last_passed == o.fsm.policy().counter().last() &&
                                      !o.found_fault;
                    if (!same) {
                        CAPTURE(to_string(spec.kind), spec.success_threshold, spec.failure_threshold, adopted, tick);
                        CAPTURE(int(change), int(answer), keep_going, o.keep_going, k.calls, o.calls, int(k.cached),
                                int(o.cached()), k.on_hold, to_string(o.fsm.state()), k.run, o.fsm.run(),
                                o.found_fault);
                        FAIL("the two machines differ");
                    }
                    if (keep_going && seen.insert(key(next, now)).second) following.push_back(next);
                }
            }
        count.states += following.size();
        front = std::move(following);
    }
    return count;
}

} // namespace

TEST_CASE("Every sequence of target events and outcomes is judged as the kubelet judges it", "[oracle]") {
    constexpr int depth = 5;
    Count all;
    for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness})
        for (const int success : {1, 2})
            for (const int failure : {1, 2, 3})
                for (const Duration delay : {Duration{0s}, Duration{12s}})
                    for (const bool adopted : {false, true}) {
                        const ProbeSpec spec{.kind = kind,
                                             .initial_delay = delay,
                                             .period = period,
                                             .success_threshold = success,
                                             .failure_threshold = failure};
                        if (!is_valid(spec)) continue;
                        const Count count = explore(spec, adopted, depth);
                        all.states += count.states;
                        all.steps += count.steps;
                    }
    std::printf("oracle: %zu states, %zu steps compared\n", all.states, all.steps);
    CHECK(all.states > 10'000);
}
