// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <list>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/container_fsm.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/group_fsm.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/core/worker_fsm.hpp>
#include <probekit/simulation/container.hpp>
#include <probekit/simulation/detail/simulated_worker.hpp>
#include <probekit/simulation/script.hpp>
#include <probekit/simulation/timeline.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A simulation: a target that behaves as the script says, with workers, GroupFsm and ContainerFsm
/// that decide the rest. Its clock goes from one event to the next.
class Simulator {
    using Worker = SimulatedWorker<Simulator>;
    using Event = simulation::Event;
    static constexpr TimePoint never = TimePoint::max();

public:
    /// `container`, whose specs are valid, and `script` outlive this.
    Simulator(const simulation::Container& container, const simulation::Script& script)
        : container_(container), script_(script), fsm_(container.settings()) {
        // The kubelet's order.
        for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::readiness, ProbeKind::liveness})
            if (const auto& spec = container.probe(kind)) {
                workers_.emplace_back(*this, kind, *spec);
                group_.step(event::ProbeSet{kind});
            }
    }
    Simulator(const Simulator&) = delete;
    Simulator& operator=(const Simulator&) = delete;

    [[nodiscard]] simulation::Timeline run() {
        if (script_.stop_after) stop_at_ = after(*script_.stop_after);
        apply(fsm_.step(event::Due{}, now_));
        // A grid begins with the pod, whose container may take its time.
        for (Worker& worker : workers_)
            if (worker.spec().pacing.cadence == Cadence::grid) worker.start(since(runs_at_));
        const TimePoint end{script_.length};
        for (TimePoint next = next_moment(); next <= end && next != never; next = next_moment()) {
            if (timeline_.events.size() >= simulation::Timeline::max_events) {
                timeline_.length = now_.time_since_epoch();
                return std::move(timeline_);
            }
            now_ = next;
            handle_next();
        }
        timeline_.length = script_.length;
        return std::move(timeline_);
    }

    // ---- what the workers call ----

    [[nodiscard]] TimePoint now() const noexcept { return now_; }

    [[nodiscard]] simulation::Response response_to(const Worker& worker) const {
        if (!script_.responses) return {};
        return script_.responses({.kind = worker.kind(),
                                  .number = worker.attempts(),
                                  .run = run_number_,
                                  .at = now_.time_since_epoch(),
                                  .age = now_ - began_,
                                  .ending = fsm_.state() == ContainerState::ending});
    }

    void record(Event event) {
        event.at = now_.time_since_epoch();
        event.run = run_number_;
        timeline_.events.push_back(event);
    }

    void judged(const Worker& worker, const Decision& decision) {
        if (!is_based_on_attempt(decision.origin)) return; // the target has its own events
        record({.what = Event::What::verdict, .kind = worker.kind(), .health = decision.health});
        apply(group_.step(event::Judged{worker.kind(), decision.health, decision.origin}),
              worker.kind());
        set_gates();
    }

