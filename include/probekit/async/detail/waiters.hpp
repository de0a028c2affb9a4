// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <mutex>
#include <system_error>
#include <tuple>
#include <utility>

#include <asio/associated_allocator.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/error.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/cancel_link.hpp>
#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/intrusive_list.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The handlers that wait for an event. Each is completed once, by a post to its own executor, so
/// never from inside the call that caused the event. While a handler waits, it keeps the run() of
/// its executor's context from returning, and it may be cancelled alone. If the context is
/// destroyed the handlers are destroyed without a call. From any thread.
template <class... Args>
class WaiterQueue final : public RefCounted<WaiterQueue<Args...>>, private ShutdownListener {
public:
    explicit WaiterQueue(Ref<ContextState> context) : context_(std::move(context)) {
        context_->add(*this);
    }

    /// Takes a handler of void(std::error_code, Args...), whose executor is `fallback` if it has no
    /// associated one. complete() and complete_if() choose by `tag`.
    template <class Handler, class Executor>
    void add(Handler&& handler, const Executor& fallback, int tag = 0) {
        auto& waiter = Pending<std::decay_t<Handler>, Executor>::make(
            *this, std::forward<Handler>(handler), fallback);
        waiter.tag = tag;
        const std::lock_guard lock{mutex_};
        waiters_.push_back(waiter);
    }

    /// Completes the waits whose tag `chosen` is true for, in the order they began. Throws what
    /// asio::post() throws, std::bad_alloc above all; the handler that was to be posted is
    /// destroyed then, and those behind it stay.
    template <class Chosen>
    void complete_if(Chosen chosen, std::error_code error, const Args&... args) {
        while (Waiter* const waiter = take_if(chosen)) waiter->post(error, args...);
    }

    /// Completes the waits with this tag.
    void complete(int tag, std::error_code error, const Args&... args) {
        complete_if([tag](int waiting) { return waiting == tag; }, error, args...);
    }

    void complete_all(std::error_code error, const Args&... args) {
        complete_if([](int) { return true; }, error, args...);
    }

    [[nodiscard]] bool empty() noexcept {
        const std::lock_guard lock{mutex_};
        return waiters_.empty();
    }

    void destroy() noexcept {
        context_->remove(*this);
        delete this;
    }

private:
    struct Waiter : detail::ListLink<Waiter> {
        virtual void post(std::error_code error, const Args&... args) = 0;
        virtual void discard() noexcept = 0;

        int tag = 0;

    protected:
        ~Waiter() = default;
    };

    using Waiters = IntrusiveList<Waiter>;

    // A waiter, in memory of the handler's allocator. It lives until its completion runs on the
    // handler's executor: only there may the handler's cancellation slot be used.
    template <class Handler, class Executor>
    struct Pending final : Waiter {
        struct Completion;
        using HandlerExecutor = asio::associated_executor_t<Handler, Executor>;
        using Allocator = typename std::allocator_traits<
            asio::associated_allocator_t<Handler>>::template rebind_alloc<Pending>;

        Pending(WaiterQueue& owner, Handler&& moved, const Executor& fallback)
            : queue(&owner),
              handler(std::move(moved)),
              work(asio::get_associated_executor(handler, fallback)) {}

        template <class H>
        static Pending& make(WaiterQueue& owner, H&& from, const Executor& fallback) {
            Handler handler(std::forward<H>(from));
            Allocator allocator(asio::get_associated_allocator(handler));
            Pending* const pending = std::allocator_traits<Allocator>::allocate(allocator, 1);
            ::new (static_cast<void*>(pending)) Pending(owner, std::move(handler), fallback);
            // Owns the waiter while connecting the slot, which may allocate, can throw.
            Completion owned{pending, {}, {}};
            pending->link.connect(asio::get_associated_cancellation_slot(pending->handler),
                                  *pending);
            owned.pending = nullptr;
            return *pending;
        }

        void free() noexcept { free(Allocator(asio::get_associated_allocator(handler))); }

        // For a handler that has been moved out: its allocator was taken before.
        void free(Allocator allocator) noexcept {
            this->~Pending();
            std::allocator_traits<Allocator>::deallocate(allocator, this, 1);
        }

        void post(std::error_code error, const Args&... args) override {
            asio::post(work.get_executor(), Completion{this, error, std::tuple<Args...>(args...)});
        }

        void discard() noexcept override { free(); }

        void cancel_requested() {
            const Ref<WaiterQueue> keep = queue;
            {
                const std::lock_guard lock{queue->mutex_};
                if (!Waiters::is_listed(*this)) return; // its completion has been posted
                queue->waiters_.remove(*this);
            }
            post(asio::error::operation_aborted, Args{}...);
        }

        Ref<WaiterQueue> queue;
        Handler handler;
        asio::executor_work_guard<HandlerExecutor> work;
        CancelLink link;

        struct Completion {
            using allocator_type = asio::associated_allocator_t<Handler>;

            Completion(Pending* owned, std::error_code code, std::tuple<Args...> values)
                : pending(owned), error(code), args(std::move(values)) {}
            Completion(Completion&& other) noexcept
                : pending(std::exchange(other.pending, nullptr)),
                  error(other.error),
                  args(std::move(other.args)) {}
            Completion& operator=(Completion&&) = delete;
            ~Completion() {
                if (pending != nullptr) pending->free();
            }

            [[nodiscard]] allocator_type get_allocator() const noexcept {
                return asio::get_associated_allocator(pending->handler);
            }

            void operator()() {
                Pending* const waiter = std::exchange(pending, nullptr);
                waiter->link.disconnect(asio::get_associated_cancellation_slot(waiter->handler));
                const Allocator allocator(asio::get_associated_allocator(waiter->handler));
                const auto keep_working = std::move(waiter->work);
                Handler completed(std::move(waiter->handler));
                waiter->free(allocator);
                std::apply(
                    [&](auto&... values) { std::move(completed)(error, std::move(values)...); },
                    args);
            }

            Pending* pending;
            std::error_code error;
            std::tuple<Args...> args;
        };
    };

    // The first chosen waiter, removed from the list, or null.
    template <class Chosen>
    [[nodiscard]] Waiter* take_if(Chosen chosen) noexcept {
        const std::lock_guard lock{mutex_};
        Waiter* const waiter =
            waiters_.find_if([&](const Waiter& listed) { return chosen(listed.tag); });
        if (waiter != nullptr) waiters_.remove(*waiter);
        return waiter;
    }

    void on_context_shutdown() noexcept override {
        const Ref<WaiterQueue> self{this};
        while (Waiter* const waiter = take_if([](int) { return true; })) waiter->discard();
    }

    Ref<ContextState> context_;
    Mutex mutex_;
    Waiters waiters_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
