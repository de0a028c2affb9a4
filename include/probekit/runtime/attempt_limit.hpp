// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <mutex>

#include <asio/detail/throw_exception.hpp>

#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/error.hpp>

namespace probekit::inline PROBEKIT_ABI {
namespace detail {

/// Whoever wants one of a limit's places.
class LimitWaiter {
public:
    LimitWaiter(const LimitWaiter&) = delete;
    LimitWaiter& operator=(const LimitWaiter&) = delete;

protected:
    LimitWaiter() = default;
    ~LimitWaiter() = default;

private:
    friend class LimitState;

    /// Take a reference to the owner. Called under the limit's lock, while the waiter is still
    /// listed: taken later, the owner could see that it waits no more, and go before the call.
    virtual void limit_retain() noexcept = 0;
    /// Let go of that reference.
    virtual void limit_release() noexcept = 0;
    /// It has a place now. Called without the lock, on the thread that gave the place up.
    virtual void limit_granted() = 0;

    LimitWaiter* prev_ = nullptr;
    LimitWaiter* next_ = nullptr;
};

/// What an AttemptLimit shares with its workers. From any thread; allocates nothing.
class LimitState final : public RefCounted<LimitState> {
public:
    explicit LimitState(std::size_t places) noexcept : places_(places) {}

    /// True: there is a place, and it is taken. False: `waiter` waits for limit_granted(), after
    /// those who wait already.
    [[nodiscard]] bool acquire(LimitWaiter& waiter) noexcept {
        const std::lock_guard lock{mutex_};
        if (taken_ < places_) { // then nobody waits
            ++taken_;
            return true;
        }
        waiter.prev_ = last_;
        (last_ != nullptr ? last_->next_ : first_) = &waiter;
        last_ = &waiter;
        ++waiting_;
        return false;
    }

    /// Waits no more. False: it did not wait; it has been granted its place, or is just about to.
    [[nodiscard]] bool withdraw(LimitWaiter& waiter) noexcept {
        const std::lock_guard lock{mutex_};
        if (waiter.prev_ == nullptr && first_ != &waiter) return false;
        unlink(waiter);
        return true;
    }

    /// Gives a place up. It goes to whoever has waited longest.
    void give_back() {
        struct Granted {
            LimitWaiter& waiter;
            ~Granted() { waiter.limit_release(); }
        };
        std::unique_lock lock{mutex_};
        if (first_ == nullptr) {
            --taken_;
            return;
        }
        LimitWaiter& waiter = *first_;
        waiter.limit_retain();
        unlink(waiter);
        lock.unlock();
        const Granted granted{waiter};
        waiter.limit_granted();
    }

    [[nodiscard]] std::size_t taken() noexcept {
        const std::lock_guard lock{mutex_};
        return taken_;
    }
    [[nodiscard]] std::size_t waiting() noexcept {
        const std::lock_guard lock{mutex_};
        return waiting_;
    }

    void destroy() noexcept { delete this; }

private:
    void unlink(LimitWaiter& waiter) noexcept {
        (waiter.prev_ != nullptr ? waiter.prev_->next_ : first_) = waiter.next_;
        (waiter.next_ != nullptr ? waiter.next_->prev_ : last_) = waiter.prev_;
        waiter.prev_ = waiter.next_ = nullptr;
        --waiting_;
    }

    const std::size_t places_;
    Mutex mutex_;
    std::size_t taken_ = 0;
    std::size_t waiting_ = 0;
    LimitWaiter* first_ = nullptr;
    LimitWaiter* last_ = nullptr;
};

struct LimitAccess;

} // namespace detail

/// How many attempts may be in flight at once, over all workers that were given this limit
/// (ProbeWorker::limit()). A look that is due when all places are taken waits for one: first due,
/// first served. The wait shows as `late` in AttemptBegun, and does not count towards the timeout.
///
/// Every member may be called from any thread. Workers keep what they need of a limit that is
/// destroyed.
class AttemptLimit {
public:
    /// Throws ConfigException if nothing could ever be in flight.
    explicit AttemptLimit(std::size_t max_in_flight)
        : state_(new detail::LimitState{checked(max_in_flight)}) {}

    AttemptLimit(AttemptLimit&&) noexcept = default;
    AttemptLimit& operator=(AttemptLimit&&) noexcept = default;

    /// Attempts that hold a place now.
    [[nodiscard]] std::size_t in_flight() const noexcept { return state_->taken(); }

    /// Looks that are due and wait for a place.
    [[nodiscard]] std::size_t waiting() const noexcept { return state_->waiting(); }

private:
    friend detail::LimitAccess;

    static std::size_t checked(std::size_t max_in_flight) {
        if (max_in_flight == 0)
            asio::detail::throw_exception(
                ConfigException{ConfigErrors{{"max_in_flight", "must be greater than zero"}}});
        return max_in_flight;
    }

    detail::Ref<detail::LimitState> state_;
};

namespace detail {

/// For the workers of this library.
struct LimitAccess {
    [[nodiscard]] static const Ref<LimitState>& state(const AttemptLimit& limit) noexcept {
        return limit.state_;
    }
};

} // namespace detail
} // namespace probekit::inline PROBEKIT_ABI
