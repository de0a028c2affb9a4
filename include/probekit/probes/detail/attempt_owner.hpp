// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <system_error>
#include <utility>

#include <asio/cancellation_signal.hpp>

#include <probekit/async/detail/block_pool.hpp>
#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/probe.hpp>

// The one handler type that workers and AnyProbe hand to probes, so that each probe's attempt is
// compiled once for them.
namespace probekit::inline PROBEKIT_ABI::detail {

/// Why an attempt is to end before it has an answer.
enum class StopReason : std::uint8_t { none, timeout, cancel };

/// Whether an event loop that comes so late to a deadline may have cost the target a part of its
/// time that counts. Then the deadline is set anew, once.
[[nodiscard]] constexpr bool is_late(Duration late, Duration timeout) noexcept {
    constexpr Duration usual = std::chrono::milliseconds{10}; // what any machine is late by
    return late > std::max(usual, timeout / 8);
}

/// An attempt of one of our own probes, for its client: no slot is needed then, whose memory would
/// be one allocation a look.
class StoppableAttempt {
public:
    /// Ends what is pending, for this reason, unless the attempt is over. From any thread.
    virtual void interrupt(StopReason reason) noexcept = 0;

protected:
    StoppableAttempt() = default;
    ~StoppableAttempt() = default;
};

/// Whoever asks for looks through a OwnedAttemptHandler. Counted: the handler of an attempt keeps
/// its client.
template <class Executor>
class AttemptOwner : public RefCounted<AttemptOwner<Executor>> {
public:
    using executor_type = Executor;

    /// The executor of the client's handler, and of nothing else.
    [[nodiscard]] virtual const Executor& attempt_executor() const noexcept = 0;
    /// Of the executor's context: where an attempt takes its memory, and its deadline.
    [[nodiscard]] virtual ContextState& attempt_context() const noexcept = 0;
    /// For probes that are cancelled through a slot; not connected if the client never cancels.
    [[nodiscard]] virtual asio::cancellation_slot attempt_slot() noexcept = 0;
    /// When the look that is just being begun began, on the steady clock.
    [[nodiscard]] virtual TimePoint attempt_started_at() const noexcept = 0;
    /// The end of the look, on the executor, in the middle of nothing else of the client's. `self`
    /// is the handler's reference. `at`: the steady clock's time, if the caller has just read it;
    /// else TimePoint::min().
    virtual void on_attempt_done(Ref<AttemptOwner> self, TimePoint at, std::error_code error,
                                 ProbeResult&& result) = 0;

    virtual void destroy() noexcept = 0;

    /// Whether the client keeps the timeout, by a clock of its own, and our own probes need not.
    [[nodiscard]] bool keeps_timeout() const noexcept { return keeps_timeout_; }

    /// Whether the client begins its looks on the probe's executor, from the event loop: a user's
    /// function may be called there and then.
    [[nodiscard]] bool starts_on_executor() const noexcept { return starts_on_executor_; }

    /// Ends the attempt in flight if it is one of our own probes'; false if it is not, and the slot
    /// has to serve.
    bool stop_own_attempt(StopReason reason) noexcept {
        if (attempt_ == nullptr) return false;
        attempt_->interrupt(reason);
        return true;
    }

    // Between the attempt and its client.
    void attempt_begins(StoppableAttempt& attempt) noexcept { attempt_ = &attempt; }
    void attempt_ends() noexcept { attempt_ = nullptr; }

protected:
    explicit AttemptOwner(bool keeps_timeout, bool starts_on_executor = true) noexcept
        : keeps_timeout_(keeps_timeout), starts_on_executor_(starts_on_executor) {}
    ~AttemptOwner() = default;

private:
    bool keeps_timeout_;
    bool starts_on_executor_;
    StoppableAttempt* attempt_ = nullptr;
};

template <class Executor>
class OwnedAttemptHandler {
public:
    using executor_type = Executor;
    using allocator_type = PoolAllocator<void>;
    using cancellation_slot_type = asio::cancellation_slot;

    explicit OwnedAttemptHandler(Ref<AttemptOwner<Executor>> client) noexcept
        : client_(std::move(client)) {}
    OwnedAttemptHandler(OwnedAttemptHandler&&) noexcept = default;
    OwnedAttemptHandler& operator=(OwnedAttemptHandler&&) noexcept = default;

    [[nodiscard]] executor_type get_executor() const noexcept {
        return client_->attempt_executor();
    }
    [[nodiscard]] allocator_type get_allocator() const noexcept {
        return allocator_type{client_->attempt_context().pool()};
    }
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
        return client_->attempt_slot();
    }

    [[nodiscard]] AttemptOwner<Executor>& client() const noexcept { return *client_; }
    explicit operator bool() const noexcept { return static_cast<bool>(client_); }

    void operator()(std::error_code error, ProbeResult&& result) {
        tell(TimePoint::min(), error, std::move(result));
    }
    void operator()(std::error_code error, const ProbeResult& result) {
        (*this)(error, ProbeResult{result});
    }

    /// At a time that is known, and without taking the result out of where it lies.
    void tell(TimePoint at, std::error_code error, ProbeResult&& result) {
        AttemptOwner<Executor>& told = *client_;
        told.on_attempt_done(std::move(client_), at, error, std::move(result));
    }

private:
    Ref<AttemptOwner<Executor>> client_;
};

template <class T>
inline constexpr bool is_owned_attempt_handler = false;
template <class Executor>
inline constexpr bool is_owned_attempt_handler<OwnedAttemptHandler<Executor>> = true;

/// A probe that says it ends an attempt at its timeout by itself.
template <class P>
concept EnforcesTimeout = requires { requires P::enforces_timeout; };

/// Begins a look for a client. It may end before this returns.
template <class P, class Executor>
void start_attempt(P& probe, Duration timeout, OwnedAttemptHandler<Executor> handler) {
    if constexpr (requires { probe.start_attempt(timeout, std::move(handler)); })
        probe.start_attempt(timeout, std::move(handler));
    else
        probe.async_probe(timeout, std::move(handler));
}

} // namespace probekit::inline PROBEKIT_ABI::detail
