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

namespace probekit::inline PROBEKIT_ABI::detail {

template <class T>
concept ProbeAnswer =
    std::same_as<T, bool> || std::same_as<T, Outcome> || std::same_as<T, ProbeResult>;

// By its shape: asio::awaitable is not declared where the compiler is not known to have coroutines.
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

[[nodiscard]] inline ProbeResult look_result(bool passed) {
    return passed ? ProbeResult::success() : ProbeResult::failure(std::string{});
}
[[nodiscard]] inline ProbeResult look_result(Outcome outcome) {
    ProbeResult result = ProbeResult::success();
    result.outcome = outcome;
    return result;
}
[[nodiscard]] inline ProbeResult look_result(ProbeResult result) { return result; }

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
            if (attempt.handler_.handler.client().starts_on_executor())
                return attempt.run(std::move(self), {});
        {
            const std::lock_guard lock{attempt.mutex_};
            attempt.initiating_ = false;
        }
        const Executor executor = attempt.executor_;
        asio::post(executor, typename Base::template Step<&FunctionAttempt::run>{std::move(self)});
    }

    /// Any thread: the coroutine hears of it on its own executor.
    void stop_waiting() noexcept {
        if constexpr (is_coroutine) {
            if (!coroutine_.running || coroutine_.stopping) return;
            coroutine_.stopping = true;
            asio::post(executor_, typename Base::template Step<&FunctionAttempt::stop>{Self{this}});
        }
    }

private:
    friend Base;

    struct NoCoroutine {};
    struct Coroutine {
        asio::cancellation_signal signal;
        // Under the attempt's mutex:
        bool running = false;
        bool stopping = false; // stop() is on its way or at work, and so it is what concludes
        bool told = false;     // to stop
    };

    void describe(Phase) noexcept {} // a user's result says all there is to say

    [[nodiscard]] decltype(auto) call() {
        if constexpr (std::invocable<F&>)
            return std::invoke(*function_);
        else
            return std::invoke(*function_, this->timeout_);
    }

    void run(Self self, std::error_code) {
        if (this->interrupted() != StopReason::none)
            return this->finish_stopped(std::move(self), Phase::run,
                                        asio::error::operation_aborted);
        // The attempt begins here: that the executor was busy is no fault of the target's.
        this->started_ = this->mark_ = std::chrono::steady_clock::now();
        if constexpr (is_coroutine) {
            spawn(std::move(self));
        } else {
            this->error_ = answer_of([this]() -> decltype(auto) { return call(); });
            const bool late = std::chrono::steady_clock::now() - this->mark_ > this->limit_;
            if (!late || this->error_) return conclude(std::move(self));
            this->result_.times = {};
            this->finish_with(std::move(self), Phase::run, Errc::timed_out);
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
                attempt.left(std::move(self), error, std::move(answer));
            };
            // Found through its arguments: where there are no coroutines there is no such function
            // to name.
            co_spawn(executor_, call(),
                     asio::bind_cancellation_slot(coroutine_.signal.slot(),
                                                  asio::bind_executor(executor_, std::move(done))));
            return {};
        };
        const std::exception_ptr thrown =
            try_call(spawn_it, [](const auto&) { return std::current_exception(); });
        if (thrown) left(std::move(self), thrown, false); // it has not become a coroutine
    }

    // The coroutine has left its frame.
    void left(Self self, const std::exception_ptr& thrown, auto answer)
        requires is_coroutine
    {
        this->error_ = answer_of([&]() -> decltype(auto) {
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

    void stop(Self self, std::error_code)
        requires is_coroutine
    {
        {
            const std::lock_guard lock{this->mutex_};
            coroutine_.told |= coroutine_.running;
        }
        coroutine_.signal.emit(
            asio::cancellation_type::terminal); // of no effect if the coroutine has left
        bool left = false;
        {
            const std::lock_guard lock{this->mutex_};
            coroutine_.stopping = false;
            left = !coroutine_.running;
        }
        if (left) conclude(std::move(self));
    }

    // Puts what `produce` returns, or throws, into the result. An error code if that means it could
    // not ask.
    template <class Produce>
    [[nodiscard]] std::error_code answer_of(Produce produce) {
        ProbeResult& result = this->result_;
        const auto answer = [&]() -> std::error_code {
            result = look_result(produce());
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
        return try_call([&] { return try_call(answer, judge); },
                        ToErrorCode{}); // telling of it takes memory
    }

    void conclude(Self self) {
        if constexpr (is_coroutine) {
            // Whoever has cancelled it wants no answer any more; at the timeout an answer still
            // counts.
            const StopReason why = coroutine_.told ? this->interrupted() : StopReason::none;
            const bool aborted = this->result_.cause == asio::error::operation_aborted;
            if (why == StopReason::cancel || (why == StopReason::timeout && aborted)) {
                this->result_ = {};
                return this->finish_stopped(std::move(self), Phase::run,
                                            asio::error::operation_aborted);
            }
        }
        if (this->error_) return this->finish_error(std::move(self), Phase::run, this->error_);
        if (this->result_.elapsed() == Duration{})
            this->spent_in(Phase::run);
        else
            this->mark_ = std::chrono::steady_clock::now(); // the times it was given stand
        this->finish(std::move(self));
    }

    Executor executor_;
    std::shared_ptr<F> function_;
    [[no_unique_address]] std::conditional_t<is_coroutine, Coroutine, NoCoroutine> coroutine_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
