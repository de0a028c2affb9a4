// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <mutex>

#include <probekit/async/detail/intrusive_list.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/notify_listed.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/scope_exit.hpp>
#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Waits for one of a limit's permits.
class LimitWaiter : public ListLink<LimitWaiter> {
public:
    /// Called under the limit's lock: see notify_listed().
    virtual void retain_owner() noexcept = 0;
    virtual void release_owner() noexcept = 0;
    /// The waiter holds a permit now. Called without the lock, on the thread that released the
    /// permit.
    virtual void limit_granted() = 0;

protected:
    LimitWaiter() = default;
    ~LimitWaiter() = default;
};

/// What an AttemptLimit shares with its workers. From any thread; allocates nothing.
class LimitState final : public RefCounted<LimitState> {
public:
    explicit LimitState(std::size_t permits) noexcept : permits_(permits) {}

    /// Takes a permit if one is left. Else false, and `waiter` waits for limit_granted(), behind
    /// those who wait already.
    [[nodiscard]] bool acquire(LimitWaiter& waiter) noexcept {
        const std::lock_guard lock{mutex_};
        if (taken_ < permits_) {
            PROBEKIT_ASSERT(waiters_.empty());
            ++taken_;
            return true;
        }
        waiters_.push_back(waiter);
        ++waiting_;
        return false;
    }

    /// Waits no more. False if it did not wait: its permit has been granted, or is just being
    /// granted.
    [[nodiscard]] bool withdraw(LimitWaiter& waiter) noexcept {
        const std::lock_guard lock{mutex_};
        if (!waiters_.is_listed(waiter)) return false;
        unlist(waiter);
        return true;
    }

    /// Gives a permit back. It passes to the waiter that has waited longest.
    void release_permit() {
        std::unique_lock lock{mutex_};
        PROBEKIT_ASSERT(taken_ != 0 && taken_ <= permits_);
        LimitWaiter* const waiter = waiters_.front();
        if (waiter == nullptr) {
            --taken_;
            return;
        }
        notify_listed(
            lock, *waiter, [&] { unlist(*waiter); },
            [&] {
                const ScopeExit release{[&] { waiter->release_owner(); }};
                waiter->limit_granted();
            });
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
    void unlist(LimitWaiter& waiter) noexcept {
        waiters_.remove(waiter);
        --waiting_;
    }

    const std::size_t permits_;
    Mutex mutex_;
    std::size_t taken_ = 0;
    std::size_t waiting_ = 0;
    IntrusiveList<LimitWaiter> waiters_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
