// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>

namespace probekit::inline v0::detail {

/// For sections of a few instructions in which two threads hardly ever meet: a look passes through ten of them. Locking
/// and unlocking are one atomic instruction each, in line, where std::mutex makes a call of some 25 instructions; who has
/// to wait sleeps. 4 bytes.
class Mutex {
public:
    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    void lock() noexcept {
        int expected = unlocked;
        if (!state_.compare_exchange_strong(expected, locked)) wait_for_it();
    }

    void unlock() noexcept {
        if (state_.exchange(unlocked) == awaited) state_.notify_one();
    }

private:
    // Whoever has waited leaves it `awaited`: others may wait still.
    [[gnu::noinline]] void wait_for_it() noexcept {
        while (state_.exchange(awaited) != unlocked) state_.wait(awaited);
    }

    static constexpr int unlocked = 0;
    static constexpr int locked = 1;
    static constexpr int awaited = 2; // locked, and somebody may be waiting

    std::atomic<int> state_{unlocked};
};

} // namespace probekit::inline v0::detail
