// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/error.hpp>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/waiters.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI {
namespace detail {

/// Whoever wants to hear that a gate has opened or shut. It is told that something has changed, not
/// what: it looks at is_open() when its turn comes.
class GateListener {
public:
    GateListener(const GateListener&) = delete;
    GateListener& operator=(const GateListener&) = delete;

protected:
    GateListener() = default;
    ~GateListener() = default;

private:
    template <class>
    friend class BasicGateState;

    /// Take a reference to the owner. Called under the gate's lock while the listener is still
    /// listed: taken later, the owner could unsubscribe and go before the call.
    virtual void gate_retain() noexcept = 0;
    /// Let go of that reference.
    virtual void gate_release() noexcept = 0;
    /// Called without the lock, on the thread that made the change.
    virtual void gate_changed() = 0;

    GateListener* prev_ = nullptr;
    GateListener* next_ = nullptr;
    std::uint64_t heard_ = 0; // the last change it was told of
};

/// What one condition said last. If `generation` is not the gate's, open() or shut() has spoken for
/// it since.
struct GateCondition {
    std::uint64_t generation = 0;
    bool met = false;
};

/// What a StartupGate shares with its conditions and with the workers behind it. From any thread.
///
/// Without memory to tell somebody of a change it tries again soon.
template <class = OnUse>
class BasicGateState final : public RefCounted<BasicGateState<>>,
                             private ShutdownListener,
                             private WheelNode {
public:
    explicit BasicGateState(asio::any_io_executor executor)
        : WheelNode(hooks),
          context_(ContextState::of(executor)),
          wheel_(Wheel::of(executor)),
          waits_(new WaiterQueue<>{context_}),
          executor_(std::move(executor)) {
        context_->add(*this);
    }

    [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return executor_; }

    [[nodiscard]] bool is_open() noexcept {
        const std::lock_guard lock{mutex_};
        return open_;
    }

    void set_all(bool met) {
        change([&] {
            ++generation_;
            all_ = met;
            met_ = met ? conditions_ : 0;
        });
    }

    void set(GateCondition& condition, bool met) {
        change([&] {
            const bool was = condition.generation == generation_ ? condition.met : all_;
            if (was != met) met_ = met ? met_ + 1 : met_ - 1;
            condition = {generation_, met};
        });
    }

    [[nodiscard]] GateCondition add_condition() {
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
        const int tag = awaited_opening();
        waits_->add(std::forward<Handler>(handler), executor_, tag);
        // By now the opening may have told those it found listed.
        std::unique_lock lock{mutex_};
        const bool told = static_cast<int>(openings_ - static_cast<unsigned>(tag)) >= 0;
        const bool closed = closed_;
        lock.unlock();
        if (closed)
            waits_->complete(tag, asio::error::operation_aborted);
        else if (told)
            waits_->complete(tag, {});
    }

    /// The gate has gone: for its listeners it stays as it is, and nobody waits for it any more.
    void abandon() {
        {
            const std::lock_guard lock{mutex_};
            closed_ = true;
        }
        waits_->complete_all(asio::error::operation_aborted);
    }

    /// The listener hears of changes from now on, until unsubscribe(). It may be in gate_changed()
    /// still after that.
    void subscribe(GateListener& listener) noexcept {
        const std::lock_guard lock{mutex_};
        listener.heard_ = changes_;
        append(listener);
    }

    void unsubscribe(GateListener& listener) noexcept {
        const std::lock_guard lock{mutex_};
        if (is_listed(listener)) unlink(listener);
    }

    void destroy() noexcept {
        context_->remove(*this);
        delete this;
    }

private:
    // The number of the opening that ends a wait: the last one while the gate stands open.
    [[nodiscard]] int awaited_opening() noexcept {
        const std::lock_guard lock{mutex_};
        return static_cast<int>(open_ ? openings_ : openings_ + 1);
    }

    template <class Apply>
    void change(Apply apply) {
        std::unique_lock lock{mutex_};
        if (closed_) return;
        apply();
        const bool opens = conditions_ == 0 ? all_ : met_ == conditions_;
        if (std::exchange(open_, opens) == opens) return;
        ++changes_;
        if (opens) ++openings_;
        const int opening = static_cast<int>(openings_);
        bool told = tell_listeners(lock);
        lock.unlock();
        if (opens) told = tell_waits(opening) && told;
        if (told) return;
        lock.lock();
        if (opens && untold_ == 0) untold_ = opening;
        tell_again_soon();
    }

    /// False: there was no memory for it. The one whose turn it was hears no more; the others wait.
    [[nodiscard]] bool tell_waits(int opening) noexcept {
        return !try_allocating([&] { waits_->complete(opening, {}); });
    }

    // Who has been told stands at the end of the list, so whoever has not stands at its front:
    // neither a change that comes meanwhile nor a listener that comes or goes is in the way. False:
    // there was no memory to tell one, who stands at the front again.
    [[nodiscard]] bool tell_listeners(std::unique_lock<Mutex>& lock) {
        struct Kept {
            GateListener& listener;
            ~Kept() { listener.gate_release(); }
        };
        bool told = true;
        while (told && first_ != nullptr && first_->heard_ != changes_) {
            GateListener& listener = *first_;
            unlink(listener);
            append(listener);
            listener.heard_ = changes_;
            listener.gate_retain();
            lock.unlock();
            {
                const Kept kept{listener};
                told = !try_allocating([&] { listener.gate_changed(); });
                if (!told) hears_next(listener);
            }
            lock.lock();
        }
        return told;
    }

    void hears_next(GateListener& listener) noexcept {
        const std::lock_guard lock{mutex_};
        if (!is_listed(listener)) return; // it wants to hear no more
        unlink(listener);
        prepend(listener);
        listener.heard_ = changes_ - 1;
    }

    // The armed node has a reference of its own.
    void tell_again_soon() noexcept {
        if (telling_again_ || context_->gone()) return;
        telling_again_ = true;
        this->retain();
        wheel_->arm(*this, saturating_add(wheel_->now(), std::chrono::milliseconds{10}));
    }

    void tell_again() {
        std::unique_lock lock{mutex_};
        telling_again_ = false;
        bool told = tell_listeners(lock);
        if (untold_ != 0) {
            const int last = static_cast<int>(openings_);
            int opening = std::exchange(untold_, 0);
            lock.unlock();
            while (opening != last + 1 && tell_waits(opening)) ++opening;
            lock.lock();
            if (opening != last + 1) untold_ = opening;
            told = told && untold_ == 0;
        }
        if (!told) tell_again_soon();
    }

    [[nodiscard]] bool is_listed(const GateListener& listener) const noexcept {
        return listener.prev_ != nullptr || first_ == &listener;
    }
    void append(GateListener& listener) noexcept {
        listener.prev_ = last_;
        (last_ != nullptr ? last_->next_ : first_) = &listener;
        last_ = &listener;
    }
    void prepend(GateListener& listener) noexcept {
        listener.next_ = first_;
        (first_ != nullptr ? first_->prev_ : last_) = &listener;
        first_ = &listener;
    }
    void unlink(GateListener& listener) noexcept {
        (listener.prev_ != nullptr ? listener.prev_->next_ : first_) = listener.next_;
        (listener.next_ != nullptr ? listener.next_->prev_ : last_) = listener.prev_;
        listener.prev_ = listener.next_ = nullptr;
    }

    // A strand must not outlive its context.
    void on_context_shutdown() noexcept override {
        executor_ = {};
        if (std::exchange(telling_again_, false)) this->release();
    }

    static void fire(WheelNode& node) {
        Ref<BasicGateState>::adopt(&static_cast<BasicGateState&>(node))->tell_again();
    }
    static constexpr WheelHooks hooks{.retain = [](WheelNode&) noexcept {},
                                      .fire = &fire}; // it has a reference

    Ref<ContextState> context_;
    Ref<Wheel> wheel_;
    Ref<WaiterQueue<>> waits_; // tagged with the number of the opening they wait for
    asio::any_io_executor executor_;
    Mutex mutex_;
    bool open_ = false;
    bool closed_ = false;
    bool all_ = false; // what open() or shut() said last
    bool telling_again_ = false;
    unsigned openings_ = 0;
    int untold_ = 0; // the first opening of which waits may not have been told; 0: none
    std::uint64_t changes_ = 0;
    std::uint64_t generation_ = 0; // of set_all()
    std::size_t conditions_ = 0;
    std::size_t met_ = 0;
    GateListener* first_ = nullptr;
    GateListener* last_ = nullptr;
};

using GateState = BasicGateState<>;

struct GateAccess;

} // namespace detail

