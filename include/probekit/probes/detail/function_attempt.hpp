// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/attempt.hpp>
#include <probekit/probes/detail/attempt_owner.hpp>
#include <probekit/probes/detail/owned_attempt_handler.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

template <class T>
concept ProbeAnswer =
    std::same_as<T, bool> || std::same_as<T, Outcome> || std::same_as<T, ProbeResult>;

// An asio::awaitable, by its members: Asio does not declare it where it believes the compiler to
// have no coroutines.
template <class T>
concept ProbeCoroutine = requires(const T& coroutine) {
    typename T::executor_type;
    { coroutine.valid() } -> std::same_as<bool>;
    requires ProbeAnswer<typename T::value_type>;
};

template <class F>
struct ProbeReturn {};
template <class F>
    requires std::invocable<F&>
struct ProbeReturn<F> {
    using type = std::remove_cvref_t<std::invoke_result_t<F&>>;
};
template <class F>
    requires(!std::invocable<F&> && std::invocable<F&, Duration>)
struct ProbeReturn<F> {
    using type = std::remove_cvref_t<std::invoke_result_t<F&, Duration>>;
};

template <class F>
concept ProbeFunction = requires {
    typename ProbeReturn<F>::type;
} && (ProbeAnswer<typename ProbeReturn<F>::type> || ProbeCoroutine<typename ProbeReturn<F>::type>);

[[nodiscard]] inline ProbeResult to_result(bool passed) {
    return passed ? ProbeResult::success() : ProbeResult::failure(std::string{});
}
[[nodiscard]] inline ProbeResult to_result(Outcome outcome) {
    ProbeResult result = ProbeResult::success();
    result.outcome = outcome;
    return result;
}
[[nodiscard]] inline ProbeResult to_result(ProbeResult result) { return result; }

