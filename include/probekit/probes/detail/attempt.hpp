// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include <asio/associated_allocator.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/dispatch.hpp>
#include <asio/error.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/cancel_link.hpp>
#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/op_memory.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/attempt_owner.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The handler of an attempt with the work it keeps on its executor, and how it is completed.
template <class Handler, class Executor>
struct AttemptHandler {
    AttemptHandler(Handler&& moved, const Executor& fallback)
        : handler(std::move(moved)), work(asio::get_associated_executor(handler, fallback)) {}

    template <class Attempt>
    void connect(Attempt& attempt) {
        link.connect(asio::get_associated_cancellation_slot(handler), attempt);
    }
    void disconnect() noexcept { link.disconnect(asio::get_associated_cancellation_slot(handler)); }

    [[nodiscard]] static TimePoint started() noexcept { return std::chrono::steady_clock::now(); }
    [[nodiscard]] static Duration limit(Duration timeout) noexcept { return timeout; }

    // Never from inside the initiating call.
    template <class Completion>
    void complete(Completion&& completion, bool initiating) {
        const auto executor = work.get_executor();
        if (initiating)
            asio::post(executor, std::forward<Completion>(completion));
        else
            asio::dispatch(executor, std::forward<Completion>(completion));
    }

    /// Out of the block, which is free again before the handler may begin another attempt.
    template <class Block>
    void tell(Block block, std::error_code error, ProbeResult& result, TimePoint) {
        const Work working = std::move(work);
        Handler told = std::move(handler);
        ProbeResult taken = std::move(result);
        block = {};
        std::move(told)(error, std::move(taken));
    }

    using Work = asio::executor_work_guard<asio::associated_executor_t<Handler, Executor>>;

    Handler handler;
    Work work;
    CancelLink link;
};

/// A client's handler needs neither slot nor work, and may be called at once: its looks begin on
/// its executor.
template <class Executor>
struct AttemptHandler<OwnedAttemptHandler<Executor>, Executor> {
    AttemptHandler(OwnedAttemptHandler<Executor>&& moved, const Executor&)
        : handler(std::move(moved)) {}
    // Dropped with its context: nobody may interrupt any more what is no more.
    ~AttemptHandler() {
        if (handler) disconnect();
    }

    template <class Attempt>
    void connect(Attempt& attempt) {
        handler.client().attempt_begins(attempt);
    }
    void disconnect() noexcept { handler.client().attempt_ends(); }

    [[nodiscard]] TimePoint started() const noexcept {
        return handler.client().attempt_started_at();
    }
    [[nodiscard]] Duration limit(Duration timeout) const noexcept {
        return handler.client().keeps_timeout() ? Duration::max() : timeout;
    }

    template <class Completion>
    void complete(Completion&& completion, bool) {
        const Executor& executor = handler.client().attempt_executor();
        if (runs_here(executor))
            completion.call_at(completion.attempt->mark_);
        else
            asio::dispatch(executor, std::forward<Completion>(completion));
    }

    /// As it lies in the block, which stays so long: a client begins its next look later.
    template <class Block>
    void tell(const Block&, std::error_code error, ProbeResult& result, TimePoint at) {
        handler.tell(at, error, std::move(result));
    }

    OwnedAttemptHandler<Executor> handler;
};

/// What every attempt of our own probes is made of: one block with the handler, the result, the
/// deadline and the memory of the pending step. It is owned by that step, and by nobody in between,
/// so destroying the context destroys it. The reference goes from function to function as an
/// rvalue, which costs nothing: whoever starts a wait copies it into the next step, whoever
/// finishes takes it.
///
/// Its steps come one after the other on the context's threads, under no strand. The deadline and
/// the canceller come from elsewhere; the mutex stands between them and the step.
///
/// A deadline that comes late, because the event loop did, says nothing of the target, whose answer
/// may lie there unread, or which had no time to give one: it is set anew, once. A Derived has
///     void stop_waiting() noexcept     ends the pending wait, whose step then comes; called under
///     the mutex void describe(Phase where)       adds to result_ what message() needs, if the look
///     did not pass
template <class Derived, class Handler, class Executor>
class Attempt : public RefCounted<Derived>, public WheelNode, public StoppableAttempt {
public:
    void interrupt(StopReason reason) noexcept final {
        const Mutex::Lock lock{mutex_};
        if (finished_ || interrupt_ == StopReason::cancel) return;
        interrupt_ = reason;
        derived().stop_waiting();
    }

