// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <list>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
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

/// One run of a simulation: the target with its lives, and what the verdicts of its workers bring
/// about. Its clock goes from one thing that is to happen to the next.
class Simulator {
    using Worker = SimulatedWorker<Simulator>;
    using Event = simulation::Event;
    static constexpr TimePoint never = TimePoint::max();

public:
    /// `container`, whose specs are valid, and `script` outlive this.
    Simulator(const simulation::Container& container, const simulation::Script& script)
        : container_(container), script_(script), back_off_(container.back_off) {
        // The kubelet's order.
        for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::readiness, ProbeKind::liveness})
            if (const auto& spec = container.probe(kind)) workers_.emplace_back(*this, kind, *spec);
    }
    Simulator(const Simulator&) = delete;
    Simulator& operator=(const Simulator&) = delete;

    [[nodiscard]] simulation::Timeline run() {
        if (script_.stop_after) stop_at_ = after(*script_.stop_after);
        ask_to_start_at(TimePoint{});
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
            happen();
        }
        timeline_.length = script_.length;
        return std::move(timeline_);
    }

    // ---- what the workers ask ----

    [[nodiscard]] TimePoint now() const noexcept { return now_; }

    [[nodiscard]] simulation::Answer answer(const Worker& worker) const {
        if (!script_.answers) return {};
        return script_.answers({.kind = worker.kind(),
                                .number = worker.attempts(),
                                .life = life_number_,
                                .at = now_.time_since_epoch(),
                                .age = now_ - began_,
                                .ending = ending_});
    }

    void record(Event event) {
        event.at = now_.time_since_epoch();
        event.life = life_number_;
        timeline_.events.push_back(event);
    }

    void judged(const Worker& worker, const Decision& decision) {
        if (decision.origin != Verdict::Origin::result) return;
        record({.what = Event::What::verdict, .kind = worker.kind(), .health = decision.health});
        const bool passing = decision.health == Health::passing;
        if (worker.kind() == ProbeKind::readiness)
            set_ready(passing);
        else if (!passing)
            kill_for(worker);
        else if (worker.kind() == ProbeKind::startup)
            startup_passed();
    }

