// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/error.hpp>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/intrusive_list.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/notify_listed.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/scope_exit.hpp>
#include <probekit/async/detail/waiters.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Is notified when a gate has opened or closed. A notification says that something has changed,
/// not what: the listener asks is_open() when it comes to act on it.
class GateListener : public ListLink<GateListener> {
public:
    /// Called under the gate's lock: see notify_listed().
    virtual void retain_owner() noexcept = 0;
    virtual void release_owner() noexcept = 0;
    /// Called without the lock, on the thread that made the change. After std::bad_alloc the
    /// listener is notified again.
    virtual void gate_changed() = 0;

protected:
    GateListener() = default;
    ~GateListener() = default;

public:
    /// Of the gate: the number of the last change that it was notified of.
    std::uint64_t notified_of = 0;
};

/// What one condition said last. If `generation` is not the gate's, open() or close() has replaced
/// it since.
struct GateCondition {
    std::uint64_t generation = 0;
    bool met = false;
};

/// What a StartupGate and its conditions call. An interface, so that a file that includes
/// startup_gate.hpp and has no gate does not compile one. From any thread.
class AbstractGate : public RefCounted<AbstractGate> {
public:
    [[nodiscard]] virtual const asio::any_io_executor& executor() const noexcept = 0;
    [[nodiscard]] virtual bool is_open() noexcept = 0;
    /// All conditions become met, or unmet; a gate without conditions opens or closes.
    virtual void set_all(bool met) = 0;
    virtual void set(GateCondition& condition, bool met) = 0;
    [[nodiscard]] virtual GateCondition add_condition() = 0;
    /// The StartupGate is being destroyed: for its listeners the gate stays as it is, and its waits
    /// end.
    virtual void abandon() = 0;
    virtual void destroy() noexcept = 0;

protected:
    ~AbstractGate() = default;
};

/// What a StartupGate shares with its conditions and with the workers behind it. From any thread.
///
/// A change for whose notifications there was no memory is notified again 10 ms later.
template <class = OnUse>
class BasicGateState final : public AbstractGate, private ShutdownListener, private WheelNode {
public:
    explicit BasicGateState(asio::any_io_executor executor)
        : WheelNode(hooks),
          context_(ContextState::of(executor)),
          wheel_(Wheel::of(executor)),
          waits_(new WaiterQueue<>{context_}),
          executor_(std::move(executor)) {
        context_->add(*this);
    }

    [[nodiscard]] const asio::any_io_executor& executor() const noexcept override {
        return executor_;
    }

    [[nodiscard]] bool is_open() noexcept override {
        const std::lock_guard lock{mutex_};
        return open_;
    }

    void set_all(bool met) override {
        change([&] {
            ++generation_;
            all_ = met;
            met_ = met ? conditions_ : 0;
        });
    }

    void set(GateCondition& condition, bool met) override {
        change([&] {
            const bool was = condition.generation == generation_ ? condition.met : all_;
            if (was != met) met_ = met ? met_ + 1 : met_ - 1;
            condition = {generation_, met};
        });
    }

    [[nodiscard]] GateCondition add_condition() override {
        GateCondition condition;
        change([&] {
            ++conditions_;
            condition.generation = generation_;
        });
        return condition;
    }

    /// Takes a handler of void(std::error_code).
    template <class Handler>
    void async_wait(Handler&& handler) {
        const int awaited = awaited_opening();
        waits_->add(std::forward<Handler>(handler), executor_, awaited);
        // The gate may have opened, or may have been abandoned, before the wait was listed.
        std::unique_lock lock{mutex_};
        const unsigned openings = openings_;
        const bool abandoned = abandoned_;
        lock.unlock();
        if (abandoned)
            waits_->complete_all(asio::error::operation_aborted);
        else if (has_come(awaited, openings))
            complete_waits(openings);
    }

    void abandon() override {
        {
            const std::lock_guard lock{mutex_};
            abandoned_ = true;
        }
        waits_->complete_all(asio::error::operation_aborted);
    }

    /// Notifies the listener of changes from now on, until unsubscribe(). A call of gate_changed()
    /// that has begun may outlast that.
    void subscribe(GateListener& listener) noexcept {
        const std::lock_guard lock{mutex_};
        listener.notified_of = changes_;
        listeners_.push_back(listener);
    }

    void unsubscribe(GateListener& listener) noexcept {
        const std::lock_guard lock{mutex_};
        if (listeners_.is_listed(listener)) listeners_.remove(listener);
    }

