// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <system_error>

#include <probekit/config.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/worker_fsm.hpp>

namespace probekit::inline PROBEKIT_ABI {

// ---- what is decided ----

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::nothing() const noexcept {
    Decision decision;
    decision.health = health_;
    return decision;
}

/// The planned check begins.
template <Policy P, class Spec>
void WorkerFsm<P, Spec>::begin_check(Decision& decision, TimePoint now) noexcept {
    decision.action = Decision::Action::attempt;
    decision.skipped = schedule_.begin_check(spec(), now);
    decision.attempt_in_check = attempt_in_check_ = 1;
    flight_ = Flight::running;
}

/// What comes next as things stand. While an attempt is in flight nothing does: its end asks again.
template <Policy P, class Spec>
void WorkerFsm<P, Spec>::next(Decision& decision, TimePoint now) noexcept {
    if (flight_ != Flight::none) return;
    const bool requested = check_requested_;
    check_requested_ = false;
    if (requested) schedule_.restart(now);
    if (!may_check()) {
        decision.action = Decision::Action::hold;
        return;
    }
    if (requested && !schedule_.delayed(spec(), now)) return begin_check(decision, now);
    decision.at = schedule_.plan(spec(), now);
    if (decision.at <= now) return begin_check(decision, now);
    decision.action = Decision::Action::wait;
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::next(TimePoint now) noexcept {
    Decision decision = nothing();
    next(decision, now);
    return decision;
}

/// An attempt is over that does not count. A check that fell due meanwhile is made up.
template <Policy P, class Spec>
void WorkerFsm<P, Spec>::attempt_over(Decision& decision, TimePoint now) noexcept {
    flight_ = Flight::none;
    if (started_) next(decision, now);
}

/// The last attempt of a check has ended with an error: neither the policy nor its counters hear of
/// it.
template <Policy P, class Spec>
void WorkerFsm<P, Spec>::check_errored(Decision& decision, const std::error_code& code,
                                       TimePoint now) noexcept {
    if (is_local_fault(code) && !spec().error_threshold_local) return;
    if (errors_in_row_ != detail::highest_error_threshold) ++errors_in_row_;
    const int threshold = spec().error_threshold;
    if (errored_ || threshold == 0 || errors_in_row_ < threshold) return;
    health_before_ = health_;
    judged_before_ = judged_;
    conclude(decision, Health::unknown, Verdict::Origin::prober_error, now);
}

/// The one place where a verdict is made.
template <Policy P, class Spec>
void WorkerFsm<P, Spec>::conclude(Decision& decision, Health health, Verdict::Origin origin,
                                  TimePoint now) noexcept {
    // The first judgement is a change even if it equals the initial value; the initial health of a
    // new target is not a judgement. That errors begin or end is told whatever the health was.
    const bool judges = origin != Verdict::Origin::target_replaced;
    const bool errs = origin == Verdict::Origin::prober_error;
    const bool erred = errored_;
    errored_ = errs;
    if (judges && judged_ && health == health_ && errs == erred) return;
    decision.origin = origin;
    decision.changed = judges || health != health_ || erred;
    decision.previous = judged_ ? health_ : Health::unknown;
    decision.previous_duration = now - since_;
    decision.health = health_ = health;
    since_ = now;
    judged_ = judges;
}

template <Policy P, class Spec>
void WorkerFsm<P, Spec>::cancel_attempt(Decision& decision) noexcept {
    if (flight_ == Flight::scheduled) flight_ = Flight::none;
    if (flight_ != Flight::running) return;
    flight_ = Flight::cancelling;
    decision.cancel = true;
}

// ---- the worker and its target start and end ----

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::Started started, TimePoint now) noexcept {
    if (started_) return nothing();
    if constexpr (requires { policy_.on_start(); }) {
        policy_.on_start();
    } else if constexpr (requires { policy_.on_target_replaced(spec()); }) {
        if (started_before_) policy_.on_target_replaced(spec());
    }
    started_ = started_before_ = target_running_ = true;
    ended_ = on_hold_ = paused_ = judged_ = check_requested_ = errored_ = false;
    errors_in_row_ = 0;
    health_ = initial_health(spec().kind);
    since_ = now;
    // Workers differ in their address and in when they start: enough for a seed, without a source
    // of entropy.
    std::uint64_t entropy = std::bit_cast<std::uintptr_t>(this);
    entropy =
        detail::splitmix64(entropy) ^ static_cast<std::uint64_t>(now.time_since_epoch().count());
    schedule_.start(spec(), started.target_since, now, entropy);
    return next(now);
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::TargetStarted target, TimePoint now) noexcept {
    if (!started_) return nothing();
    // Points of the grid that passed while no check was to be made do not count as missed.
    if (on_hold_ || !target_running_) schedule_.skip_to(spec(), now);
    on_hold_ = false;
    target_running_ = true;
    errors_in_row_ = 0;
    if constexpr (requires { policy_.on_target_replaced(spec()); })
        policy_.on_target_replaced(spec());
    schedule_.replace_target(spec(), target.since, now, target.adopted);
    Decision decision = nothing();
    conclude(decision, target.adopted ? Health::unknown : initial_health(spec().kind),
             Verdict::Origin::target_replaced, now);
    cancel_attempt(decision);
    next(decision, now);
    return decision;
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::TargetBack, TimePoint now) noexcept {
    if (!started_ || target_running_) return nothing();
    target_running_ = true;
    schedule_.skip_to(spec(), now);
    return next(now);
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::TargetGone, TimePoint now) noexcept {
    if (!started_ || on_hold_ || !target_running_) return nothing();
    target_running_ = check_requested_ = false;
    Decision decision = nothing();
    conclude(decision, Health::failing, Verdict::Origin::target_gone, now);
    cancel_attempt(decision);
    decision.action = Decision::Action::hold;
    return decision;
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::Terminating, TimePoint now) noexcept {
    if (!started_ || on_hold_ || spec().kind == ProbeKind::readiness) return nothing();
    started_ = check_requested_ = false;
    ended_ = true;
    Decision decision = nothing();
    conclude(decision, Health::passing, Verdict::Origin::terminating, now);
    cancel_attempt(decision);
    decision.action = Decision::Action::end;
    return decision;
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::Stopped, TimePoint) noexcept {
    started_ = ended_ = check_requested_ = errored_ = false;
    errors_in_row_ = 0;
    Decision decision = nothing();
    cancel_attempt(decision);
    decision.action = Decision::Action::end;
    return decision;
}

// ---- checks ----

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::Due, TimePoint now) noexcept {
    if (flight_ != Flight::none || !may_check()) return nothing(); // stale
    if (schedule_.delayed(spec(), now)) return next(now);
    Decision decision = nothing();
    begin_check(decision, now);
    return decision;
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::AttemptScheduled, TimePoint) noexcept {
    if (flight_ == Flight::running) flight_ = Flight::scheduled;
    return nothing();
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::AttemptBegun, TimePoint) noexcept {
    if (flight_ == Flight::scheduled) flight_ = Flight::running;
    return nothing();
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::Result ended, TimePoint now) noexcept {
    Decision decision = nothing();
    if (!in_flight()) return decision;
    if (flight_ == Flight::cancelling) {
        attempt_over(decision, now);
        return decision;
    }
    flight_ = Flight::none;
    errors_in_row_ = 0;
    if (const std::optional<Health> health = policy_.judge(ended.result, spec())) {
        conclude(decision, *health, Verdict::Origin::result, now);
        const bool decided = (spec().kind == ProbeKind::startup && *health != Health::unknown) ||
                             (spec().kind == ProbeKind::liveness && *health == Health::failing);
        if (decided) {
            on_hold_ = true;
            check_requested_ = false;
            if constexpr (requires { policy_.on_hold(); }) policy_.on_hold();
            decision.action = Decision::Action::hold;
            return decision;
        }
    } else if (errored_) {
        conclude(decision, health_before_, Verdict::Origin::restored, now);
        judged_ = judged_before_;
    }
    next(decision, now);
    return decision;
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::Error ended, TimePoint now) noexcept {
    Decision decision = nothing();
    if (!in_flight()) return decision;
    // No attempt is decided on behind a closed gate, not even a retry.
    if (flight_ == Flight::cancelling) {
        attempt_over(decision, now);
    } else if (attempt_in_check_ == max_attempts || !gate_open_) {
        check_errored(decision, ended.code, now);
        attempt_over(decision, now);
    } else {
        decision.attempt_in_check = ++attempt_in_check_;
        decision.action = Decision::Action::attempt;
    }
    return decision;
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::AttemptCancelled, TimePoint now) noexcept {
    Decision decision = nothing();
    if (in_flight()) attempt_over(decision, now);
    return decision;
}

