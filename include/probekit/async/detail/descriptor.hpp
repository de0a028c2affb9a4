// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <asio/posix/basic_stream_descriptor.hpp>

#include <probekit/async/detail/exceptions.hpp>
#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A file descriptor of ours (pipe, pidfd, socket), closed with its owner. Asio learns of it only
/// when it first has to be waited for: an attempt that needs no wait costs no registration.
/// `Handle` is what Asio has for it. Not thread-safe.
template <class Executor, class Handle = asio::posix::basic_stream_descriptor<Executor>>
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) noexcept : fd_(fd) {}
    /// Nothing may be pending.
    Descriptor(Descriptor&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), handle_(std::exchange(other.handle_, std::nullopt)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    ~Descriptor() {
        if (is_open()) close();
    }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

    /// Takes over `fd`; closes the one held before.
    void reset(int fd) noexcept {
        close();
        fd_ = fd;
    }

    using Wait = Handle; // for its wait_read and wait_write

    /// Starts waiting until the descriptor is ready; one wait at a time for each direction. An
    /// error means that the event loop could not take it (ENOMEM, ENOSPC of epoll) and the handler,
    /// untouched, will not be called.
    template <class Handler>
    [[nodiscard]] std::error_code async_wait(typename Wait::wait_type what,
                                             const Executor& executor, Handler&& handler) {
        PROBEKIT_ASSERT(is_open());
        if (!handle_)
            if (const std::error_code error = lend(executor)) return error;
        handle_->async_wait(what, std::forward<Handler>(handler));
        return {};
    }

    /// Ends the pending waits; their handlers get operation_aborted.
    void cancel() noexcept {
        std::error_code ignored;
        if (handle_) handle_->cancel(ignored);
    }

    void close() noexcept {
        if (fd_ < 0) return;
        if (handle_) {
            std::error_code ignored;
            handle_->close(ignored);
            handle_.reset();
        } else {
            ::close(fd_);
        }
        fd_ = -1;
    }

protected:
    /// Makes the handle, and calls `give(handle, error)`, by which it gets the descriptor.
    template <class Give>
    [[nodiscard]] std::error_code watch(const Executor& executor, Give give) {
        std::error_code error;
        // Asio allocates a record for each descriptor.
        if (const auto no_memory = try_allocating([&] { give(handle_.emplace(executor), error); }))
            error = no_memory;
        if (error) handle_.reset();
        return error;
    }

    int fd_ = -1;
    std::optional<Handle> handle_;

private:
    [[nodiscard]] std::error_code lend(const Executor& executor) {
        return watch(executor, [this](Handle& handle, std::error_code& refused) {
            if constexpr (requires { handle.assign(fd_, refused); })
                handle.assign(fd_, refused);
            else
                handle.assign(typename Handle::protocol_type{}, fd_, refused);
        });
    }
};

} // namespace probekit::inline PROBEKIT_ABI::detail