private:
    // ---- time ----

    /// A script may say less than nothing, and time does not go back.
    [[nodiscard]] TimePoint after(Duration span) const noexcept {
        return saturating_add(now_, std::max(Duration::zero(), span));
    }

    [[nodiscard]] TimePoint next_moment() const noexcept {
        TimePoint next = std::min({runs_at_, exits_at_, killed_at_, stop_at_});
        for (const Worker& worker : workers_) next = std::min({next, worker.ends(), worker.due()});
        return next;
    }

    /// The first thing of this moment.
    void happen() {
        for (Worker& worker : workers_)
            if (worker.ends() <= now_) return worker.look_ends();
        if (exits_at_ <= now_) return target_ended(life_.exit);
        if (killed_at_ <= now_) return target_ended(told_exit_);
        if (runs_at_ <= now_) return target_runs();
        if (stop_at_ <= now_) return stop();
        for (Worker& worker : workers_)
            if (worker.due() <= now_) return worker.look_due();
    }

    // ---- the target ----

    void ask_to_start_at(TimePoint at) {
        const auto lives = script_.lives.size();
        life_ = lives == 0
                    ? simulation::Life{}
                    : script_.lives[std::min(static_cast<std::size_t>(life_number_), lives - 1)];
        runs_at_ = saturating_add(at, std::max(Duration::zero(), life_.starts_in));
    }

    /// What its initial delays count from.
    [[nodiscard]] TimePoint since(TimePoint began) const noexcept {
        return container_.starts_in_whole_seconds ? std::chrono::floor<std::chrono::seconds>(began)
                                                  : began;
    }

    void target_runs() {
        const bool first = ++life_number_ == 1;
        running_ = true;
        ending_ = killed_for_probe_ = false;
        began_ = now_;
        runs_at_ = never;
        if (life_.exits_after) exits_at_ = after(*life_.exits_after);
        record({.what = Event::What::runs});
        started_ = false;
        if (!first) set_gates(); // shut, for all that startup holds back
        for (Worker& worker : workers_) {
            if (!worker.begun())
                worker.start(since(now_));
            else if (!first)
                worker.step(event::TargetStarted{since(now_)});
        }
        if (!container_.startup) begin_after_startup();
        set_gates();
        if (!first) look_at_unready();
    }

    /// A kubelet synchronises a pod whose container has been restarted, and then looks at what is
    /// not ready, at once.
    void look_at_unready() {
        for (Worker& worker : workers_)
            if (worker.kind() == ProbeKind::readiness && worker.gate_open() &&
                worker.spec().pacing.cadence == Cadence::grid && worker.ends() == never)
                worker.step(event::Triggered{});
    }

    void terminate(Event::What what, ProbeKind kind, Duration grace) {
        ending_ = true;
        record({.what = what, .kind = kind, .span = grace});
        const bool heeds = life_.ends_in <= grace;
        const TimePoint ends = after(heeds ? life_.ends_in : grace);
        if (ends >= killed_at_) return; // it was told before
        killed_at_ = ends;
        told_exit_ = heeds ? life_.told_exit : ExitStatus{.signal = SIGKILL};
    }

    void kill_for(const Worker& worker) {
        if (ending_) return;
        killed_for_probe_ = true;
        terminate(Event::What::kill, worker.kind(), container_.grace_period(worker.spec()));
    }

    /// It is meant to end: no look is a reason to kill it any more.
    void stop() {
        stopping_ = true;
        stop_at_ = never;
        for (Worker& worker : workers_) worker.step(event::Terminating{});
        if (running_)
            terminate(Event::What::stop, {},
                      std::max(container_.termination_grace_period, minimum_grace_period));
        else
            over();
    }

    void target_ended(ExitStatus exit) {
        running_ = ending_ = false;
        exits_at_ = killed_at_ = never;
        record({.what = Event::What::ended, .exit = exit});
        set_ready(false);
        for (Worker& worker : workers_) worker.step(event::TargetGone{});

        // A killed one is restarted whatever its exit status: that was decided with the kill.
        const bool again = killed_for_probe_ ? container_.restart_policy != RestartPolicy::never
                                             : should_restart(container_.restart_policy, exit);
        if (stopping_ || !again) return over();
        const TimePoint start =
            killed_for_probe_ ? back_off_.after_kill(now_) : back_off_.after_exit(now_);
        if (start > now_)
            record({.what = Event::What::back_off,
                    .span = start - now_,
                    .delay = back_off_.current()});
        ask_to_start_at(start);
    }

    void over() {
        runs_at_ = stop_at_ = never;
        record({.what = Event::What::over});
    }

    // ---- what startup and readiness bring about ----

    void startup_passed() {
        record({.what = Event::What::started});
        begin_after_startup();
        set_gates();
    }

    void begin_after_startup() {
        started_ = true;
        if (!container_.readiness) set_ready(true);
    }

    void set_gates() {
        for (Worker& worker : workers_)
            worker.set_gate(worker.kind() == ProbeKind::startup || started_);
    }

    void set_ready(bool ready) {
        ready = ready && running_ && started_;
        if (std::exchange(ready_, ready) != ready)
            record({.what = ready ? Event::What::ready : Event::What::unready});
    }

    const simulation::Container& container_;
    const simulation::Script& script_;
    RestartBackOff back_off_;
    std::list<Worker> workers_; // they stay where they are
    simulation::Timeline timeline_;
    TimePoint now_ = {};

    simulation::Life life_ = {};
    int life_number_ = 0; // of the last start
    TimePoint began_ = {};
    ExitStatus told_exit_ = {};
    TimePoint runs_at_ = never;
    TimePoint exits_at_ = never;
    TimePoint killed_at_ = never;
    TimePoint stop_at_ = never;
    bool running_ = false;
    bool ending_ = false;
    bool killed_for_probe_ = false;
    bool stopping_ = false;
    bool started_ = false;
    bool ready_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
