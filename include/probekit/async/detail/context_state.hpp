// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <mutex>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/execution/outstanding_work.hpp>
#include <asio/execution_context.hpp>
#include <asio/prefer.hpp>

#include <probekit/async/detail/block_pool.hpp>
#include <probekit/async/detail/client_ports.hpp>
#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/forks.hpp>
#include <probekit/async/detail/intrusive_list.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

template <class = OnUse>
class BasicWheel;
using Wheel = BasicWheel<>;

/// Must release what it has of an execution context (handlers, work, executors) when the context is
/// destroyed first.
class ShutdownListener : public ListLink<ShutdownListener> {
public:
    /// Called once, from the context's destructor; the listener is no longer listed then.
    virtual void on_context_shutdown() noexcept = 0;

protected:
    ShutdownListener() = default;
    ~ShutdownListener() = default;
};

/// Something that an execution context has one of, made and named by a room above this one: see
/// ContextState::local().
class ContextLocal : public RefCounted<ContextLocal> {
public:
    virtual void destroy() noexcept = 0;

protected:
    ContextLocal() = default;
    ~ContextLocal() = default;
};

/// What all probes and workers of one execution context share: the memory pool, the timing wheels,
/// the work that keeps run() going, and what rooms above add by local(). Counted, since a worker
/// may outlive its context; after the context's shutdown only memory is left.
template <class = OnUse>
class BasicContextState final : public RefCounted<BasicContextState<>> {
public:
    explicit BasicContextState(asio::any_io_executor executor) : executor_(std::move(executor)) {
        count_forks();
    }

    /// The state of an executor's context, made by the first call. From any thread.
    template <class Executor>
    [[nodiscard]] static Ref<BasicContextState> of(const Executor& executor);

    [[nodiscard]] BlockPool& pool() noexcept { return pool_; }
    [[nodiscard]] ClientPorts& client_ports() noexcept { return client_ports_; }

    /// The wheel on the steady clock, once Wheel::of() has made it.
    [[nodiscard]] const Ref<Wheel>& steady() const noexcept { return steady_; }

    /// The context's only T, a ContextLocal, made at the first call. It lives as long as this. From
    /// any thread. Throws std::bad_alloc.
    template <std::derived_from<ContextLocal> T>
    [[nodiscard]] T& local() {
        const std::lock_guard lock{mutex_};
        for (const Local& local : locals_)
            if (local.key == &key_of<T>) return static_cast<T&>(*local.object);
        locals_.push_back({&key_of<T>, Ref<ContextLocal>{new T}});
        return static_cast<T&>(*locals_.back().object);
    }

    /// Runs functions on the context itself, under no strand. Empty after the shutdown.
    [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return executor_; }

    /// Whether the event loop is a parent's, too: from a fork on, until Asio's notify_fork().
    [[nodiscard]] bool is_of_parent() const noexcept { return maker_.is_other(); }
    /// The event loop is this process's own now.
    void forked() noexcept { maker_ = {}; }

    /// Whether the context has been destroyed, or is being destroyed: its executors must not be
    /// used any more.
    [[nodiscard]] bool is_shut_down() noexcept {
        const std::lock_guard lock{mutex_};
        return shut_down_;
    }

    /// Calls `use`, which posts to the context and does nothing else, unless the context is shut
    /// down; the shutdown waits for `use`. From any thread, also one that does not know whether
    /// this context lives.
    template <class Use>
    void while_alive(Use use) {
        const std::lock_guard lock{mutex_};
        if (!shut_down_) use();
    }

    /// Each call of add_work() keeps the context's run() from returning until its remove_work().
    /// From any thread.
    void add_work() {
        const std::lock_guard lock{mutex_};
        if (work_count_++ == 0 && !shut_down_)
            work_ = asio::prefer(executor_, asio::execution::outstanding_work.tracked);
    }
    void remove_work() noexcept {
        asio::any_io_executor last; // destroyed after the lock has been released
        const std::lock_guard lock{mutex_};
        PROBEKIT_ASSERT(work_count_ != 0);
        if (--work_count_ == 0) last = std::exchange(work_, {});
    }

    /// Lists a listener, until remove() or until the context is destroyed. From any thread.
    void add(ShutdownListener& listener) noexcept {
        const std::lock_guard lock{mutex_};
        listeners_.push_front(listener); // who came last leaves first
    }
    void remove(ShutdownListener& listener) noexcept {
        const std::lock_guard lock{mutex_};
        if (listeners_.is_listed(listener)) listeners_.remove(listener);
    }

    void destroy() noexcept { delete this; }

private:
    template <class>
    friend class BasicContextService;
    friend Wheel;

    struct Local {
        const char* key;
        Ref<ContextLocal> object;
    };
    template <class T>
    static inline char key_of = 0; // its address tells the types apart, without RTTI

    void shutdown() noexcept;

    MakerProcess maker_;
    BlockPool pool_;
    ClientPorts client_ports_;
    asio::any_io_executor executor_;
    Mutex mutex_;
    asio::any_io_executor work_;
    std::size_t work_count_ = 0;
    bool shut_down_ = false;
    IntrusiveList<ShutdownListener> listeners_;
    std::vector<Wheel*> wheels_; // not owned
    Ref<Wheel> steady_;          // the one wheel that the context keeps
    std::vector<Local> locals_;
};

using ContextState = BasicContextState<>;

/// The Asio service that owns the ContextState of its context, and passes the shutdown on.
template <class = OnUse>
class BasicContextService final : public asio::execution_context::service {
public:
    static inline asio::execution_context::id id;

    explicit BasicContextService(asio::execution_context& context) : service(context) {}

    [[nodiscard]] Ref<ContextState> state(const auto& executor) {
        const std::lock_guard lock{mutex_};
        if (!state_) {
            state_ = with_inner_executor(executor, [](const auto& inner) {
                return Ref<ContextState>{new ContextState{asio::any_io_executor(inner)}};
            });
        }
        return state_;
    }

private:
    void shutdown() override {
        if (state_) state_->shutdown();
    }
    void notify_fork(asio::execution_context::fork_event event) override {
        if (event != asio::execution_context::fork_child) return;
        notified_generation.store(fork_generation.load(std::memory_order_relaxed),
                                  std::memory_order_relaxed);
        if (state_) state_->forked();
    }

    Mutex mutex_;
    Ref<ContextState> state_;
};

using ContextService = BasicContextService<>;

template <class Parameter>
template <class Executor>
Ref<BasicContextState<Parameter>> BasicContextState<Parameter>::of(const Executor& executor) {
    return asio::use_service<ContextService>(context_of(executor)).state(executor);
}

} // namespace probekit::inline PROBEKIT_ABI::detail

#include <probekit/async/detail/wheel.hpp> // completes Wheel, whose release() is called here
