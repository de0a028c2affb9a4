// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <probekit/async/detail/block_pool.hpp>
#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/notify_listed.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/timing_wheel.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

class WheelNode;

/// What the wheel calls when a node is due.
struct WheelHooks {
    /// Takes a reference to the node's owner. Called under the wheel's lock, while the node is
    /// still linked: see notify_listed().
    void (*retain)(WheelNode&) noexcept;
    /// Handles the expiry, and releases that reference. Called without the lock, on a thread that
    /// runs the context; may throw.
    void (*fire)(WheelNode&);
};

class WheelNode : public TimingWheel::Node {
public:
    explicit WheelNode(const WheelHooks& hooks) noexcept : hooks_(&hooks) {}

    void retain_owner() noexcept { hooks_->retain(*this); }
    void fire() { hooks_->fire(*this); }

private:
    const WheelHooks* hooks_;
};

/// A clock that is moved by hand and drives its wheels itself: see testing/manual_clock.hpp.
class WheelDriver {
public:
    /// The wheel is being destroyed.
    virtual void remove_wheel(Wheel& wheel) noexcept = 0;

protected:
    ~WheelDriver() = default;
};

/// The timing wheel of one execution context and one clock, with the single timer that sleeps until
/// the next node is due. While the wheel is empty, no timer is pending. Every member may be called
/// from any thread.
template <class>
class BasicWheel final : public RefCounted<BasicWheel<>> {
public:
    /// The wheel of an executor's context on the steady clock. Null after the context's shutdown.
    template <class Executor>
    [[nodiscard]] static Ref<BasicWheel> of(const Executor& executor) {
        const Ref<ContextState> context = ContextState::of(executor);
        const std::lock_guard lock{context->mutex_};
        if (!context->steady_ && !context->shut_down_)
            context->steady_ =
                Ref<BasicWheel>{new BasicWheel{*context, nullptr, &steady_now, true}};
        return context->steady_;
    }

    /// The wheel of an executor's context on a clock object, which must outlive it. A clock that
    /// has attach(Wheel&) drives the wheel by process(). How fast the time of any other clock
    /// passes is unknown, so the wheel asks such a clock every millisecond while nodes wait.
    template <class Executor, class Clock>
    [[nodiscard]] static Ref<BasicWheel> of(const Executor& executor, Clock& clock) {
        const Ref<ContextState> context = ContextState::of(executor);
        const std::lock_guard lock{context->mutex_};
        constexpr bool driven = requires(BasicWheel& wheel) {
            { clock.attach(wheel) } -> std::convertible_to<WheelDriver&>;
        };
        for (BasicWheel* const wheel : context->wheels_)
            if (wheel->clock_ == &clock && wheel->try_retain())
                return Ref<BasicWheel>::adopt(wheel);
        const auto clock_now = [](const void* object) -> TimePoint {
            return static_cast<Clock*>(const_cast<void*>(object))->now();
        };
        Ref<BasicWheel> wheel{new BasicWheel{*context, &clock, clock_now, !driven}};
        if constexpr (driven) wheel->driver_ = &static_cast<WheelDriver&>(clock.attach(*wheel));
        return wheel;
    }

    [[nodiscard]] ContextState& context() const noexcept { return *context_; }
    [[nodiscard]] TimePoint now() const { return now_(clock_); }

    /// Makes `node` fire at `due`, or as soon as possible afterwards; a linked node is moved. Does
    /// nothing after the context's shutdown.
    void arm(WheelNode& node, TimePoint due) noexcept {
        const Mutex::Lock lock{mutex_};
        if (shut_down_) return;
        if (node.linked()) wheel_.erase(node);
        wheel_.insert(node, due);
        // The thread that is in process() sets the timer once, at its end.
        if (due < armed_at_ && processing_thread_ != std::this_thread::get_id()) set_timer(due);
    }

    /// False if the node was not linked: it has never been armed, it has fired, or it is just about
    /// to fire.
    bool disarm(WheelNode& node) noexcept {
        const Mutex::Lock lock{mutex_};
        if (!node.linked()) return false;
        wheel_.erase(node);
        if (wheel_.empty() && processing_thread_ != std::this_thread::get_id()) clear_timer();
        return true;
    }

    [[nodiscard]] bool armed(const WheelNode& node) noexcept {
        const std::lock_guard lock{mutex_};
        return node.linked();
    }

    [[nodiscard]] TimePoint next_due() noexcept {
        const std::lock_guard lock{mutex_};
        return wheel_.next_due();
    }

    /// Fires the nodes that are due, but only so many that other handlers of the context get their
    /// turn. An exception of a node's owner passes to the caller of run(); the nodes behind it fire
    /// the next time.
    void process() {
        constexpr int most = 256;
        std::unique_lock lock{mutex_};
        processing_thread_ = std::this_thread::get_id();
        wheel_.advance(now());
        const Leave leave{*this, lock};
        for (int fired = 0; fired != most; ++fired) {
            auto* const node = static_cast<WheelNode*>(wheel_.peek());
            if (node == nullptr) break;
            notify_listed(
                lock, *node, [this] { static_cast<void>(wheel_.pop()); }, [node] { node->fire(); });
            lock.lock();
        }
    }