    void cancel_requested() noexcept { interrupt(StopReason::cancel); }

    void destroy() noexcept {
        using Allocator =
            typename std::allocator_traits<HandlerAllocator>::template rebind_alloc<Derived>;
        Allocator allocator(allocator_);
        const Ref<Wheel> keep = wheel_; // and with it the pool, which the last client may let go
        Derived* const whole = &derived();
        whole->~Derived();
        std::allocator_traits<Allocator>::deallocate(allocator, whole, 1);
    }

    /// In the memory the handler's allocator gives. Throws what that throws.
    template <class... Args>
    [[nodiscard]] static Ref<Derived> make(Handler&& handler, const Executor& executor,
                                           Args&&... args) {
        using Allocator =
            typename std::allocator_traits<HandlerAllocator>::template rebind_alloc<Derived>;
        Allocator allocator(asio::get_associated_allocator(handler));
        Derived* const memory = std::allocator_traits<Allocator>::allocate(allocator, 1);
        Ref<Derived> attempt{::new (static_cast<void*>(memory)) Derived(
            std::move(handler), executor, std::forward<Args>(args)...)};
        attempt->handler_.connect(*attempt);
        return attempt;
    }

protected:
    using HandlerAllocator = asio::associated_allocator_t<Handler>;

    Attempt(Handler&& handler, const Executor& executor, const Ref<Wheel>& wheel, Duration timeout)
        : WheelNode(hooks),
          allocator_(asio::get_associated_allocator(handler)),
          handler_(std::move(handler), executor),
          wheel_(wheel),
          started_(handler_.started()),
          mark_(started_),
          timeout_(timeout),
          limit_(handler_.limit(timeout)) {}

