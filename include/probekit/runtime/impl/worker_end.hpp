// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <system_error>
#include <utility>

#include <asio/error.hpp>

#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/worker_fsm.hpp>
#include <probekit/probes/detail/owned_attempt_handler.hpp>
#include <probekit/runtime/detail/worker_core.hpp>

// How a worker's work ends, by a call, with its handle or with its context, and who waits for what.
namespace probekit::inline PROBEKIT_ABI::detail {

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::stop() noexcept {
    ++life_; // what on_verdict has not been told yet, it will not be told
    happen(event::Stopped{});
    if (extras_ && extras_->waits) extras_->waits->complete_all(asio::error::operation_aborted, {});
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::detach() noexcept {
    detached_ = true;
    ++life_;
    const bool context_gone = wheel_->context().is_shut_down();
    if (!context_gone) stop_attempt(StopReason::cancel);
    disarm();
    rest();
    if (!extras_) return;
    if (attempt_ == Attempt::queued) static_cast<void>(leave_queue());
    if (attempt_ != Attempt::running) give_place_back(); // begun, and not asked any more
    if (extras_->waits) extras_->waits->complete_all(asio::error::operation_aborted, {});
    if (extras_->stop_waits) extras_->stop_waits->complete_all(asio::error::operation_aborted);
}

template <class P, class Pol, class Obs, class Clk>
void WorkerCore<P, Pol, Obs, Clk>::on_context_shutdown() noexcept {
    if (extras_->gate) std::exchange(extras_->gate, {})->unsubscribe(*extras_);
    if (attempt_ == Attempt::queued) {
        static_cast<void>(leave_queue());
        attempt_ = Attempt::none;
    }
    static_cast<void>(try_allocating([this] { give_place_back(); }));
    extras_->next_probe.reset();
    // A strand must not outlive its context, nor what a user's probe may hold.
    asked_gone_ = attempt_ != Attempt::running || !asked_.must_outlive_attempts();
    if (asked_gone_) std::destroy_at(&asked_);
}

template <class P, class Pol, class Obs, class Clk>
template <class Handler>
void WorkerCore<P, Pol, Obs, Clk>::wait_for(Health wanted, Handler&& handler) {
    Extras& more = extras();
    if (!more.waits) more.waits = Ref{new typename Extras::VerdictWaiters{Ref{&wheel_->context()}}};
    more.waits->add(std::forward<Handler>(handler), executor(), static_cast<int>(wanted));
    if (detached_) // a lazy token's operation, begun after its worker has gone
        more.waits->complete_all(asio::error::operation_aborted, {});
    else if (fsm_.judged() && fsm_.health() == wanted)
        more.waits->complete(static_cast<int>(wanted), {}, standing_verdict());
}

template <class P, class Pol, class Obs, class Clk>
template <class Handler>
void WorkerCore<P, Pol, Obs, Clk>::stop_and_wait(Handler&& handler) {
    Extras& more = extras();
    if (!more.stop_waits)
        more.stop_waits = Ref{new typename Extras::StopWaiters{Ref{&wheel_->context()}}};
    more.stop_waits->add(std::forward<Handler>(handler), executor());
    if (detached_) return more.stop_waits->complete_all(asio::error::operation_aborted);
    stop();
    if (attempt_ == Attempt::none) tell_stopped();
}

} // namespace probekit::inline PROBEKIT_ABI::detail
