// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <system_error>
#include <utility>

#include <asio/error.hpp>

#include <probekit/async/detail/exceptions.hpp>
#include <probekit/config.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/runtime/detail/worker_core.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::tell_result(const Step& step, const Decision& decision,
                                               int attempt_in_check, std::error_code error,
                                               ProbeResult&& result) {
    const std::uint32_t life = life_;
    const WorkerState after = state();
    const Telling telling{*this};
    // Whoever waits for a stop has waited for this attempt, though another may be decided already.
    const ScopeExit stopped{[&] {
        if (!detached_) tell_stopped();
    }};
    if constexpr (SeesAttemptEnded<Unwrapped<Obs>>)
        tell(observer_, AttemptEnded{.kind = kind(),
                                     .number = attempts_,
                                     .attempt_in_check = attempt_in_check,
                                     .at = step.now,
                                     .error = error,
                                     .result = result,
                                     .counted = !error,
                                     .retried = decision.attempt_in_check > 1});
    if (decision.changed)
        tell_verdict(verdict_of(decision, step.now, std::move(result)), step.before, after, life);
    else if (!detached_)
        tell_state(step.before, after);
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::tell_verdict(const Verdict& verdict, WorkerState before,
                                                WorkerState after, std::uint32_t life) {
    if (!detached_) tell(observer_, verdict);
    if (!detached_) tell_state(before, after);
    if (life != life_) return;
    // Posted now, so they run after the callback, and a stop() in there comes too late for them.
    const bool judged = verdict.origin != Verdict::Origin::target_replaced;
    if (judged && extras_ && extras_->waits)
        extras_->waits->complete(static_cast<int>(verdict.health), {}, verdict);
    if (!callback_) return;
    // It may replace itself, or destroy the worker: it runs from the stack.
    SmallFunction<Verdict> callback = std::move(callback_);
    callback_set_ = false;
    const ScopeExit back{[&] {
        if (!callback_set_ && !detached_) callback_ = std::move(callback);
    }};
    callback(verdict);
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::note(const Step& step, const Decision& decision) noexcept {
    const WorkerState after = state();
    const bool told =
        decision.changed || (SeesStateChanged<Unwrapped<Obs>> && step.before != after);
    if (!told || detached_) return;
    // Without memory the news is lost rather than the program; what health() says is right all the
    // same.
    const std::error_code no_memory = try_allocating([&] {
        WorkerNote one{.before = step.before, .after = after, .life = life_};
        if (decision.changed) one.verdict = verdict_of(decision, step.now, {});
        extras().notes.push_back(std::move(one));
    });
    if (no_memory || extras_->notes.size() != 1) return;
    if (try_allocating([&] { post(&WorkerCore::tell_notes); })) extras_->notes.pop_back();
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::tell_notes() {
    const ScopeExit rest_later{[&] {
        if (has_notes() && !detached_) post(&WorkerCore::tell_notes);
    }};
    if (telling_) return;
    const Telling telling{*this};
    for (auto count = has_notes() ? extras_->notes.size() : 0; count != 0 && !detached_; --count) {
        const WorkerNote one = std::move(extras_->notes.front());
        extras_->notes.pop_front();
        if (one.verdict)
            tell_verdict(*one.verdict, one.before, one.after, one.life);
        else
            tell_state(one.before, one.after);
    }
}

template <class P, class Pol, class Obs, class Clk>
Verdict WorkerCore<P, Pol, Obs, Clk>::verdict_of(const Decision& decision, TimePoint now,
                                                 ProbeResult&& result) const {
    return {.kind = kind(),
            .health = decision.health,
            .previous = decision.previous,
            .origin = decision.origin,
            .at = now,
            .previous_duration = decision.previous_duration,
            .result = std::move(result)};
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::remember_deciding(const ProbeResult& result) {
    const bool plain = result.outcome == Outcome::success && result.output.empty();
    if (extras_) extras_->deciding.reset();
    if (!plain)
        static_cast<void>(
            try_allocating([&] { extras().deciding = result; })); // then it stays forgotten
}

template <class P, class Pol, class Obs, class Clk>
Verdict WorkerCore<P, Pol, Obs, Clk>::standing_verdict() const {
    Verdict verdict{.kind = kind(),
                    .health = fsm_.health(),
                    .previous = previous_,
                    .origin = origin_,
                    .at = fsm_.since(),
                    .previous_duration = previous_duration_};
    if (origin_ != Verdict::Origin::result) return verdict;
    if (extras_ && extras_->deciding)
        verdict.result = *extras_->deciding;
    else
        verdict.result.outcome = verdict.passed() ? Outcome::success : Outcome::failure;
    return verdict;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