    // Destroyed without having finished: the context goes, with the wheel before us or after.
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
        }
    };

    /// Calls `start`, which starts an asynchronous wait and does nothing else, unless the attempt
    /// has been interrupted. An error means that no step will come: the caller goes on to
    /// finish_stopped(). The deadline is armed at the first wait: many an attempt needs none.
    template <class Start>
    [[nodiscard]] std::error_code wait(Start start) {
        const Mutex::Lock lock{mutex_};
        if (interrupt_ != StopReason::none) return asio::error::operation_aborted;
        arm_deadline();
        const bool was_initiating =
            std::exchange(initiating_, false); // whatever comes next comes from the loop
        const std::error_code error = start();
        if (error) initiating_ = was_initiating;
        return error;
    }

    [[nodiscard]] StopReason interrupted() noexcept {
        const Mutex::Lock lock{mutex_};
        return interrupt_;
    }

    /// What has passed since the last call was spent in `phase`.
    void spent_in(Phase phase) noexcept {
        const TimePoint now = std::chrono::steady_clock::now();
        result_.times[static_cast<std::size_t>(phase) - 1] += now - mark_;
        mark_ = now;
    }

    // The ends of an attempt; each is the last thing its caller does. Everything the attempt held
    // has been let go, and mark_ says when.
    void finish(Ref<Derived>&& self) {
        {
            const Mutex::Lock lock{mutex_};
            finished_ = true;
            if (deadline_armed_) wheel_->disarm(*this);
        }
        handler_.complete(Completion{std::move(self)}, initiating_);
    }
    void finish(Ref<Derived>&& self, std::error_code error) {
        error_ = error;
        finish(std::move(self));
    }

    /// It looked, and this is why it did not like what it saw. Codes that are no fault of the
    /// target become errors.
    void finish_with(Ref<Derived>&& self, Phase phase, std::error_code cause) {
        spent_in(phase);
        result_.phase = phase;
        result_.cause = to_std(cause);
        derived().describe(phase);
        const bool ours = is_local_fault(result_.cause);
        result_.outcome = ours ? Outcome::unknown : Outcome::failure;
        finish(std::move(self), ours ? result_.cause : std::error_code{});
    }

    /// It could not ask.
    void finish_error(Ref<Derived>&& self, Phase phase, std::error_code error) {
        spent_in(phase);
        result_.phase = phase;
        result_.cause = to_std(error);
        derived().describe(phase);
        finish(std::move(self), result_.cause);
    }

    /// After wait() gave an error, or a step came because of an interruption.
    void finish_stopped(Ref<Derived>&& self, Phase phase, std::error_code error) {
        switch (interrupted()) {
        case StopReason::timeout: return finish_with(std::move(self), phase, Errc::timed_out);
        case StopReason::cancel:
            return finish_error(std::move(self), phase, asio::error::operation_aborted);
        case StopReason::none: return finish_error(std::move(self), phase, error);
        }
    }

    void finish_passed(Ref<Derived>&& self, Phase last, Outcome outcome = Outcome::success) {
        spent_in(last);
        result_.phase = Phase::finish;
        result_.outcome = outcome;
        finish(std::move(self));
    }

    void arm_deadline() noexcept {
        if (deadline_armed_ || limit_ == Duration::max()) return;
        deadline_armed_ = true;
        wheel_->arm(*this, saturating_add(started_, limit_));
    }

    void deadline_passed() noexcept {
        {
            const Mutex::Lock lock{mutex_};
            const TimePoint now = wheel_->now();
            if (!finished_ && !deadline_renewed_ && is_late(now - due(), timeout_)) {
                deadline_renewed_ = true;
                wheel_->arm(*this, saturating_add(now, timeout_));
                return;
            }
        }
        interrupt(StopReason::timeout);
    }

    [[nodiscard]] Derived& derived() noexcept { return static_cast<Derived&>(*this); }

    [[no_unique_address]] HandlerAllocator allocator_;
    AttemptHandler<Handler, Executor> handler_;
    Ref<Wheel> wheel_;
    TimePoint started_;
    TimePoint mark_;
    Duration timeout_;
    Duration limit_; // when the deadline comes; never, if the client keeps the timeout
    ProbeResult result_;
    std::error_code error_;
    Mutex mutex_;
    StopReason interrupt_ = StopReason::none;
    bool finished_ = false;
    bool deadline_armed_ = false;
    bool deadline_renewed_ = false;
    bool initiating_ = true;
    OpMemory op_memory_;

private:
    friend struct AttemptHandler<Handler, Executor>;

    struct Completion {
        using allocator_type = HandlerAllocator;

        Ref<Derived> attempt;

        [[nodiscard]] allocator_type get_allocator() const noexcept { return attempt->allocator_; }

        void operator()() { call_at(TimePoint::min()); }

        // `at`: if it is known.
        void call_at(TimePoint at) {
            Attempt& ended = *attempt;
            ended.handler_.disconnect();
            ended.handler_.tell(std::move(attempt), ended.error_, ended.result_, at);
        }
    };

    static inline const WheelHooks hooks{
        .retain =
            [](WheelNode& node) noexcept {
                static_cast<Derived&>(static_cast<Attempt&>(node)).retain();
            },
        .fire =
            [](WheelNode& node) {
                const auto attempt =
                    Ref<Derived>::adopt(&static_cast<Derived&>(static_cast<Attempt&>(node)));
                static_cast<Attempt&>(*attempt).deadline_passed();
            },
    };
};

} // namespace probekit::inline PROBEKIT_ABI::detail
