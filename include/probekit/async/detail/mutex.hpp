// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// For critical sections of a few instructions in which two threads hardly ever meet; an attempt
/// passes through ten of them. Locking and unlocking take one inlined atomic instruction each,
/// where std::mutex makes a call of some 25 instructions. A thread that has to wait sleeps. 4
/// bytes.
class Mutex {
public:
    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    [[gnu::always_inline]] void lock() noexcept {
        int expected = unlocked;
        if (!state_.compare_exchange_strong(expected, locked)) wait_for_it();
    }

    [[gnu::always_inline]] void unlock() noexcept {
        const int before = state_.exchange(unlocked);
        PROBEKIT_ASSERT(before != unlocked);
        if (before == awaited) wake_one();
    }

    /// As std::lock_guard, whose destructor g++ does not inline in a large program: for the
    /// sections that every attempt passes through.
    class Lock {
    public:
        [[gnu::always_inline]] explicit Lock(Mutex& mutex) noexcept : mutex_(mutex) {
            mutex.lock();
        }
        Lock(const Lock&) = delete;
        Lock& operator=(const Lock&) = delete;
        [[gnu::always_inline]] ~Lock() { mutex_.unlock(); }

    private:
        Mutex& mutex_;
    };

private:
    // A thread that has waited leaves the state `awaited`, since others may still be waiting.
    [[gnu::noinline, gnu::cold]] void wait_for_it() noexcept {
        while (state_.exchange(awaited) != unlocked) state_.wait(awaited);
    }

    [[gnu::noinline, gnu::cold]] void wake_one() noexcept { state_.notify_one(); }

    static constexpr int unlocked = 0;
    static constexpr int locked = 1;
    static constexpr int awaited = 2; // locked, and threads may be waiting

    std::atomic<int> state_{unlocked};
};

} // namespace probekit::inline PROBEKIT_ABI::detail