/// One call of a user's function, or one run of a user's coroutine.
template <class F, class Handler, class Executor>
class FunctionAttempt final
    : public Attempt<FunctionAttempt<F, Handler, Executor>, Handler, Executor> {
    using Self = Ref<FunctionAttempt>;
    using Base = Attempt<FunctionAttempt, Handler, Executor>;
    using Return = typename ProbeReturn<F>::type;
    static constexpr bool is_coroutine = ProbeCoroutine<Return>;

public:
    FunctionAttempt(Handler&& handler, const Executor& executor, const auto&,
                    const Ref<Wheel>& wheel, Duration timeout, std::shared_ptr<F> function)
        : Base(std::move(handler), executor, wheel, timeout),
          executor_(executor),
          function_(std::move(function)) {}

    static void start(Self self) {
        FunctionAttempt& attempt = *self;
        if constexpr (is_owned_attempt_handler<Handler>)
            if (attempt.handler_.handler.owner().starts_on_executor())
                return attempt.run(std::move(self), {});
        {
            const std::lock_guard lock{attempt.mutex_};
            attempt.initiating_ = false;
        }
        const Executor executor = attempt.executor_;
        asio::post(executor, typename Base::template Step<&FunctionAttempt::run>{std::move(self)});
    }

    /// Called on any thread; the coroutine is cancelled on its own executor.
    void stop_waiting() noexcept {
        if constexpr (is_coroutine) {
            if (!coroutine_.running || coroutine_.stopping) return;
            coroutine_.stopping = true;
            asio::post(executor_, typename Base::template Step<&FunctionAttempt::cancel_coroutine>{
                                      Self{this}});
        }
    }

private:
    friend Base;

    struct NoCoroutine {};
    struct Coroutine {
        asio::cancellation_signal signal;
        // Under the attempt's mutex:
        bool running = false;
        bool stopping = false; // cancel_coroutine() is posted or running, and will conclude
        bool notified = false; // has been cancelled while it ran
    };

    void describe(Phase) noexcept {} // a user's result is complete

    [[nodiscard]] decltype(auto) call() {
        if constexpr (std::invocable<F&>)
            return std::invoke(*function_);
        else
            return std::invoke(*function_, this->timeout_);
    }

    void run(Self self, std::error_code) {
        if (this->stop_reason() != StopReason::none)
            return this->finish_stopped(std::move(self), Phase::run,
                                        asio::error::operation_aborted);
        // The attempt begins here: a busy executor is no fault of the target.
        this->started_ = this->phase_start_ = std::chrono::steady_clock::now();
        if constexpr (is_coroutine) {
            spawn(std::move(self));
        } else {
            this->error_ = record_answer([this]() -> decltype(auto) { return call(); });
            const bool late =
                std::chrono::steady_clock::now() - this->phase_start_ > this->effective_timeout_;
            if (!late || this->error_) return conclude(std::move(self));
            this->result_.times = {};
            this->finish_with_cause(std::move(self), Phase::run, Errc::timed_out);
        }
    }

    void spawn(Self self)
        requires is_coroutine
    {
        {
            const std::lock_guard lock{this->mutex_};
            coroutine_.running = true;
            this->arm_deadline();
        }
        const auto spawn_it = [&]() -> std::exception_ptr {
            auto done = [self](std::exception_ptr error,
                               typename Return::value_type answer) mutable {
                FunctionAttempt& attempt = *self;
                attempt.on_coroutine_done(std::move(self), error, std::move(answer));
            };
            // Found by argument-dependent look-up: Asio does not declare it where it knows of no
            // coroutines.
            co_spawn(executor_, call(),
                     asio::bind_cancellation_slot(coroutine_.signal.slot(),
                                                  asio::bind_executor(executor_, std::move(done))));
            return {};
        };
        const std::exception_ptr thrown =
            try_call(spawn_it, [](const auto&) { return std::current_exception(); });
        if (thrown) on_coroutine_done(std::move(self), thrown, false); // it never started
    }

    // The coroutine has left its frame.
    void on_coroutine_done(Self self, const std::exception_ptr& thrown, auto answer)
        requires is_coroutine
    {
        this->error_ = record_answer([&]() -> decltype(auto) {
            if (thrown) std::rethrow_exception(thrown);
            return std::move(answer);
        });
        {
            const std::lock_guard lock{this->mutex_};
            coroutine_.running = false;
            if (coroutine_.stopping) return;
        }
        conclude(std::move(self));
    }

    void cancel_coroutine(Self self, std::error_code)
        requires is_coroutine
    {
        {
            const std::lock_guard lock{this->mutex_};
            coroutine_.notified |= coroutine_.running;
        }
        // Without effect if the coroutine is done.
        coroutine_.signal.emit(asio::cancellation_type::terminal);
        bool is_done = false;
        {
            const std::lock_guard lock{this->mutex_};
            coroutine_.stopping = false;
            is_done = !coroutine_.running;
        }
        if (is_done) conclude(std::move(self));
    }

    // Puts what `produce` returns, or throws, into the result. Returns an error code if that is a
    // prober error.
    template <class Produce>
    [[nodiscard]] std::error_code record_answer(Produce produce) {
        ProbeResult& result = this->result_;
        const auto answer = [&]() -> std::error_code {
            result = to_result(produce());
            result.cause = to_std(result.cause);
            return {};
        };
        const auto judge = [&]<class Thrown>(const Thrown& thrown) -> std::error_code {
            if constexpr (std::same_as<Thrown, std::system_error>) {
                if (is_local_fault(thrown.code())) return ToErrorCode{}(thrown);
                result = ProbeResult::failure(thrown.code());
            } else if constexpr (std::same_as<Thrown, std::exception>) {
                result = ProbeResult::failure(std::string{thrown.what()});
            } else {
                return ToErrorCode{}(thrown);
            }
            result.phase = Phase::run;
            return {};
        };
        // judge() may run out of memory for the message.
        return try_call([&] { return try_call(answer, judge); }, ToErrorCode{});
    }

    void conclude(Self self) {
        if constexpr (is_coroutine) {
            // After a cancellation no answer is wanted; at the timeout an answer still counts.
            const StopReason why = coroutine_.notified ? this->stop_reason() : StopReason::none;
            const bool aborted = this->result_.cause == asio::error::operation_aborted;
            if (why == StopReason::cancel || (why == StopReason::timeout && aborted)) {
                this->result_ = {};
                return this->finish_stopped(std::move(self), Phase::run,
                                            asio::error::operation_aborted);
            }
        }
        if (this->error_) return this->finish_error(std::move(self), Phase::run, this->error_);
        if (this->result_.elapsed() == Duration{})
            this->add_time(Phase::run);
        else
            this->phase_start_ = std::chrono::steady_clock::now(); // the user has set the times
        this->finish(std::move(self));
    }

    Executor executor_;
    std::shared_ptr<F> function_;
    [[no_unique_address]] std::conditional_t<is_coroutine, Coroutine, NoCoroutine> coroutine_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
