// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/scope_exit.hpp>
#include <probekit/config.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/core/worker_fsm.hpp>
#include <probekit/runtime/detail/worker_core.hpp>
#include <probekit/runtime/startup_gate.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::apply(const Decision& decision, TimePoint now) noexcept {
    health_.store(fsm_.health(), std::memory_order_relaxed);
    // Any action is instead of an attempt that has not begun.
    if (decision.action != Decision::Action::none && waits_to_begin(this->stage())) this->cancel();
    switch (decision.action) {
    case Decision::Action::none: break;
    case Decision::Action::attempt:
        this->schedule(decision.attempt_in_check, now);
        attempt_scheduled(decision, now);
        break;
    case Decision::Action::wait: this->wait_until(moment_of_check(decision.at)); break;
    case Decision::Action::hold: this->stop_waiting(); break;
    case Decision::Action::end:
        this->stop_waiting();
        release_work();
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
    const bool met = passes_by_result(decision.origin);
    for (StartupGate::Condition& condition : extras_->opens) condition.set(met);
}

template <class P, class Pol, class Obs, class Clk>
inline void WorkerCore<P, Pol, Obs, Clk>::on_attempt_ended(TimePoint now, bool cancelled,
                                                           std::error_code error,
                                                           ProbeResult&& result) {
    const Step step{*this, now};
    if (extras_ && extras_->next_probe) {
        this->probe().replace(std::move(*extras_->next_probe));
        extras_->next_probe.reset();
    }
    const Decision decision = cancelled ? fsm_.step(event::AttemptCancelled{}, now)
                              : error   ? fsm_.step(event::Error{error}, now)
                                        : fsm_.step(event::Result{result}, now);
    if (!cancelled) {
        if (error) {
            ++errors_;
            last_error_ = error;
            if (!result.cause)
                result.cause = to_std(error); // a user's probe may give just the code
        }
        last_outcome_ = result.outcome;
        last_status_ = result.status;
        last_cause_ = result.cause ? to_std(result.cause) : std::error_code{};
        last_elapsed_ = result.elapsed();
        last_at_ = now;
    }
    const int attempt_in_check = this->attempt_in_check();
    apply(decision, now);
    const bool plain = result.outcome == Outcome::success && result.output.empty();
    const ProbeResult& kept =
        cancelled || (plain && !extras_) ? result : remember(result, plain, decision.changed);
    const WorkerState after = observed_state();
    const auto notify_of_end = [&](const ProbeResult& shown) {
        if constexpr (SeesAttemptEnded<Unwrapped<Obs>>)
            notifier_.observe(AttemptEnded{.kind = kind(),
                                           .number = this->attempts(),
                                           .attempt_in_check = attempt_in_check,
                                           .at = now,
                                           .error = error,
                                           .result = shown,
                                           .counted = !error,
                                           .retried = decision.attempt_in_check > 1});
    };

    const typename Notifications::Scope scope{notifier_};
    // Those who wait for a stop have waited for this attempt, even if another one is decided on.
    const ScopeExit stopped{[&] {
        if (extras_ && !abandoned()) extras_->stop_waits.complete_all({});
    }};
    if (!decision.changed && step.before == after) return notify_of_end(kept);
    Item item{.before = step.before,
              .after = after,
              .generation = notifier_.generation(),
              .judged = fsm_.judged()};
    if (decision.changed) item.verdict = verdict_of(decision, now, std::move(result));
    notify_of(item, [&] { notify_of_end(item.verdict ? item.verdict->result : kept); });
}

template <class P, class Pol, class Obs, class Clk>
template <class First>
void WorkerCore<P, Pol, Obs, Clk>::notify_of(Item& item, First first) {
    [[maybe_unused]] bool thrown = true;
    const ScopeExit rest{[&] {
        if constexpr (!std::same_as<Unwrapped<Obs>, NoObserver>)
            if (thrown && (item.verdict || item.before != item.after))
                notifier_.put_back(*this, std::move(item));
    }};
    first();
    if (item.verdict && !std::exchange(item.observed, true)) notifier_.observe(*item.verdict);
    observe_state(std::exchange(item.before, item.after), item.after);
    thrown = false; // what is left is the callback's turn, which is the last
    if (!item.verdict || item.generation != notifier_.generation()) return;
    // Posted now, so they run after the callback, and a stop() in there comes too late for them.
    const Verdict& verdict = *item.verdict;
    if (item.judged && extras_)
        extras_->waits.complete(static_cast<int>(verdict.health), {}, verdict);
    notifier_.call_back(verdict);
}

template <class P, class Pol, class Obs, class Clk>
const ProbeResult& WorkerCore<P, Pol, Obs, Clk>::remember(ProbeResult& result, bool plain,
                                                          bool decided) noexcept {
    const auto keep = [](std::unique_ptr<ProbeResult>& place, auto&& kept) {
        if (place)
            *place = std::forward<decltype(kept)>(kept);
        else
            place = std::make_unique<ProbeResult>(std::forward<decltype(kept)>(kept));
    };
    const bool kept = !plain && !try_allocating([&] {
        if (!decided) return keep(extras().last, std::move(result));
        keep(extras().deciding, result); // the verdict takes the result itself
        keep(extras_->last, result);
    });
    if (!kept && extras_) { // without memory it is forgotten
        extras_->last.reset();
        if (decided) extras_->deciding.reset();
    }
    return kept && !decided ? *extras_->last : result;
}

template <class P, class Pol, class Obs, class Clk>
ProbeResult WorkerCore<P, Pol, Obs, Clk>::last_result() const {
    if (extras_ && extras_->last) return *extras_->last;
    ProbeResult result;
    result.outcome = last_outcome_;
    result.status = last_status_;
    result.cause = last_cause_;
    if (result.passed()) result.phase = Phase::finish;
    result.times[static_cast<std::size_t>(Phase::run) - 1] = last_elapsed_;
    return result;
}

template <class P, class Pol, class Obs, class Clk>
Verdict WorkerCore<P, Pol, Obs, Clk>::standing_verdict() const {
    Verdict verdict{.kind = kind(),
                    .health = fsm_.health(),
                    .previous = previous_,
                    .origin = origin_,
                    .at = fsm_.since(),
                    .previous_duration = previous_duration_};
    if (!is_based_on_attempt(origin_)) return verdict;
    if (extras_ && extras_->deciding) {
        verdict.result = *extras_->deciding;
    } else if (verdict.errored()) {
        verdict.result.cause = to_std(last_error_);
    } else {
        verdict.result.outcome = verdict.passed() ? Outcome::success : Outcome::failure;
    }
    return verdict;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
