// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <system_error>
#include <utility>

#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/cancel_link.hpp>
#include <probekit/async/detail/executors.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/owned_attempt_handler.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The handler of an attempt, with the work that it keeps on its executor, and how it is completed.
template <class Handler, class Executor>
struct AttemptHandler {
    AttemptHandler(Handler&& moved, const Executor& fallback)
        : handler(std::move(moved)), work(asio::get_associated_executor(handler, fallback)) {}

    template <class Attempt>
    void connect(Attempt& attempt) {
        link.connect(asio::get_associated_cancellation_slot(handler), attempt);
    }
    void disconnect() noexcept { link.disconnect(asio::get_associated_cancellation_slot(handler)); }

    [[nodiscard]] static TimePoint started_at() noexcept {
        return std::chrono::steady_clock::now();
    }
    /// When the attempt has to end by itself, counted from its start.
    [[nodiscard]] static Duration effective_timeout(Duration timeout) noexcept { return timeout; }

    /// Runs `completion` on the handler's executor, never from inside the initiating function.
    template <class Completion>
    void complete(Completion&& completion, bool initiating) {
        const auto executor = work.get_executor();
        if (initiating)
            asio::post(executor, std::forward<Completion>(completion));
        else
            asio::dispatch(executor, std::forward<Completion>(completion));
    }

    /// Moves the handler out of the attempt's block, which is free again before the handler may
    /// start another attempt.
    template <class Block>
    void invoke(Block block, std::error_code error, ProbeResult& result, TimePoint) {
        const Work working = std::move(work);
        Handler notified = std::move(handler);
        ProbeResult taken = std::move(result);
        block = {};
        std::move(notified)(error, std::move(taken));
    }

    using Work = asio::executor_work_guard<asio::associated_executor_t<Handler, Executor>>;

    Handler handler;
    Work work;
    CancelLink link;
};

/// An owner's handler needs neither slot nor work, and may be called at once: its attempts start on
/// its executor.
template <class Executor>
struct AttemptHandler<OwnedAttemptHandler<Executor>, Executor> {
    AttemptHandler(OwnedAttemptHandler<Executor>&& moved, const Executor&)
        : handler(std::move(moved)) {}
    // An attempt that is destroyed with its context must not be stopped any more.
    ~AttemptHandler() {
        if (handler) disconnect();
    }

    template <class Attempt>
    void connect(Attempt& attempt) {
        handler.owner().on_own_attempt_started(attempt);
    }
    void disconnect() noexcept { handler.owner().on_own_attempt_over(); }

    [[nodiscard]] TimePoint started_at() const noexcept {
        return handler.owner().attempt_started_at();
    }
    [[nodiscard]] Duration effective_timeout(Duration timeout) const noexcept {
        return handler.owner().owner_enforces_timeout() ? Duration::max() : timeout;
    }

    template <class Completion>
    void complete(Completion&& completion, bool) {
        const Executor& executor = handler.owner().attempt_executor();
        if (runs_here(executor))
            completion.call_at(completion.phase_start());
        else
            asio::dispatch(executor, std::forward<Completion>(completion));
    }

    /// Passes the result in place. The block stays alive: an owner starts its next attempt only
    /// afterwards.
    template <class Block>
    void invoke(const Block&, std::error_code error, ProbeResult& result, TimePoint at) {
        handler.invoke(at, error, std::move(result));
    }

    OwnedAttemptHandler<Executor> handler;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
