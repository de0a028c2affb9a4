// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/async/detail/block_pool.hpp>

#include <cstddef>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace probekit::detail;

TEST_CASE("a block that came back is handed out again, one in use never") {
    const std::size_t size = GENERATE(std::size_t{1}, std::size_t{64}, std::size_t{65},
                                      std::size_t{1000}, std::size_t{10'300}, std::size_t{16'384});
    BlockPool pool;
    void* const first = pool.allocate(size);
    std::memset(first, 0x5a, size); // all of it is ours: for the address sanitizer
    pool.deallocate(first, size);
    void* const again = pool.allocate(size);
    void* const other = pool.allocate(size);
    CHECK(again == first);
    CHECK(other != first);
    pool.deallocate(again, size);
    pool.deallocate(other, size);
}

TEST_CASE("requests of one class share blocks, others do not") {
    BlockPool pool;
    void* const block = pool.allocate(65);
    pool.deallocate(block, 65);
    CHECK(pool.allocate(128) == block);
    void* const larger = pool.allocate(129);
    CHECK(larger != block);
    pool.deallocate(block, 128);
    pool.deallocate(larger, 129);
}

TEST_CASE("a request too large for any class comes from the heap and returns there") {
    BlockPool pool;
    void* const large = pool.allocate(100'000);
    std::memset(large, 0, 100'000);
    pool.deallocate(large, 100'000);
}

TEST_CASE("a standard container works on the pool") {
    BlockPool pool;
    std::set<int, std::less<>, PoolAllocator<int>> numbers{PoolAllocator<int>{pool}};
    for (int i = 0; i != 1000; ++i) numbers.insert(i);
    numbers.clear();
    for (int i = 0; i != 1000; ++i) numbers.insert(i);
    CHECK(numbers.size() == 1000);
    CHECK(PoolAllocator<int>{pool} == PoolAllocator<char>{pool});
    BlockPool elsewhere;
    CHECK_FALSE(PoolAllocator<int>{pool} == PoolAllocator<int>{elsewhere});
}

TEST_CASE("threads share a pool") {
    BlockPool pool;
    const auto churn = [&] {
        std::vector<void*> blocks;
        for (int i = 0; i != 20'000; ++i) {
            blocks.push_back(pool.allocate(200));
            *static_cast<int*>(blocks.back()) = i;
            if (i % 3 == 0) {
                pool.deallocate(blocks.back(), 200);
                blocks.pop_back();
            }
            if (blocks.size() > 50) {
                for (void* const block : blocks) pool.deallocate(block, 200);
                blocks.clear();
            }
        }
        for (void* const block : blocks) pool.deallocate(block, 200);
    };
    std::thread other{churn};
    churn();
    other.join();
    SUCCEED("no block was handed out twice: for the thread sanitizer");
}