private:
    // ---- time ----

    /// A script may have negative durations, but time never goes back.
    [[nodiscard]] TimePoint after(Duration span) const noexcept {
        return saturating_add(now_, std::max(Duration::zero(), span));
    }

    [[nodiscard]] TimePoint next_moment() const noexcept {
        TimePoint next = std::min({runs_at_, exits_at_, killed_at_, stop_at_});
        for (const Worker& worker : workers_) next = std::min({next, worker.ends(), worker.due()});
        return next;
    }

    /// The first event of this moment.
    void handle_next() {
        for (Worker& worker : workers_)
            if (worker.ends() <= now_) return worker.attempt_ends();
        if (exits_at_ <= now_) return target_ended(behaviour_.exit);
        if (killed_at_ <= now_) return target_ended(sigterm_exit_);
        if (runs_at_ <= now_) return target_runs();
        if (stop_at_ <= now_) return stop();
        for (Worker& worker : workers_)
            if (worker.due() <= now_) return worker.check_due();
    }

    // ---- the target ----

    void ask_to_start_at(TimePoint at) {
        const auto runs = script_.runs.size();
        behaviour_ = runs == 0
                         ? simulation::ProcessBehaviour{}
                         : script_.runs[std::min(static_cast<std::size_t>(run_number_), runs - 1)];
        runs_at_ = saturating_add(at, std::max(Duration::zero(), behaviour_.starts_in));
    }

    /// What its initial delays count from.
    [[nodiscard]] TimePoint since(TimePoint began) const noexcept {
        return truncated_start(began, TimePoint{}, container_.start_precision());
    }

    void target_runs() {
        const bool first = ++run_number_ == 1;
        fsm_.step(event::Started{}, now_);
        began_ = now_;
        runs_at_ = never;
        if (behaviour_.exits_after) exits_at_ = after(*behaviour_.exits_after);
        record({.what = Event::What::running});
        const GroupDecision changes =
            first ? group_.step(event::Started{}) : group_.step(event::TargetStarted{});
        if (!first) set_gates(); // closed, for all that startup holds back
        for (Worker& worker : workers_) {
            if (!worker.begun())
                worker.start(since(now_));
            else if (!first)
                worker.step(event::TargetStarted{since(now_)});
        }
        apply(changes);
        set_gates();
        // A kubelet synchronises the pod of a container that it has restarted.
        for (Worker& worker : workers_)
            if (!first && worker.kind() == ProbeKind::readiness &&
                group_.checks_readiness_at_sync(worker.spec().pacing.cadence, worker.in_flight()))
                worker.step(event::Triggered{});
    }

    void stop() {
        stop_at_ = never;
        group_.step(event::Terminating{});
        for (Worker& worker : workers_) worker.step(event::Terminating{});
        apply(fsm_.step(event::StopAsked{}, now_));
    }

    void target_ended(ExitStatus exit) {
        exits_at_ = killed_at_ = never;
        record({.what = Event::What::ended, .exit = exit});
        apply(group_.step(event::TargetGone{}));
        for (Worker& worker : workers_) worker.step(event::TargetGone{});
        apply(fsm_.step(event::Ended{exit}, now_));
    }

    void signal(Duration grace) {
        const bool heeds = behaviour_.ends_in <= grace;
        const TimePoint ends = after(heeds ? behaviour_.ends_in : grace);
        if (ends >= killed_at_) return; // it was signalled before
        killed_at_ = ends;
        sigterm_exit_ = heeds ? behaviour_.sigterm_exit : ExitStatus{.signal = SIGKILL};
    }

    // ---- what the machines decide ----

    void apply(const ContainerDecision& decision, Event event = {.what = Event::What::stop}) {
        switch (decision.action) {
        case ContainerDecision::Action::none: break;
        case ContainerDecision::Action::start: ask_to_start_at(now_); break;
        case ContainerDecision::Action::wait:
            record({.what = Event::What::back_off,
                    .span = decision.at - now_,
                    .delay = decision.delay});
            ask_to_start_at(decision.at);
            break;
        case ContainerDecision::Action::signal:
            event.span = decision.grace;
            record(event);
            signal(decision.grace);
            break;
        case ContainerDecision::Action::over:
            runs_at_ = stop_at_ = never;
            record({.what = Event::What::over});
            break;
        }
    }

    /// `kind`: of the probe whose verdict it rests on, if it does.
    void apply(const GroupDecision& decision, ProbeKind kind = {}) {
        for (const GroupEvent change : decision) {
            switch (change) {
            case GroupEvent::started:
                if (container_.startup) record({.what = Event::What::started});
                break;
            case GroupEvent::ready: record({.what = Event::What::ready}); break;
            case GroupEvent::unready: record({.what = Event::What::unready}); break;
            case GroupEvent::kill: kill_for(*group_.failed()); break;
            case GroupEvent::prober_error:
                record({.what = Event::What::prober_error, .kind = kind});
                break;
            }
        }
    }

    void kill_for(ProbeKind kind) {
        const auto grace = container_.probe(kind)->termination_grace_period;
        apply(fsm_.step(event::ProbeFailed{kind, grace}, now_),
              {.what = Event::What::kill, .kind = kind});
    }

    void set_gates() {
        for (Worker& worker : workers_)
            worker.set_gate(worker.kind() == ProbeKind::startup || group_.started());
    }

    const simulation::Container& container_;
    const simulation::Script& script_;
    ContainerFsm fsm_;
    GroupFsm group_;
    std::list<Worker> workers_; // they stay where they are
    simulation::Timeline timeline_;
    TimePoint now_ = {};

    simulation::ProcessBehaviour behaviour_ = {};
    int run_number_ = 0; // of the last start
    TimePoint began_ = {};
    ExitStatus sigterm_exit_ = {};
    TimePoint runs_at_ = never;
    TimePoint exits_at_ = never;
    TimePoint killed_at_ = never;
    TimePoint stop_at_ = never;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
