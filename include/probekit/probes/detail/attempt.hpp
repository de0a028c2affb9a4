// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include <asio/associated_allocator.hpp>
#include <asio/error.hpp>

#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/op_memory.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/attempt_handler.hpp>
#include <probekit/probes/detail/attempt_owner.hpp>
#include <probekit/probes/detail/deadline.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The base of the attempts of all built-in probes: one block with the handler, the result, the
/// deadline and the memory of the pending step.
///
/// The pending step owns the attempt, so destroying the context destroys it. While a step runs, a
/// reference goes from function to function as an rvalue, which costs nothing: a function that
/// starts a wait copies it into the next step, a function that finishes takes it.
///
/// Steps run one after the other on the context's threads, without a strand. The deadline and the
/// canceller come from other threads; the mutex stands between them and the step.
///
/// A Derived implements the two functions that make() asks for.
template <class Derived, class Handler, class Executor>
class Attempt : public RefCounted<Derived>, public WheelNode, public StoppableAttempt {
public:
    void stop(StopReason reason) noexcept final {
        const Mutex::Lock lock{mutex_};
        if (finished_ || stop_reason_ == StopReason::cancel) return;
        stop_reason_ = reason;
        derived().stop_waiting();
    }

    void cancel_requested() noexcept { stop(StopReason::cancel); }

    void destroy() noexcept {
        using Allocator =
            typename std::allocator_traits<HandlerAllocator>::template rebind_alloc<Derived>;
        Allocator allocator(allocator_);
        // Keeps the pool, too: the attempt's owner may be the last but this to hold it.
        const Ref<Wheel> keep = wheel_;
        Derived* const whole = &derived();
        whole->~Derived();
        std::allocator_traits<Allocator>::deallocate(allocator, whole, 1);
    }

    /// Makes an attempt in memory from the handler's allocator. Throws what that throws.
    template <class... Args>
    [[nodiscard]] static Ref<Derived> make(Handler&& handler, const Executor& executor,
                                           Args&&... args) {
        static_assert(
            requires(Derived& derived, Phase phase) {
                // Ends the pending wait, whose step comes then. Called under the mutex.
                { derived.stop_waiting() } noexcept;
                // Adds to result_ what message() needs if the attempt did not pass.
                derived.describe(phase);
            }, "an attempt has stop_waiting() noexcept and describe(Phase)");
        using Allocator =
            typename std::allocator_traits<HandlerAllocator>::template rebind_alloc<Derived>;
        Allocator allocator(asio::get_associated_allocator(handler));
        Derived* const memory = std::allocator_traits<Allocator>::allocate(allocator, 1);
        Ref<Derived> attempt{::new (static_cast<void*>(memory)) Derived(
            std::move(handler), executor, std::forward<Args>(args)...)};
        attempt->handler_.connect(*attempt);
        return attempt;
    }

    /// Whether the attempt that `self` was handed to goes on: it has finished, or a pending step
    /// owns it. What is neither would never call its handler.
    [[nodiscard]] static bool goes_on(const Ref<Derived>& self) noexcept {
        return !self || !self->is_unique() || self->finished_;
    }

protected:
    using HandlerAllocator = asio::associated_allocator_t<Handler>;

    Attempt(Handler&& handler, const Executor& executor, const Ref<Wheel>& wheel, Duration timeout)
        : WheelNode(hooks),
          allocator_(asio::get_associated_allocator(handler)),
          handler_(std::move(handler), executor),
          wheel_(wheel),
          started_(handler_.started_at()),
          phase_start_(started_),
          timeout_(timeout),
          effective_timeout_(handler_.effective_timeout(timeout)) {}

    // Only the context destroys an attempt that has not finished; the wheel may be shut down by
    // then, or not yet.
    ~Attempt() {
        if (deadline_armed_ && !finished_) wheel_->disarm(*this);
    }

    /// The handler of a step: calls `Next` with the reference that owns the attempt.
    template <auto Next>
    struct Step {
        using allocator_type = OpAllocator<void>;

