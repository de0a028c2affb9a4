// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <new>

#include <probekit/async/detail/mutex.hpp>
#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Memory for what only an attempt needs: blocks come back and are handed out again, so that
/// attempts allocate nothing once as many blocks exist as were ever in use at once. From any
/// thread.
class BlockPool {
public:
    BlockPool() = default;
    BlockPool(const BlockPool&) = delete;
    BlockPool& operator=(const BlockPool&) = delete;

    ~BlockPool() {
        for (Class& one : classes_) {
            while (one.free != nullptr) {
                Block* const block = one.free;
                one.free = block->next;
                ::operator delete(static_cast<void*>(block));
            }
        }
    }

    // In line: sizes are constants there, and nearly all of what is to be done depends on them
    // only.

    /// Aligned for every ordinary type. Throws std::bad_alloc.
    [[nodiscard, gnu::always_inline]] void* allocate(std::size_t size) {
        void* const block = take(size);
        return block != nullptr ? block : ::operator new(bytes_for(size));
    }

    /// The same, but gives a null pointer where there is no memory.
    [[nodiscard]] void* try_allocate(std::size_t size) noexcept {
        void* const block = take(size);
        return block != nullptr ? block : ::operator new(bytes_for(size), std::nothrow);
    }

    /// `size` as it was allocated with.
    [[gnu::always_inline]] void deallocate(void* memory, std::size_t size) noexcept {
        const std::size_t index = class_of(size);
        if (index < class_count) {
            const Mutex::Lock lock{mutex_};
            Class& one = classes_[index];
            if (one.count < most_bytes / smallest >> index) {
                one.free = ::new (memory) Block{one.free};
                ++one.count;
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
    static constexpr std::size_t class_count =
        9; // 64 bytes to 16 KiB; larger requests go to the heap
    // What a burst leaves behind is bounded: per class, so much is kept for the next one.
    static constexpr std::size_t most_bytes = std::size_t{4} << 20;

    [[nodiscard]] static std::size_t class_of(std::size_t size) noexcept {
        return size <= smallest ? 0
                                : static_cast<std::size_t>(std::bit_width((size - 1) / smallest));
    }
    [[nodiscard]] static std::size_t bytes_for(std::size_t size) noexcept {
        const std::size_t index = class_of(size);
        return index < class_count ? smallest << index : size;
    }

    /// A block that is there already, or null.
    [[nodiscard, gnu::always_inline]] void* take(std::size_t size) noexcept {
        const std::size_t index = class_of(size);
        if (index >= class_count) return nullptr;
        const Mutex::Lock lock{mutex_};
        Class& one = classes_[index];
        Block* const block = one.free;
        if (block == nullptr) return nullptr;
        one.free = block->next;
        --one.count;
        return block;
    }

    Mutex mutex_;
    std::array<Class, class_count> classes_;
};

/// A standard allocator over a pool that outlives what it gave.
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
