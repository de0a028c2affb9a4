// The kubelet's doProbe, written down step by step as it reads container statuses: a second, naive
// statement of the rules that WorkerFsm follows, and WorkerFsm given the same as events. Whoever
// drives both compares them after each tick.
#pragma once

#include <array>
#include <optional>
#include <utility>

#include <probekit/core/worker_fsm.hpp>

namespace oracle {

using namespace probekit;
using namespace std::chrono_literals;

constexpr Duration period = 10s;

enum class Answer { success, warning, failure, unknown, error, error_then_success };
constexpr std::array answers{Answer::success, Answer::warning, Answer::failure,
                             Answer::unknown, Answer::error,   Answer::error_then_success};

/// What happened since the last tick.
enum class Change {
    none,
    restarted,
    stopped_running,
    running_again,
    started_flips,
    deleted,
    ended_for_good,
    pod_over
};
constexpr std::array changes{Change::none,           Change::restarted,     Change::stopped_running,
                             Change::running_again,  Change::started_flips, Change::deleted,
                             Change::ended_for_good, Change::pod_over};

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

/// WorkerFsm, given the same as events.
struct Ours {
    WorkerFsm<> fsm;
    bool seeded = false; // the cache has an entry without anything having been judged
    bool keep_going = true;
    int calls = 0;
    bool found_fault = false;

    template <class Event>
    Decision apply(Event happened, TimePoint now) {
        const Decision decision = fsm.step(happened, now);
        if (decision.cancel) apply(event::AttemptCancelled{}, now);
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
        apply(event::TargetStarted{status.started_at, status.adopted}, now);
    }

    void tick(const Status& before, const Status& status, TimePoint now, Answer answer) {
        calls = 0;
        const bool startup = fsm.spec().kind == ProbeKind::startup;
        if (status.pod_over) {
            apply(event::Stopped{}, now);
            return;
        }
        if (status.started == startup) apply(event::GateClosed{}, now);
        if (status.id != before.id) replaced(status, now);
        if (status.running && !before.running) apply(event::TargetBack{}, now);
        if (!status.running) apply(event::TargetGone{}, now);
        if (!status.running && !status.may_restart && fsm.state() == WorkerState::no_target)
            apply(event::Stopped{}, now);
        if (status.running && status.deleted) apply(event::Terminating{}, now);
        if (status.started != startup) apply(event::GateOpened{}, now);
        if (!fsm.in_flight()) apply(event::Due{}, now);
        while (fsm.in_flight()) {
            ++calls;
            if (answer == Answer::error || (answer == Answer::error_then_success && calls < 3)) {
                apply(event::Error{}, now);
                continue;
            }
            ProbeResult result = ProbeResult::success();
            if (answer == Answer::warning) result = ProbeResult::warning({});
            if (answer == Answer::failure) result = ProbeResult::failure(std::string{});
            if (answer == Answer::unknown) result.outcome = Outcome::unknown;
            apply(event::Result{result}, now);
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
    /// Before the first tick nothing is known of the container; its worker begins with the first
    /// status, at `now`.
    static Node first(const ProbeSpec& spec, bool adopted, bool started, TimePoint now) {
        Node node{{}, Kubelet{.spec = spec}, Ours{.fsm = WorkerFsm{spec}}};
        node.status.adopted = adopted;
        node.status.started_at = adopted ? now - 1000s : now;
        node.status.started = started;
        if (started == (spec.kind == ProbeKind::startup)) node.ours.apply(event::GateClosed{}, now);
        node.ours.apply(event::Started{node.status.started_at}, now);
        node.ours.seeded = true;
        if (adopted) node.ours.replaced(node.status, now);
        return node;
    }

    /// The next tick, at which the container has the status `next`. False: do_probe() said it was
    /// the last one.
    bool tick(const Status& next, TimePoint now, Answer answer) {
        const Status before = std::exchange(status, next);
        const bool keep_going = kubelet.do_probe(next, now, answer);
        ours.tick(before, next, now, answer);
        return keep_going;
    }

    /// Whether both say the same after a tick. `keep_going`: what do_probe() returned.
    [[nodiscard]] bool agree(bool keep_going) const {
        return keep_going == ours.keep_going && kubelet.calls == ours.calls &&
               kubelet.cached == ours.cached() &&
               (!keep_going || kubelet.on_hold == (ours.fsm.state() == WorkerState::on_hold)) &&
               kubelet.run == ours.fsm.run() &&
               kubelet.last_passed == ours.fsm.policy().counter().last() && !ours.found_fault;
    }

    Status status;
    Kubelet kubelet;
    Ours ours;
};

/// What becomes of a container; nothing: it cannot happen to one like this.
inline std::optional<Status> changed(Status status, Change change, TimePoint now) {
    switch (change) {
    case Change::none: return status;
    case Change::restarted:
        return Status{.id = status.id + 1,
                      .started = false,
                      .deleted = status.deleted,
                      .started_at = now - period / 2};
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

} // namespace oracle