        Ref<Derived> attempt;

        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return allocator_type{attempt->op_memory_};
        }
        void operator()(std::error_code error = {}) {
            Derived& self = *attempt;
            (self.*Next)(std::move(attempt), error);
            PROBEKIT_ASSERT(goes_on(attempt));
        }
    };

    /// Calls `start`, which starts an asynchronous wait and does nothing else, unless the attempt
    /// is to stop. An error means that no step will come: the caller goes on to finish_stopped().
    /// The deadline is armed at the first wait: many attempts need none.
    template <class Start>
    [[nodiscard]] std::error_code wait(Start start) {
        const Mutex::Lock lock{mutex_};
        if (stop_reason_ != StopReason::none) return asio::error::operation_aborted;
        arm_deadline();
        // Every later step runs from the event loop.
        const bool was_initiating = std::exchange(initiating_, false);
        const std::error_code error = start();
        if (error) initiating_ = was_initiating;
        return error;
    }

    [[nodiscard]] StopReason stop_reason() noexcept {
        const Mutex::Lock lock{mutex_};
        return stop_reason_;
    }

    /// Adds the time since the last call to that of `phase`.
    void add_time(Phase phase) noexcept {
        const TimePoint now = std::chrono::steady_clock::now();
        result_.times[static_cast<std::size_t>(phase) - 1] += now - phase_start_;
        phase_start_ = now;
    }

    // The ends of an attempt; each is the last call of its caller. The attempt holds no resource of
    // the target any more, and phase_start_ is the time of the end.
    void finish(Ref<Derived>&& self) {
        {
            const Mutex::Lock lock{mutex_};
            PROBEKIT_ASSERT(!finished_);
            finished_ = true;
            if (deadline_armed_) wheel_->disarm(*this);
        }
        handler_.complete(Completion{std::move(self)}, initiating_);
    }
    void finish(Ref<Derived>&& self, std::error_code error) {
        error_ = error;
        finish(std::move(self));
    }

    /// The target's state is known to be bad, and `cause` says why. A cause that is no fault of the
    /// target makes it a prober error.
    void finish_with_cause(Ref<Derived>&& self, Phase phase, std::error_code cause) {
        add_time(phase);
        result_.phase = phase;
        result_.cause = to_std(cause);
        derived().describe(phase);
        const bool is_error = is_prober_error(result_.cause);
        result_.outcome = is_error ? Outcome::unknown : Outcome::failure;
        finish(std::move(self), is_error ? result_.cause : std::error_code{});
    }

    /// A prober error.
    void finish_error(Ref<Derived>&& self, Phase phase, std::error_code error) {
        add_time(phase);
        result_.phase = phase;
        result_.cause = to_std(error);
        derived().describe(phase);
        finish(std::move(self), result_.cause);
    }

    /// After wait() gave an error, or a step came because the attempt is to stop.
    void finish_stopped(Ref<Derived>&& self, Phase phase, std::error_code error) {
        switch (stop_reason()) {
        case StopReason::timeout: return finish_with_cause(std::move(self), phase, Errc::timed_out);
        case StopReason::cancel:
            return finish_error(std::move(self), phase, asio::error::operation_aborted);
        case StopReason::none: return finish_error(std::move(self), phase, error);
        }
        unreachable();
    }

    void finish_passed(Ref<Derived>&& self, Phase last, Outcome outcome = Outcome::success) {
        add_time(last);
        result_.phase = Phase::finish;
        result_.outcome = outcome;
        finish(std::move(self));
    }

    void arm_deadline() noexcept {
        if (deadline_armed_ || effective_timeout_ == Duration::max()) return;
        deadline_armed_ = true;
        wheel_->arm(*this, saturating_add(started_, effective_timeout_));
    }

    [[nodiscard]] Derived& derived() noexcept { return static_cast<Derived&>(*this); }

    [[no_unique_address]] HandlerAllocator allocator_;
    AttemptHandler<Handler, Executor> handler_;
    Ref<Wheel> wheel_;
    TimePoint started_;
    TimePoint phase_start_; // what add_time() counts from
    Duration timeout_;
    Duration effective_timeout_; // Duration::max() if the owner enforces the timeout
    ProbeResult result_;
    std::error_code error_;
    Mutex mutex_;
    StopReason stop_reason_ = StopReason::none;
    bool finished_ = false;
    bool deadline_armed_ = false;
    DeadlineRenewal renewal_;
    bool initiating_ = true; // still inside the initiating function
    OpMemory op_memory_;

private:
    struct Completion {
        using allocator_type = HandlerAllocator;

        Ref<Derived> attempt;

        [[nodiscard]] allocator_type get_allocator() const noexcept { return attempt->allocator_; }

        [[nodiscard]] TimePoint phase_start() const noexcept { return attempt->phase_start_; }

        void operator()() { call_at(TimePoint::min()); }

        /// `at`: the time, TimePoint::min() if it is not known.
        void call_at(TimePoint at) {
            Attempt& ended = *attempt;
            ended.handler_.disconnect();
            ended.handler_.invoke(std::move(attempt), ended.error_, ended.result_, at);
        }
    };

    void on_deadline() noexcept {
        {
            const Mutex::Lock lock{mutex_};
            const TimePoint now = wheel_->now();
            if (!finished_ && renewal_.grant(now - due(), timeout_))
                return wheel_->arm(*this, saturating_add(now, timeout_));
        }
        stop(StopReason::timeout);
    }

    static inline const WheelHooks hooks{
        .retain =
            [](WheelNode& node) noexcept {
                static_cast<Derived&>(static_cast<Attempt&>(node)).retain();
            },
        .fire =
            [](WheelNode& node) {
                const auto attempt =
                    Ref<Derived>::adopt(&static_cast<Derived&>(static_cast<Attempt&>(node)));
                static_cast<Attempt&>(*attempt).on_deadline();
            },
    };
};

} // namespace probekit::inline PROBEKIT_ABI::detail
