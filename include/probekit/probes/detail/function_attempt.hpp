// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/attempt.hpp>
#include <probekit/probes/detail/look.hpp>
#include <probekit/system/detail/ref.hpp>
#include <probekit/system/detail/wheel.hpp>

namespace probekit::inline v0::detail {

template <class T>
concept LookAnswer = std::same_as<T, bool> || std::same_as<T, Outcome> || std::same_as<T, ProbeResult>;

// By its shape: asio::awaitable is not declared where the compiler is not known to have coroutines.
template <class T>
concept LookCoroutine = requires(const T& coroutine) {
    typename T::executor_type;
    { coroutine.valid() } -> std::same_as<bool>;
    requires LookAnswer<typename T::value_type>;
};

template <class F>
struct LookReturn {};
template <class F>
    requires std::invocable<F&>
struct LookReturn<F> {
    using type = std::invoke_result_t<F&>;
};
template <class F>
    requires(!std::invocable<F&> && std::invocable<F&, Duration>)
struct LookReturn<F> {
    using type = std::invoke_result_t<F&, Duration>;
};

template <class F>
concept LookFunction = requires { typename LookReturn<F>::type; } &&
                       (LookAnswer<typename LookReturn<F>::type> || LookCoroutine<typename LookReturn<F>::type>);

[[nodiscard]] inline ProbeResult look_result(bool passed) {
    return passed ? ProbeResult::success() : ProbeResult::failure(std::string{});
}
[[nodiscard]] inline ProbeResult look_result(Outcome outcome) {
    ProbeResult result = ProbeResult::success();
    result.outcome = outcome;
    return result;
}
[[nodiscard]] inline ProbeResult look_result(ProbeResult&& result) { return std::move(result); }

/// One call of a user's function, or one run of a user's coroutine.
template <class F, class Handler, class Executor>
class FunctionAttempt final : public Attempt<FunctionAttempt<F, Handler, Executor>, Handler, Executor> {
    using Self = Ref<FunctionAttempt>;
    using Base = Attempt<FunctionAttempt, Handler, Executor>;
    using Return = typename LookReturn<F>::type;
    static constexpr bool is_coroutine = LookCoroutine<Return>;

public:
    FunctionAttempt(Handler&& handler, const Executor& executor, const auto&, const Ref<Wheel>& wheel, Duration timeout,
                    std::shared_ptr<F> function)
        : Base(std::move(handler), executor, wheel, timeout), executor_(executor), function_(std::move(function)) {}

    static void start(Self self) {
        FunctionAttempt& attempt = *self;
        // A client asks on the executor, from the event loop; somebody else may be anywhere.
        if constexpr (is_look_handler<Handler>) return attempt.run(std::move(self), {});
        using Run = typename Base::template Step<&FunctionAttempt::run>;
        const std::error_code stopped = attempt.wait([&]() -> std::error_code {
            asio::post(attempt.executor_, Run{self});
            return {};
        });
        if (stopped) attempt.finish_stopped(std::move(self), Phase::run, stopped);
    }

    /// Any thread: the coroutine hears of it on its own executor.
    void stop_waiting() noexcept {
        if constexpr (is_coroutine)
            if (is_running_)
                asio::post(executor_, [self = Self{this}] { self->signal_.emit(asio::cancellation_type::terminal); });
    }

private:
    friend Base;

    void describe(Phase) noexcept {} // a user's result says all there is to say

    [[nodiscard]] Return call() {
        if constexpr (std::invocable<F&>)
            return std::invoke(*function_);
        else
            return std::invoke(*function_, this->timeout_);
    }

    void run(Self self, std::error_code) {
        if (this->interrupted() == Interrupt::cancel)
            return this->finish_stopped(std::move(self), Phase::run, asio::error::operation_aborted);
        if constexpr (is_coroutine) {
            spawn(std::move(self));
        } else {
            try {
                take(look_result(call()));
            } catch (...) { return threw(std::move(self), std::current_exception()); }
            const bool late = this->limit_ != Duration::max() && this->result_.elapsed() > this->limit_;
            if (late) return this->finish_with(std::move(self), Phase::run, Errc::timed_out);
            this->finish(std::move(self));
        }
    }

    void spawn(Self self)
        requires is_coroutine
    {
        const std::error_code stopped = this->wait([&]() -> std::error_code {
            is_running_ = true;
            return {};
        });
        if (stopped) return this->finish_stopped(std::move(self), Phase::run, stopped);
        try {
            Return coroutine = call();
            // Found through the executor: where there are no coroutines there is no such function to name.
            co_spawn(
                executor_, std::move(coroutine),
                asio::bind_cancellation_slot(
                    signal_.slot(), asio::bind_executor(executor_, [self](std::exception_ptr thrown,
                                                                          typename Return::value_type answer) mutable {
                        FunctionAttempt& attempt = *self;
                        attempt.left(std::move(self), thrown, std::move(answer));
                    })));
        } catch (...) { // called, it threw before it was a coroutine
            threw(std::move(self), std::current_exception());
        }
    }

    void left(Self self, const std::exception_ptr& thrown, auto answer) {
        if (thrown) return threw(std::move(self), thrown);
        take(look_result(std::move(answer)));
        this->finish(std::move(self));
    }

    void take(ProbeResult&& result) {
        this->spent_in(Phase::run);
        if (result.elapsed() == Duration{}) result.times = this->result_.times;
        this->result_ = std::move(result);
        this->result_.cause = to_std(this->result_.cause);
    }

    void threw(Self self, const std::exception_ptr& thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (const std::system_error& error) {
            if (error.code() == asio::error::operation_aborted && this->interrupted() != Interrupt::none)
                return this->finish_stopped(std::move(self), Phase::run, error.code());
            this->finish_with(std::move(self), Phase::run, error.code());
        } catch (const std::bad_alloc&) {
            this->finish_error(std::move(self), Phase::run, std::make_error_code(std::errc::not_enough_memory));
        } catch (const std::exception& error) {
            take(ProbeResult::failure(std::string{error.what()}));
            this->finish(std::move(self));
        } catch (...) { this->finish_error(std::move(self), Phase::run, Errc::probe_threw); }
    }

    Executor executor_;
    std::shared_ptr<F> function_;
    asio::cancellation_signal signal_;
    bool is_running_ = false; // under the mutex
};

} // namespace probekit::inline v0::detail