// ---- what may hold checks back, and what requests one ----

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::Triggered, TimePoint now) noexcept {
    if (!has_subject()) return nothing();
    if (flight_ == Flight::scheduled) return nothing(); // the check is about to begin
    if (flight_ == Flight::none) {
        check_requested_ = true;
        return next(now);
    }
    // An attempt that is being cancelled may be the last target's: this one's delay counts.
    if (gate_open_ && !schedule_.delayed(spec(), now))
        check_requested_ = true;
    else
        schedule_.restart(now);
    return nothing();
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::GateOpened, TimePoint now) noexcept {
    const bool was_open = gate_open_;
    gate_open_ = true;
    if (was_open || !started_) return nothing();
    // The kubelet triggers the readiness worker of a container that has started and is not ready;
    // with probes scoped to the container every worker begins with the gate.
    const bool at_once =
        spec().kind == ProbeKind::readiness || spec().pacing.cadence == Cadence::target_start;
    if (at_once) return step(event::Triggered{}, now);
    if (flight_ != Flight::none) return nothing();
    schedule_.skip_to(spec(), now);
    return next(now);
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::GateClosed, TimePoint now) noexcept {
    gate_open_ = false;
    if (first_attempt_scheduled()) flight_ = Flight::none;
    if (!started_ || flight_ != Flight::none) return nothing();
    return next(now);
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::Paused, TimePoint) noexcept {
    if (!started_ || paused_) return nothing();
    paused_ = true;
    check_requested_ = false;
    Decision decision = nothing();
    cancel_attempt(decision);
    decision.action = Decision::Action::hold;
    return decision;
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::step(event::Resumed, TimePoint now) noexcept {
    if (!paused_) return nothing();
    paused_ = false;
    return step(event::Triggered{}, now);
}

template <Policy P, class Spec>
Decision WorkerFsm<P, Spec>::update(Spec to, TimePoint now) noexcept {
    schedule_.change(spec(), deref(to), now);
    spec_ = std::move(to);
    if (!may_check()) return nothing();
    return next(now);
}

// ---- queries ----

template <Policy P, class Spec>
WorkerState WorkerFsm<P, Spec>::state() const noexcept {
    if (!started_) return ended_ ? WorkerState::ended : WorkerState::stopped;
    if (on_hold_) return WorkerState::on_hold;
    if (!target_running_) return WorkerState::no_target;
    if (paused_) return WorkerState::paused;
    const bool retries = flight_ == Flight::scheduled && attempt_in_check_ > 1;
    if (flight_ == Flight::running || retries) return WorkerState::probing;
    return gate_open_ ? WorkerState::waiting : WorkerState::gated;
}

template <Policy P, class Spec>
TimePoint WorkerFsm<P, Spec>::next_check() const noexcept {
    if (!may_check()) return TimePoint::max();
    const bool waited_for = flight_ == Flight::none || first_attempt_scheduled();
    return waited_for ? schedule_.due() : schedule_.next_point();
}

} // namespace probekit::inline PROBEKIT_ABI
