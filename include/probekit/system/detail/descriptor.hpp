// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <asio/posix/basic_stream_descriptor.hpp>

#include <probekit/system/detail/catching.hpp>

namespace probekit::inline v0::detail {

/// A file descriptor of ours (socket, pipe, pidfd), closed with its owner. Asio learns of it only when it first has to
/// be waited for: an attempt that needs no wait costs no registration. Not thread-safe.
template <class Executor>
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) noexcept : fd_(fd) {}
    /// Nothing may be pending.
    Descriptor(Descriptor&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), watched_(std::exchange(other.watched_, std::nullopt)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() { close(); }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

    /// Takes over `fd`; closes the one held before.
    void reset(int fd) noexcept {
        close();
        fd_ = fd;
    }

    using Wait = asio::posix::descriptor_base;

    /// Starts waiting until the descriptor is ready; one wait at a time for each direction. An error means that the
    /// event loop could not take it (ENOMEM, ENOSPC of epoll) and the handler, untouched, will not be called.
    template <class Handler>
    [[nodiscard]] std::error_code async_wait(Wait::wait_type what, const Executor& executor, Handler&& handler) {
        if (const std::error_code error = watched_ ? std::error_code{} : watch(executor)) return error;
        watched_->async_wait(what, std::forward<Handler>(handler));
        return {};
    }

    /// Ends the pending waits; their handlers get operation_aborted.
    void cancel() noexcept {
        std::error_code ignored;
        if (watched_) watched_->cancel(ignored);
    }

    void close() noexcept {
        if (fd_ < 0) return;
        if (watched_) {
            std::error_code ignored;
            watched_->close(ignored);
            watched_.reset();
        } else {
            ::close(fd_);
        }
        fd_ = -1;
    }

private:
    [[nodiscard]] std::error_code watch(const Executor& executor) {
        std::error_code refused;
        const std::error_code no_memory =
            without_bad_alloc([&] { watched_.emplace(executor).assign(fd_, refused); }); // its record of a descriptor
        if (no_memory || refused) watched_.reset();
        return no_memory ? no_memory : refused;
    }

    int fd_ = -1;
    std::optional<asio::posix::basic_stream_descriptor<Executor>> watched_;
};

} // namespace probekit::inline v0::detail