    /// The driver is being destroyed: time stands still from now on.
    void forget_driver() noexcept {
        const std::lock_guard lock{mutex_};
        now_ = [](const void*) { return TimePoint::min(); };
        clock_ = this; // no clock has this address, but a new one may get that of the driver
        shut_down_ = true;
        driver_ = nullptr;
    }

    void destroy() noexcept {
        {
            const std::lock_guard lock{context_->mutex_};
            std::erase(context_->wheels_, this);
            if (driver_ != nullptr) driver_->remove_wheel(*this);
        }
        PROBEKIT_ASSERT(wheel_.empty()); // an armed node's owner has a reference
        delete this;
    }

private:
    friend ContextState;

    // Ends process(), normally or by an exception.
    struct Leave {
        BasicWheel& wheel;
        std::unique_lock<Mutex>& lock;
        ~Leave() {
            if (!lock.owns_lock()) lock.lock();
            wheel.processing_thread_ = {};
            wheel.reset_timer();
        }
    };

    struct OnTimer {
        using allocator_type = PoolAllocator<void>;
        Ref<BasicWheel> wheel;
        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return allocator_type{wheel->context_->pool()};
        }
        void operator()(const std::error_code& error) const {
            if (!error) wheel->on_timer();
        }
        void operator()() const { wheel->on_timer(); }
    };

    BasicWheel(ContextState& context, const void* clock, TimePoint (*clock_now)(const void*),
               bool sleeps)
        : context_(&context), clock_(clock), now_(clock_now), wheel_(now()) {
        // The first timer of a context opens its event loop's descriptors. That may throw, which is
        // allowed here, and not in arm().
        if (sleeps) timer_.emplace(context.executor());
        context.wheels_.push_back(this);
    }

    static TimePoint steady_now(const void*) { return std::chrono::steady_clock::now(); }

    void on_timer() {
        {
            const std::lock_guard lock{mutex_};
            armed_at_ = TimePoint::max();
        }
        process();
    }

    void reset_timer() noexcept {
        const TimePoint due = wheel_.next_due();
        if (due == TimePoint::max())
            clear_timer();
        else if (due < armed_at_)
            set_timer(due);
    }

    void set_timer(TimePoint due) noexcept {
        // Asio's timers share a descriptor with those of the parent.
        if (shut_down_ || context_->is_of_parent()) return;
        if (driver_ != nullptr) {
            // The driver processes what lies ahead; what is due already need not wait for it.
            if (due > now()) return;
            armed_at_ = TimePoint::min();
            asio::post(context_->executor(), OnTimer{Ref<BasicWheel>{this}});
            return;
        }
        armed_at_ = due;
        const std::error_code no_memory = try_allocating([&] {
            if (clock_ == nullptr)
                timer_->expires_at(std::max(due, TimePoint{}));
            else
                timer_->expires_after(std::clamp<Duration>(due <= now() ? Duration{} : due - now(),
                                                           Duration{}, unknown_pace));
            timer_->async_wait(OnTimer{Ref<BasicWheel>{this}});
        });
        if (!no_memory) return;
        // Tried again when the loop gets to it. If there is not even memory for that, the program
        // ends here: no node would ever fire again.
        armed_at_ = TimePoint::min();
        asio::post(context_->executor(), OnTimer{Ref<BasicWheel>{this}});
    }

    void clear_timer() noexcept {
        if (armed_at_ == TimePoint::max() || !timer_) return;
        armed_at_ = TimePoint::max();
        timer_->cancel();
    }

    // The context is being destroyed: no node is linked from now on, and none fires.
    void shutdown() noexcept {
        const std::lock_guard lock{mutex_};
        shut_down_ = true;
        timer_.reset();
        while (wheel_.pop_any() != nullptr) {}
    }

    static constexpr Duration unknown_pace = std::chrono::milliseconds{1};

    Ref<ContextState> context_;
    const void* clock_; // null: the steady clock
    TimePoint (*now_)(const void*);
    WheelDriver* driver_ = nullptr;
    Mutex mutex_;
    TimingWheel wheel_;
    TimePoint armed_at_ = TimePoint::max(); // when the pending wait ends
    std::thread::id processing_thread_;     // the thread in process(), or none
    bool shut_down_ = false;
    std::optional<asio::steady_timer> timer_; // none with a driver, or after the shutdown
};

template <class Parameter>
void BasicContextState<Parameter>::shutdown() noexcept {
    const Ref<BasicContextState> self{this}; // the last wheel may have the last other reference
    std::vector<Wheel*> wheels;
    Ref<Wheel> steady;
    {
        const std::lock_guard lock{mutex_};
        shut_down_ = true;
        work_ = {};
        steady = std::exchange(steady_, {});
        wheels = wheels_;
    }
    for (Wheel* const wheel : wheels) wheel->shutdown();
    for (;;) {
        std::unique_lock lock{mutex_};
        ShutdownListener* const listener = listeners_.pop_front();
        if (listener == nullptr) break;
        lock.unlock();
        listener->on_context_shutdown();
    }
    executor_ = {};
}

} // namespace probekit::inline PROBEKIT_ABI::detail
