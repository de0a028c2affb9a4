// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>

#include <pthread.h>

#include <probekit/config.hpp>

// A program that forks has all of our objects twice. Those in the child share their descriptors,
// processes and event loop with the parent, to whom they belong: what was made before the fork does
// nothing in the child but free memory and close the child's copies of descriptors. So handles
// remember in which generation of processes they were made, which costs them a number.
namespace probekit::inline PROBEKIT_ABI::detail {

/// Counts the forks between the first process that used this library and this one.
inline std::atomic<std::uint32_t> fork_generation{0};

/// The last generation in which an Asio context was told of the fork (notify_fork), and so got an
/// event loop that it does not share with the parent.
inline std::atomic<std::uint32_t> notified_generation{0};

/// Begins to count, at the first call. From any thread.
inline void count_forks() noexcept {
    // The first 48 of a program's handlers take no memory in glibc, so that this does not fail.
    [[maybe_unused]] static const int counted = ::pthread_atfork(
        nullptr, nullptr, [] { fork_generation.fetch_add(1, std::memory_order_relaxed); });
}

/// The process, in that count, in which something was made.
class MakerProcess {
public:
    /// Whether it was made before a fork, in a parent of this process.
    [[nodiscard]] bool is_other() const noexcept {
        return generation_ != fork_generation.load(std::memory_order_relaxed);
    }

private:
    std::uint32_t generation_ = fork_generation.load(std::memory_order_relaxed);
};

/// Whether the event loops of contexts that were made before the fork are the parent's, too.
[[nodiscard]] inline bool shares_event_loops() noexcept {
    return notified_generation.load(std::memory_order_relaxed) !=
           fork_generation.load(std::memory_order_relaxed);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
