// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include <asio/associated_allocator.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/dispatch.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/cancel_link.hpp>
#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/attempt_owner.hpp>
#include <probekit/probes/detail/owned_attempt_handler.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The owner of one attempt that AnyProbe makes for a handler of any type. Lies in memory from the
/// handler's allocator.
template <class Handler, class Executor>
class TypeErasedAttempt final : public AttemptOwner<Executor> {
public:
    /// Calls `start_attempt` with an OwnedAttemptHandler that will complete `handler`, never from
    /// inside this call. `fallback`: the probe's executor, for handlers that have none.
    template <class H, class Begin>
    static void begin(H&& given, const Executor& fallback, Begin start_attempt) {
        Handler handler(std::forward<H>(given));
        Allocator allocator(asio::get_associated_allocator(handler));
        TypeErasedAttempt* const memory = std::allocator_traits<Allocator>::allocate(allocator, 1);
        Self self{::new (static_cast<void*>(memory))
                      TypeErasedAttempt(std::move(handler), fallback)};
        memory->link_.connect(asio::get_associated_cancellation_slot(memory->handler_), *memory);
        memory->call(std::move(self),
                     [&] { start_attempt(OwnedAttemptHandler<Executor>{Self{memory}}); });
    }

    void cancel_requested() {
        stage_ = Stage::calling;
        call(Self{this}, [this] {
            if (!this->stop_own_attempt(StopReason::cancel))
                signal_.emit(asio::cancellation_type::terminal);
        });
    }

private:
    using Self = Ref<AttemptOwner<Executor>>;
    using HandlerAllocator = asio::associated_allocator_t<Handler>;
    using HandlerExecutor = asio::associated_executor_t<Handler, Executor>;
    using Allocator =
        typename std::allocator_traits<HandlerAllocator>::template rebind_alloc<TypeErasedAttempt>;

    enum class Stage : std::uint8_t { calling, waiting, ended };

    struct Completion {
        using allocator_type = HandlerAllocator;
        Handler handler;
        asio::executor_work_guard<HandlerExecutor> work;
        std::error_code error;
        ProbeResult result;
        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return asio::get_associated_allocator(handler);
        }
        void operator()() { std::move(handler)(error, std::move(result)); }
    };

    TypeErasedAttempt(Handler&& handler, const Executor& fallback)
        : AttemptOwner<Executor>({.enforces_timeout = false, .starts_on_executor = false}),
          allocator_(asio::get_associated_allocator(handler)),
          handler_(std::move(handler)),
          work_(asio::get_associated_executor(handler_, fallback)),
          executor_(owner_executor(work_, fallback)),
          context_(ContextState::of(fallback)) {}
    ~TypeErasedAttempt() = default;

    // The handler's own executor if it is convertible: then the slot is used on one executor only.
    [[nodiscard]] static Executor owner_executor(
        const asio::executor_work_guard<HandlerExecutor>& work, const Executor& fallback) {
        if constexpr (std::convertible_to<HandlerExecutor, Executor>)
            return work.get_executor();
        else
            return fallback;
    }

    [[nodiscard]] const Executor& attempt_executor() const noexcept override { return executor_; }
    [[nodiscard]] ContextState& attempt_context() const noexcept override { return *context_; }
    [[nodiscard]] TimePoint attempt_started_at() const noexcept override {
        return std::chrono::steady_clock::now();
    }
    [[nodiscard]] asio::cancellation_slot attempt_slot() noexcept override {
        return signal_.slot();
    }

    // Calls into the probe. An attempt that ends meanwhile, in that call or on another thread,
    // completes from the event loop, and not before this function has released the block.
    template <class Call>
    void call(Self self, Call into_probe) {
        into_probe();
        if (stage_.exchange(Stage::waiting) == Stage::ended) complete(std::move(self), true);
    }

    void on_attempt_done(Self self, TimePoint, std::error_code error,
                         ProbeResult&& result) override {
        error_ = error;
        result_ = std::move(result);
        if (stage_.exchange(Stage::ended) == Stage::waiting) complete(std::move(self), false);
    }

    void complete(Self self, bool calling) {
        link_.disconnect(asio::get_associated_cancellation_slot(handler_));
        const auto executor = work_.get_executor();
        Completion completion{std::move(handler_), std::move(work_), error_, std::move(result_)};
        self = {}; // the block is free again before the handler is called
        if (calling)
            asio::post(executor, std::move(completion));
        else
            asio::dispatch(executor, std::move(completion));
    }

    void destroy() noexcept override {
        const Ref<ContextState> keep = context_;
        Allocator allocator(allocator_);
        this->~TypeErasedAttempt();
        std::allocator_traits<Allocator>::deallocate(allocator, this, 1);
    }

    [[no_unique_address]] HandlerAllocator allocator_;
    Handler handler_;
    asio::executor_work_guard<HandlerExecutor> work_;
    Executor executor_;
    Ref<ContextState> context_;
    CancelLink link_;
    asio::cancellation_signal signal_;
    std::error_code error_;
    ProbeResult result_;
    std::atomic<Stage> stage_ = Stage::calling;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
