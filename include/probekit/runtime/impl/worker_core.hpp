// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <system_error>
#include <utility>

#include <asio/error.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/exceptions.hpp>
#include <probekit/config.hpp>
#include <probekit/runtime/detail/worker_core.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

// ---- calls, and what is decided because of them ----

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::start(Ref<GateState> gate) {
    if (working_) return;
    if (gate) {
        extras().gate = std::move(gate);
        extras().gate->subscribe(extras());
    }
    wheel_->context().add_work();
    working_ = true;
    ++life_;
    const Step step{*this};
    gate_seen_ = gate_is_open();
    static_cast<void>(gate_seen_ ? fsm_.step(event::GateOpened{}, step.now)
                                 : fsm_.step(event::GateClosed{}, step.now));
    changed_by_call(step, fsm_.step(event::Started{step.now}, step.now));
}

template <class P, class Pol, class Obs, class Clk>
WorkerSnapshot WorkerCore<P, Pol, Obs, Clk>::snapshot() const noexcept {
    return {.kind = fsm_.spec().kind,
            .state = state(),
            .health = fsm_.health(),
            .judged = fsm_.judged(),
            .since = fsm_.since(),
            .run = fsm_.run(),
            .attempts = attempts_,
            .errors = errors_,
            .skipped = skipped_,
            .last_outcome = last_outcome_,
            .last_status = last_status_,
            .last_cause = last_cause_,
            .last_error = last_error_,
            .last_at = last_at_,
            .next_at = fsm_.next_check(),
            .last_elapsed = last_elapsed_};
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::changed_by_call(const Step& step, Decision decision) noexcept {
    if (decision.cancel) {
        if (attempt_ == Attempt::decided || attempt_ == Attempt::queued) {
            if (attempt_ == Attempt::queued) static_cast<void>(leave_queue());
            attempt_ = Attempt::none; // it has not begun, so there is nothing to wait for
            disarm();
            const Decision next = fsm_.step(event::AttemptCancelled{}, step.now);
            if (next.action != Decision::Action::none) decision.action = next.action;
            decision.at = next.at;
            decision.attempt_in_check = next.attempt_in_check;
            decision.skipped = next.skipped;
        } else {
            dropped_ = true;
            stop_attempt(StopReason::cancel);
        }
    }
    apply(decision, step.now);
    if (decision.changed && extras_) extras_->deciding.reset();
    note(step, decision);
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::apply(const Decision& decision, TimePoint now) noexcept {
    health_.store(fsm_.health(), std::memory_order_relaxed);
    switch (decision.action) {
    case Decision::Action::none: break;
    case Decision::Action::attempt:
        decide(decision);
        arm(Armed::begin, now);
        break;
    case Decision::Action::wait: wait_until(decision.at); break;
    case Decision::Action::hold: disarm_check(); break;
    case Decision::Action::end:
        disarm_check();
        rest();
        break;
    }
    const bool judged_anew = decision.changed || decision.origin != Verdict::Origin::result;
    if (!judged_anew) return;
    if (decision.changed) {
        origin_ = decision.origin;
        previous_ = decision.previous;
        previous_duration_ = decision.previous_duration;
    }
    if (!extras_ || decision.origin == Verdict::Origin::terminating) return;
    const bool met =
        decision.origin == Verdict::Origin::result && decision.health == Health::passing;
    for (StartupGate::Condition& condition : extras_->opens) condition.set(met);
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::wait_until(TimePoint due) noexcept {
    if (due == TimePoint::max()) return disarm_check();
    if constexpr (steady) {
        const auto period = static_cast<std::uint64_t>(fsm_.spec().period.count());
        const auto slack = static_cast<Duration::rep>(std::bit_floor(period / 1024));
        if (slack > 1 && due < TimePoint::max() - Duration{slack})
            due = TimePoint{Duration{(due.time_since_epoch().count() + slack - 1) & ~(slack - 1)}};
    }
    arm(Armed::due, due);
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::node_fired() {
    if (runs_here(executor())) return on_fire();
    // Without memory for the post it is tried again soon.
    constexpr Duration soon = std::chrono::milliseconds{10};
    if (try_allocating([this] { post(&WorkerCore::on_posted_fire); }) && !wheel_->armed(*this))
        wheel_->arm(*this, saturating_add(wheel_->now(), soon));
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::on_posted_fire() {
    if (!wheel_->armed(*this)) on_fire(); // else another arming has overtaken it
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::on_fire() {
    const TimePoint now = clock_.now();
    if (detached_ || armed_ == Armed::no || now < this->due()) return; // it is about what was once
    // What has been left to a post comes first.
    if (armed_ != Armed::timeout && (telling_ || has_notes())) return arm(armed_, now);
    switch (std::exchange(armed_, Armed::no)) {
    case Armed::no: break;
    case Armed::due: check_is_due(now); break;
    case Armed::begin: begin(now); break;
    case Armed::ask: ask(); break;
    case Armed::timeout: timeout_is_over(now); break;
    }
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::timeout_is_over(TimePoint now) noexcept {
    const Duration timeout = fsm_.spec().timeout;
    if (is_late(now - this->due(), timeout) && !timeout_renewed_) {
        timeout_renewed_ = true;
        return arm(Armed::timeout, saturating_add(now, timeout));
    }
    expired_ = true;
    stop_attempt(StopReason::timeout);
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::check_is_due(TimePoint now) {
    poll_gate(now);
    if (armed_ != Armed::no) return; // the gate has been shut, and opened, unheard
    const Step step{*this, now};
    const Decision decision = fsm_.step(event::Due{}, now);
    if (decision.action != Decision::Action::attempt) return changed_by_call(step, decision);
    decide(decision);
    begin(now);
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::opens(StartupGate& gate) {
    extras().opens.push_back(gate.add_condition());
    if (fsm_.judged() && origin_ == Verdict::Origin::result)
        extras().opens.back().set(fsm_.health() == Health::passing);
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::gate_may_have_changed(TimePoint now) noexcept {
    if (detached_ || !working_ || gate_seen_ == gate_is_open()) return;
    gate_seen_ = !gate_seen_;
    if (gate_seen_)
        happen(event::GateOpened{}, now);
    else
        happen(event::GateClosed{}, now);
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::on_granted() {
    if (attempt_ != Attempt::queued || detached_ || has_place_)
        return extras_->limit->release_permit(); // the attempt did not wait so long
    static_cast<void>(
        leave_queue()); // called off and decided anew meanwhile, it stands in the queue again
    has_place_ = true;
    begin(clock_.now());
}

// ---- an attempt, from its beginning to its end ----

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::begin(TimePoint now) {
    poll_gate(now);
    if (attempt_in_check_ == 1 && !gate_seen_) { // shut since it was decided
        attempt_ = Attempt::none;
        give_place_back();
        return happen(event::AttemptCancelled{}, now);
    }
    if (extras_ && extras_->limit && !has_place_) {
        if (!extras_->limit->acquire(*extras_)) {
            attempt_ = Attempt::queued;
            return;
        }
        has_place_ = true;
    }
    const WorkerState before = state();
    attempt_ = Attempt::told;
    expired_ = timeout_renewed_ = false;
    ++attempts_;
    begun_at_ = now;
    if constexpr (tells_beginning) {
        arm(Armed::ask, begun_at_);
        const Telling telling{*this};
        if constexpr (tells_skips)
            if (const std::uint64_t skips = std::exchange(untold_skips_, 0); skips != 0)
                tell(observer_, ChecksSkipped{kind(), skips, begun_at_});
        const Duration late =
            attempt_in_check_ == 1 ? std::max(begun_at_ - fsm_.due(), Duration{}) : Duration{};
        if (!detached_)
            tell(observer_, AttemptBegun{kind(), attempts_, attempt_in_check_, begun_at_, late});
        if (!detached_) tell_state(before, state());
        disarm();
    }
    ask();
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::ask() {
    if (detached_) return;
    if (dropped_)
        return on_attempt_done(asio::error::operation_aborted); // called off while it was told
    attempt_ = Attempt::running;
    const Duration timeout = fsm_.spec().timeout;
    const bool guarded = !steady || !asked_.enforces_timeout();
    if (guarded) arm(Armed::timeout, saturating_add(begun_at_, timeout));
    const auto start_attempt = [&]() -> std::error_code {
        detail::start_attempt(asked_.probe, timeout,
                              OwnedAttemptHandler<Executor>{Ref<AttemptOwner<Executor>>{this}});
        return {};
    };
    const std::error_code could_not = try_call(start_attempt, [&](const auto& thrown) {
        // A listener's exception, at the end of an attempt that ended at once?
        if (attempt_ != Attempt::running) std::rethrow_exception(std::current_exception());
        return ToErrorCode{}(thrown);
    });
    if (could_not) on_attempt_done(could_not);
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::on_attempt_done(Ref<AttemptOwner<Executor>>, TimePoint at,
                                                   std::error_code error, ProbeResult&& result) {
    if (detached_) return give_place_back();
    // Not from inside a call or another callback, nor before what has been left to a post.
    if (emitting_ || telling_ || has_notes())
        return asio::post(executor(), Later{Ref{this}, error, std::move(result)});

    const Step step{*this, steady && at != TimePoint::min() ? at : clock_.now()};
    disarm();
    give_place_back();
    const bool dropped = std::exchange(dropped_, false);
    if (dropped) {
        error = asio::error::operation_aborted;
    } else if (expired_ && error == asio::error::operation_aborted) {
        error = {};
        result.outcome = Outcome::failure;
        result.cause = Errc::timed_out;
        if (result.elapsed() == Duration{})
            result.times[static_cast<std::size_t>(Phase::run) - 1] = step.now - begun_at_;
    }
    attempt_ = Attempt::none;
    if (extras_ && extras_->next_probe) {
        asked_.replace(std::move(*extras_->next_probe));
        extras_->next_probe.reset();
    }
    const Decision decision = dropped ? fsm_.step(event::AttemptCancelled{}, step.now)
                              : error ? fsm_.step(event::Error{error}, step.now)
                                      : fsm_.step(event::Result{result}, step.now);
    if (!dropped) {
        if (error) {
            ++errors_;
            last_error_ = error;
        }
        last_outcome_ = result.outcome;
        last_status_ = result.status;
        last_cause_ = result.cause ? to_std(result.cause) : std::error_code{};
        last_elapsed_ = result.elapsed();
        last_at_ = step.now;
    }
    const int attempt_in_check = attempt_in_check_;
    apply(decision, step.now);
    if (decision.changed) remember_deciding(result);
    tell_result(step, decision, attempt_in_check, error, std::move(result));
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::stop_attempt(StopReason reason) noexcept {
    if (attempt_ != Attempt::running) return;
    const Ref<WorkerCore> keep{this};
    emitting_ = true;
    if (!this->stop_own_attempt(reason))
        if constexpr (Asked::needs_slot) signal_.emit(asio::cancellation_type::terminal);
    emitting_ = false;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
