// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <new>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Memory for the one pending Asio operation of an attempt, which its steps use one after the
/// other. An operation that does not fit, or that begins while another is pending, takes the heap:
/// this is right with every version of Asio, and only slower.
class OpMemory {
public:
    OpMemory() = default;
    OpMemory(const OpMemory&) = delete;
    OpMemory& operator=(const OpMemory&) = delete;
    ~OpMemory() { PROBEKIT_ASSERT(!used_); }

    [[nodiscard]] void* allocate(std::size_t size) {
        if (used_ || size > sizeof storage_) return ::operator new(size);
        used_ = true;
        return static_cast<void*>(storage_);
    }
    void deallocate(void* memory) noexcept {
        if (memory != static_cast<void*>(storage_)) return ::operator delete(memory);
        PROBEKIT_ASSERT(used_);
        used_ = false;
    }

private:
    alignas(std::max_align_t) std::byte storage_[192];
    bool used_ = false;
};

/// The associated allocator of an attempt's step handlers.
template <class T>
class OpAllocator {
public:
    using value_type = T;

    explicit OpAllocator(OpMemory& memory) noexcept : memory_(&memory) {}
    template <class U>
    OpAllocator(const OpAllocator<U>& other) noexcept : memory_(&other.memory()) {}

    [[nodiscard]] T* allocate(std::size_t count) {
        return static_cast<T*>(memory_->allocate(count * sizeof(T)));
    }
    void deallocate(T* memory, std::size_t) noexcept { memory_->deallocate(memory); }

    template <class U>
    [[nodiscard]] bool operator==(const OpAllocator<U>& other) const noexcept {
        return memory_ == &other.memory();
    }
    [[nodiscard]] OpMemory& memory() const noexcept { return *memory_; }

private:
    OpMemory* memory_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