    void destroy() noexcept override {
        context_->remove(*this);
        delete this;
    }

private:
    // The number of the opening that ends a wait which begins now: the last one while the gate is
    // open, else the next.
    [[nodiscard]] int awaited_opening() noexcept {
        const std::lock_guard lock{mutex_};
        return static_cast<int>(open_ ? openings_ : openings_ + 1);
    }

    // Whether the opening of this number is among the first `openings`; right when they wrap.
    [[nodiscard]] static bool has_come(int opening, unsigned openings) noexcept {
        return static_cast<int>(openings - static_cast<unsigned>(opening)) >= 0;
    }

    template <class Apply>
    void change(Apply apply) {
        std::unique_lock lock{mutex_};
        if (abandoned_) return;
        apply();
        PROBEKIT_ASSERT(met_ <= conditions_);
        const bool opens = conditions_ == 0 ? all_ : met_ == conditions_;
        if (std::exchange(open_, opens) == opens) return;
        ++changes_;
        if (opens) ++openings_;
        notify(lock);
    }

    void notify(std::unique_lock<Mutex>& lock) {
        const bool listeners_notified = notify_listeners(lock);
        const unsigned openings = openings_;
        lock.unlock();
        const bool waits_completed = !try_allocating([&] { complete_waits(openings); });
        if (listeners_notified && waits_completed) return;
        lock.lock();
        retry_soon();
    }

    void complete_waits(unsigned openings) {
        waits_->complete_if([=](int awaited) { return has_come(awaited, openings); }, {});
    }

    // Listeners that have been notified of the last change stand behind those that have not: so
    // neither another change, nor a listener that is added or removed meanwhile, is a problem.
    // False if there was no memory to notify a listener, which stands at the front again then.
    [[nodiscard]] bool notify_listeners(std::unique_lock<Mutex>& lock) {
        bool notified = true;
        for (GateListener* listener = listeners_.front();
             notified && listener != nullptr && listener->notified_of != changes_;
             listener = listeners_.front()) {
            const auto move_to_back = [&] {
                listeners_.remove(*listener);
                listeners_.push_back(*listener);
                listener->notified_of = changes_;
            };
            notify_listed(lock, *listener, move_to_back, [&] {
                const ScopeExit release{[&] { listener->release_owner(); }};
                notified = !try_allocating([&] { listener->gate_changed(); });
                if (!notified) notify_again(*listener);
            });
            lock.lock();
        }
        return notified;
    }

    void notify_again(GateListener& listener) noexcept {
        const std::lock_guard lock{mutex_};
        if (!listeners_.is_listed(listener)) return; // unsubscribed meanwhile
        listeners_.remove(listener);
        listeners_.push_front(listener);
        listener.notified_of = changes_ - 1;
    }

    // The armed node has a reference of its own.
    void retry_soon() noexcept {
        if (retrying_ || context_->is_shut_down()) return;
        retrying_ = true;
        this->retain();
        wheel_->arm(*this, saturating_add(wheel_->now(), std::chrono::milliseconds{10}));
    }

    void retry() {
        std::unique_lock lock{mutex_};
        retrying_ = false;
        notify(lock);
    }

    // A strand must not outlive its context.
    void on_context_shutdown() noexcept override {
        executor_ = {};
        if (std::exchange(retrying_, false)) this->release();
    }

    static void fire(WheelNode& node) {
        Ref<BasicGateState>::adopt(&static_cast<BasicGateState&>(node))->retry();
    }
    static constexpr WheelHooks hooks{.retain = [](WheelNode&) noexcept {},
                                      .fire = &fire}; // it has a reference

    Ref<ContextState> context_;
    Ref<Wheel> wheel_;
    Ref<WaiterQueue<>> waits_; // tagged with the number of the opening they wait for
    asio::any_io_executor executor_;
    Mutex mutex_;
    bool open_ = false;
    bool abandoned_ = false;
    bool all_ = false; // what open() or close() said last
    bool retrying_ = false;
    unsigned openings_ = 0;
    std::uint64_t changes_ = 0;
    std::uint64_t generation_ = 0; // of set_all()
    std::size_t conditions_ = 0;
    std::size_t met_ = 0;
    IntrusiveList<GateListener> listeners_;
};

using GateState = BasicGateState<>;

template <class = OnUse>
[[nodiscard]] inline Ref<AbstractGate> make_gate_state(asio::any_io_executor executor) {
    return Ref<AbstractGate>{new GateState{std::move(executor)}};
}

/// The one class that implements AbstractGate.
template <class = OnUse>
[[nodiscard]] inline GateState& state_of(AbstractGate& gate) noexcept {
    return static_cast<GateState&>(gate);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
