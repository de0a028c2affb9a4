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

/// The beginning of what a process says, up to a limit, and how much it was in all. Takes its
/// memory, all at once, when there is something to keep; what is kept stays where it is until
/// clear().
class OutputBuffer {
public:
    /// `pool` must outlive what is kept.
    explicit OutputBuffer(BlockPool& pool, std::size_t limit = 0) noexcept
        : pool_(&pool), limit_(limit) {}
    OutputBuffer(const OutputBuffer&) = delete;
    OutputBuffer& operator=(const OutputBuffer&) = delete;
    ~OutputBuffer() { clear(limit_); }

    void append(const char* data, std::size_t size) noexcept {
        PROBEKIT_ASSERT(size_ <= limit_);
        seen_ += size;
        const std::size_t room = std::min(size, limit_ - size_);
        if (room == 0 || !take_memory()) return;
        std::memcpy(memory_ + size_, data, room);
        size_ += room;
    }

    [[nodiscard]] std::string_view kept() const noexcept { return {memory_, size_}; }
    [[nodiscard]] std::uint64_t seen() const noexcept { return seen_; }

    void clear(std::size_t next_limit) noexcept {
        if (memory_ != nullptr) pool_->deallocate(memory_, limit_);
        memory_ = nullptr;
        size_ = 0;
        seen_ = 0;
        limit_ = next_limit;
    }

private:
    // Without memory for it an output is counted and lost, rather than the status of the process
    // with it.
    [[nodiscard]] bool take_memory() noexcept {
        if (memory_ == nullptr) memory_ = static_cast<char*>(pool_->try_allocate(limit_));
        return memory_ != nullptr;
    }

    BlockPool* pool_;
    char* memory_ = nullptr;
    std::size_t size_ = 0;
    std::size_t limit_;
    std::uint64_t seen_ = 0;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
