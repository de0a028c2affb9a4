// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include <probekit/async/detail/block_pool.hpp>
#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Keeps the beginning of a process's output, up to a limit, and counts all of it. Allocates once,
/// when the first byte arrives; what is kept does not move until clear().
class OutputBuffer {
public:
    /// `pool` must outlive this.
    explicit OutputBuffer(BlockPool& pool, std::size_t limit = 0) noexcept
        : pool_(&pool), limit_(limit) {}
    OutputBuffer(const OutputBuffer&) = delete;
    OutputBuffer& operator=(const OutputBuffer&) = delete;
    ~OutputBuffer() { clear(limit_); }

    void append(const char* data, std::size_t size) noexcept {
        PROBEKIT_ASSERT(size_ <= limit_);
        total_ += size;
        const std::size_t room = std::min(size, limit_ - size_);
        if (room == 0 || !allocate()) return;
        std::memcpy(memory_ + size_, data, room);
        size_ += room;
    }

    [[nodiscard]] std::string_view kept() const noexcept { return {memory_, size_}; }
    /// How many bytes the process has written.
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }

    void clear(std::size_t next_limit) noexcept {
        if (memory_ != nullptr) pool_->deallocate(memory_, limit_);
        memory_ = nullptr;
        size_ = 0;
        total_ = 0;
        limit_ = next_limit;
    }

private:
    // Output that there is no memory for is counted and lost; the status of the process is not.
    [[nodiscard]] bool allocate() noexcept {
        if (memory_ == nullptr) memory_ = static_cast<char*>(pool_->try_allocate(limit_));
        return memory_ != nullptr;
    }

    BlockPool* pool_;
    char* memory_ = nullptr;
    std::size_t size_ = 0;
    std::size_t limit_;
    std::uint64_t total_ = 0;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
