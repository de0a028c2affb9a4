// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/core/duration.hpp>
#include <probekit/core/result.hpp>

/// How an attempt completed.
struct Completion {
    std::error_code error;
    probekit::ProbeResult result;
};

/// Makes one attempt and runs the loop until it has completed, which is never inside the call that
/// started it.
template <class P>
Completion probe_once(asio::io_context& io, P&& probe,
                      probekit::Duration timeout = std::chrono::seconds{5}) {
    std::optional<Completion> answer;
    probe.async_probe(timeout, [&](std::error_code error, probekit::ProbeResult result) {
        answer.emplace(error, std::move(result));
    });
    CHECK_FALSE(answer);
    io.restart();
    while (!answer) io.run_one_for(std::chrono::seconds{20});
    return std::move(*answer);
}

/// Counts the blocks that are allocated.
template <class T>
struct CountingAllocator {
    using value_type = T;
    explicit CountingAllocator(int& count) : blocks(&count) {}
    template <class U>
    CountingAllocator(const CountingAllocator<U>& other) : blocks(other.blocks) {}
    [[nodiscard]] T* allocate(std::size_t count) {
        ++*blocks;
        return std::allocator<T>{}.allocate(count);
    }
    void deallocate(T* memory, std::size_t count) {
        --*blocks;
        std::allocator<T>{}.deallocate(memory, count);
    }
    friend bool operator==(const CountingAllocator&, const CountingAllocator&) = default;
    int* blocks;
};