/// Holds workers back until their target has started: shut at first, opened by hand or by
/// conditions, such as a startup worker's success (ProbeWorker::opens()). It may be shut again when
/// the target is replaced. Any number of workers, and of waits, may stand before one gate. Mirrors
/// what the kubelet does with a container's `started` state.
///
/// Every member may be called from any thread, on gates that are neither being moved nor destroyed.
/// What it changes shows in is_open() before the call returns; workers and waits hear of it from
/// their executors, soon.
///
/// Destroying a gate ends its waits with `asio::error::operation_aborted`. For workers that were
/// given it it stays as it was, whatever its conditions say afterwards.
template <class = detail::OnUse>
class BasicStartupGate {
public:
    using executor_type = asio::any_io_executor;

    /// `where`: an executor or an execution context, for handlers that have no executor of their
    /// own.
    template <class Where>
        requires(!std::same_as<std::remove_cvref_t<Where>, BasicStartupGate>) &&
                detail::ExecutorSource<Where, asio::any_io_executor>
    explicit BasicStartupGate(Where&& where)
        : state_(new detail::GateState{
              detail::executor_from<asio::any_io_executor>(std::forward<Where>(where))}) {}

    BasicStartupGate(BasicStartupGate&&) noexcept = default;
    BasicStartupGate& operator=(BasicStartupGate&& other) noexcept {
        if (this == &other) return *this;
        if (state_) state_->abandon();
        state_ = std::move(other.state_);
        return *this;
    }
    ~BasicStartupGate() {
        if (state_) state_->abandon();
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return state_->executor(); }

