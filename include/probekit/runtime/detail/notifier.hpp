// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstdint>
#include <deque>
#include <optional>
#include <system_error>
#include <utility>

#include <asio/error.hpp>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/scope_exit.hpp>
#include <probekit/async/detail/waiters.hpp>
#include <probekit/config.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/runtime/detail/small_function.hpp>

// How workers and groups call their users: the one place that knows the rules for it.
namespace probekit::inline PROBEKIT_ABI::detail {

/// Handlers that wait for something, in a queue that is made for the first of them.
template <class... Args>
class LazyWaiters {
public:
    template <class Handler, class Executor>
    void add(ContextState& context, Handler&& handler, const Executor& executor, int tag = 0) {
        if (!queue_) queue_ = Ref{new WaiterQueue<Args...>{Ref{&context}}};
        queue_->add(std::forward<Handler>(handler), executor, tag);
    }
    void complete(int tag, std::error_code error, const Args&... args) {
        if (queue_) queue_->complete(tag, error, args...);
    }
    void complete_all(std::error_code error, const Args&... args) {
        if (queue_) queue_->complete_all(error, args...);
    }

private:
    Ref<WaiterQueue<Args...>> queue_;
};

/// What most owners queue: a change that their callback has not been notified of.
template <class Change>
struct PendingChange {
    Change change;
    std::uint32_t generation = 0;
};

/// What a Notifier needs of its owner.
template <class O, class Item>
concept NotifierOwner = requires(O& owner, Item&& item) {
    // The items that listeners have not been notified of, if the owner has a queue already.
    { owner.pending() } noexcept -> std::same_as<std::deque<Item>*>;
    // The same; makes the queue if there is none. May throw std::bad_alloc.
    { owner.pending_queue() } -> std::same_as<std::deque<Item>&>;
    // Makes the event loop call deliver_posted(). May throw std::bad_alloc.
    owner.post_delivery();
    // Notifies the listeners of one item. May throw what they throw.
    owner.deliver(std::move(item));
};

/// Calls an owner's listeners: its observer, and a callback that is given each `Event`.
///
/// A listener may do anything from inside its call: replace the callback, call the owner, destroy
/// the owner's handle. Hence these rules.
///
/// - No listener is called from inside a call of the user's, or from inside another listener. What
///   a call has changed is an `Item` in a queue, delivered by a post; what would be notified at a
///   moment when it may not be waits until may_notify().
/// - The callback runs from the stack, and goes back to its place unless it has been replaced or
///   the owner abandoned. After each listener the owner may have been abandoned: then nothing else
///   is called.
/// - An item belongs to a generation, which ends with stop() and with the handle; the callback is
///   not notified of what an earlier generation left in the queue.
/// - What a listener throws goes on to the caller of run(), and the rest is delivered later.
template <class Event, class Obs>
class Notifier {
public:
    explicit Notifier(Obs&& observer) : observer_(std::move(observer)) {}
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;

    [[nodiscard]] Obs& observer() noexcept { return observer_; }

    [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }
    void begin_generation() noexcept { ++generation_; }

    /// The owner's handle has been destroyed: no listener is called any more.
    void abandon() noexcept {
        abandoned_ = true;
        ++generation_;
    }
    [[nodiscard]] bool abandoned() const noexcept { return abandoned_; }

    /// While one exists no other listener is called.
    class [[nodiscard]] Scope {
    public:
        explicit Scope(Notifier& notifier) noexcept
            : notifier_(notifier), outer_(notifier.notifying_) {
            notifier_.notifying_ = true;
        }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;
        ~Scope() { notifier_.notifying_ = outer_; }

    private:
        Notifier& notifier_;
        bool outer_; // a listener may run the event loop
    };

    /// Calls `work`, which may call other code of the user's than listeners.
    template <class Work>
    void notify_nobody_during(Work work) noexcept {
        in_call_ = true;
        work();
        in_call_ = false;
    }

    /// Whether listeners may be notified now: not from inside a call or a listener, and not before
    /// what has been queued.
    template <class Owner>
    [[nodiscard]] bool may_notify(const Owner& owner) const noexcept {
        return !in_call_ && !notifying_ && !has_pending(owner);
    }

    /// Inside a Scope.
    template <class Observed>
    void observe(const Observed& event) {
        if (!abandoned_) detail::notify(observer_, event);
    }

    void set_callback(SmallFunction<Event> callback) noexcept {
        callback_ = std::move(callback);
        callback_set_ = true;
    }
    /// Inside a Scope.
    void call_back(const Event& event) {
        if (!callback_) return;
        SmallFunction<Event> callback = std::move(callback_);
        callback_set_ = false;
        const ScopeExit back{[&] {
            if (!callback_set_ && !abandoned_) callback_ = std::move(callback);
        }};
        callback(event);
    }

    // ---- what calls have changed ----

    /// Queues an item, for deliver() or deliver_later(). Without memory the notification is lost
    /// rather than the program; the owner's state is right all the same.
    template <class Owner, class Item>
        requires NotifierOwner<Owner, Item>
    void push(Owner& owner, Item item) noexcept {
        if (abandoned_) return;
        static_cast<void>(
            try_allocating([&] { owner.pending_queue().push_back(std::move(item)); }));
    }

    /// What is left of an item when a listener has thrown comes before all that is queued.
    template <class Owner, class Item>
        requires NotifierOwner<Owner, Item>
    void put_back(Owner& owner, Item item) noexcept {
        if (abandoned_) return;
        static_cast<void>(
            try_allocating([&] { owner.pending_queue().push_front(std::move(item)); }));
        deliver_later(owner);
    }

    /// Lets the event loop deliver what is queued.
    template <class Owner>
    void deliver_later(Owner& owner) noexcept {
        if (posted_ || abandoned_ || !has_pending(owner)) return;
        posted_ = true;
        if (!try_allocating([&] { owner.post_delivery(); })) return;
        posted_ = false;
        owner.pending()->clear();
    }

    /// What a post leads to.
    template <class Owner>
    void deliver_posted(Owner& owner) {
        posted_ = false;
        deliver(owner);
    }

    /// Delivers what is queued now; what listeners add is delivered later.
    template <class Owner>
    void deliver(Owner& owner) {
        const ScopeExit rest{[&] { deliver_later(owner); }};
        if (notifying_) return;
        const Scope scope{*this};
        for (auto count = has_pending(owner) ? owner.pending()->size() : 0;
             count != 0 && !abandoned_; --count) {
            auto item = std::move(owner.pending()->front());
            owner.pending()->pop_front();
            owner.deliver(std::move(item));
        }
    }

private:
    template <class Owner>
    [[nodiscard]] static bool has_pending(const Owner& owner) noexcept {
        const auto* const pending = owner.pending();
        return pending != nullptr && !pending->empty();
    }

    // The order leaves no gaps: the owner's own small members follow the last of these.
    [[no_unique_address]] Obs observer_;
    SmallFunction<Event> callback_;
    std::uint32_t generation_ = 0; // changes with start, stop and destruction
    bool notifying_ : 1 = false;
    bool in_call_ : 1 = false;
    bool posted_ : 1 = false;
    bool callback_set_ : 1 = false;
    bool abandoned_ : 1 = false;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
