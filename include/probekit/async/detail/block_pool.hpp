// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <new>

#include <probekit/async/detail/mutex.hpp>
#include <probekit/config.hpp>
#include <probekit/core/detail/to_size.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Memory that only an attempt needs. Blocks that are returned are handed out again, so attempts
/// allocate nothing once as many blocks exist as were ever in use at once. From any thread.
class BlockPool {
public:
    BlockPool() = default;
    BlockPool(const BlockPool&) = delete;
    BlockPool& operator=(const BlockPool&) = delete;

    ~BlockPool() {
        for (Class& size_class : classes_) {
            while (size_class.free != nullptr) {
                Block* const block = size_class.free;
                size_class.free = block->next;
                ::operator delete(static_cast<void*>(block));
            }
        }
    }

    // Inlined by force: callers pass constant sizes, and nearly everything here depends on the size
    // only.

    /// A block aligned for every type without extended alignment. Throws std::bad_alloc.
    [[nodiscard, gnu::always_inline]] void* allocate(std::size_t size) {
        void* const block = take(size);
        return block != nullptr ? block : ::operator new(bytes_for(size));
    }

    /// As allocate(), but null if there is no memory.
    [[nodiscard]] void* try_allocate(std::size_t size) noexcept {
        void* const block = take(size);
        return block != nullptr ? block : ::operator new(bytes_for(size), std::nothrow);
    }

    /// `size` is the one that was allocated.
    [[gnu::always_inline]] void deallocate(void* memory, std::size_t size) noexcept {
        const std::size_t index = class_of(size);
        if (index < class_count) {
            const Mutex::Lock lock{mutex_};
            Class& size_class = classes_[index];
            if (size_class.count < most_bytes / smallest >> index) {
                size_class.free = ::new (memory) Block{size_class.free};
                ++size_class.count;
                return;
            }
        }
        ::operator delete(memory);
    }

private:
    struct Block {
        Block* next;
    };
    struct Class {
        Block* free = nullptr;
        std::size_t count = 0;
    };

    static constexpr std::size_t smallest = 64;
    // From 64 bytes to 16 KiB; larger requests go to the heap.
    static constexpr std::size_t class_count = 9;
    // What each class keeps at most after a burst of attempts.
    static constexpr std::size_t most_bytes = std::size_t{4} << 20;

    [[nodiscard]] static std::size_t class_of(std::size_t size) noexcept {
        return size <= smallest ? 0 : to_size(std::bit_width((size - 1) / smallest));
    }
    [[nodiscard]] static std::size_t bytes_for(std::size_t size) noexcept {
        const std::size_t index = class_of(size);
        return index < class_count ? smallest << index : size;
    }

    /// A block that was returned before, or null.
    [[nodiscard, gnu::always_inline]] void* take(std::size_t size) noexcept {
        const std::size_t index = class_of(size);
        if (index >= class_count) return nullptr;
        const Mutex::Lock lock{mutex_};
        Class& size_class = classes_[index];
        Block* const block = size_class.free;
        if (block == nullptr) return nullptr;
        size_class.free = block->next;
        --size_class.count;
        return block;
    }

    Mutex mutex_;
    std::array<Class, class_count> classes_;
};

/// A standard allocator over a pool, which must outlive the memory.
template <class T>
class PoolAllocator {
public:
    using value_type = T;

    explicit PoolAllocator(BlockPool& pool) noexcept : pool_(&pool) {}
    template <class U>
    PoolAllocator(const PoolAllocator<U>& other) noexcept : pool_(&other.pool()) {}

    [[nodiscard]] T* allocate(std::size_t count) {
        static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__);
        return static_cast<T*>(pool_->allocate(count * sizeof(T)));
    }
    void deallocate(T* memory, std::size_t count) noexcept {
        pool_->deallocate(memory, count * sizeof(T));
    }

    template <class U>
    [[nodiscard]] bool operator==(const PoolAllocator<U>& other) const noexcept {
        return pool_ == &other.pool();
    }
    [[nodiscard]] BlockPool& pool() const noexcept { return *pool_; }

private:
    BlockPool* pool_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