    /// By hand: all conditions become met, and may become unmet again.
    void open() noexcept { state_->set_all(true); }

    /// By hand: all conditions become unmet.
    void close() noexcept { state_->set_all(false); }

    [[nodiscard]] bool is_open() const noexcept { return state_->is_open(); }

    /// Waits for the next opening; soon over if the gate is open, also if it is shut again by then.
    /// Completes with void(std::error_code); `operation_aborted` if the gate has been destroyed, or
    /// the wait cancelled (terminal, partial or total alike). A pending wait keeps run() going.
    template <class Token = asio::default_completion_token_t<executor_type>>
    auto async_wait(Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code)>(Initiation{state_}, token);
    }

    /// One of the things that must be so for the gate to be open. Movable. It may outlive the gate;
    /// destroyed, it stays as it was last set.
    class Condition {
    public:
        Condition(Condition&&) noexcept = default; // a copy would be counted twice
        Condition& operator=(Condition&&) noexcept = default;

        /// From any thread. Does nothing once the gate has been destroyed.
        void set(bool met) noexcept { state_->set(condition_, met); }

    private:
        friend BasicStartupGate;

        explicit Condition(detail::Ref<detail::GateState> state)
            : state_(std::move(state)), condition_(state_->add_condition()) {}

        detail::Ref<detail::GateState> state_;
        detail::GateCondition condition_;
    };

    /// Adds a condition, unmet: the gate is shut from now on, until all its conditions are met.
    [[nodiscard]] Condition add_condition() { return Condition{state_}; }

private:
    friend detail::GateAccess;

    class Initiation {
    public:
        using executor_type = BasicStartupGate::executor_type;

        explicit Initiation(detail::Ref<detail::GateState> state) noexcept
            : state_(std::move(state)) {}

        [[nodiscard]] executor_type get_executor() const noexcept { return state_->executor(); }

        template <class Handler>
        void operator()(Handler&& handler) const {
            state_->async_wait(std::forward<Handler>(handler));
        }

    private:
        detail::Ref<detail::GateState> state_;
    };

    detail::Ref<detail::GateState> state_;
};

using StartupGate = BasicStartupGate<>;

namespace detail {

/// For the workers of this library.
struct GateAccess {
    [[nodiscard]] static const Ref<GateState>& state(const StartupGate& gate) noexcept {
        return gate.state_;
    }
};

} // namespace detail
} // namespace probekit::inline PROBEKIT_ABI
