// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <optional>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <asio/posix/basic_stream_descriptor.hpp>

#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/forks.hpp>
#include <probekit/async/detail/standard_streams.hpp>
#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Owns a file descriptor (pipe, pidfd, socket). It is registered with Asio's event loop only when
/// it first has to be waited for, so an attempt that need not wait costs no registration. `Handle`
/// is Asio's class for it. Not thread-safe.
template <class Executor, class Handle = asio::posix::basic_stream_descriptor<Executor>>
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) noexcept : fd_(fd) {}
    /// No wait may be pending.
    Descriptor(Descriptor&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)),
          maker_(other.maker_),
          handle_(std::exchange(other.handle_, std::nullopt)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        close();
        fd_ = std::exchange(other.fd_, -1);
        maker_ = other.maker_;
        handle_ = std::exchange(other.handle_, std::nullopt);
        return *this;
    }
    ~Descriptor() {
        if (is_open()) close();
    }

    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

    /// Takes over `fd`, and closes the descriptor that was owned before.
    void reset(int fd) noexcept {
        close();
        own(fd);
    }

    using Wait = Handle; // for its wait_read and wait_write

    /// Starts waiting until the descriptor is ready; one wait at a time for each direction. An
    /// error means that the event loop could not register the descriptor (ENOMEM, or ENOBUFS for
    /// epoll's ENOSPC); the handler has not been moved from then, and will not be called.
    template <class Handler>
    [[nodiscard]] std::error_code async_wait(typename Wait::wait_type what,
                                             const Executor& executor, Handler&& handler) {
        PROBEKIT_ASSERT(is_open());
        if (!handle_)
            if (const std::error_code error = register_with(executor)) return error;
        handle_->async_wait(what, std::forward<Handler>(handler));
        return {};
    }

    /// Ends the pending waits, whose handlers get operation_aborted.
    void cancel() noexcept {
        std::error_code ignored;
        if (handle_) handle_->cancel(ignored);
    }

    void close() noexcept {
        if (fd_ < 0) return;
        if (handle_) {
            // Asio takes a descriptor out of its event loop, which is the parent's: of a descriptor
            // that is closed the system finds nothing there.
            if (maker_.is_other() && shares_event_loops()) ::close(fd_);
            std::error_code ignored;
            handle_->close(ignored);
            handle_.reset();
        } else {
            ::close(fd_);
        }
        fd_ = -1;
    }

protected:
    void own(int fd) noexcept {
        fd_ = fd;
        maker_ = {};
    }

    /// Makes the handle, and calls `assign(handle, error)`, which has to give it the descriptor.
    template <class Assign>
    [[nodiscard]] std::error_code make_handle(const Executor& executor, Assign assign) {
        std::error_code error;
        // Asio allocates a record for each descriptor.
        if (const auto no_memory =
                try_allocating([&] { assign(handle_.emplace(executor), error); }))
            error = no_memory;
        // As many as one user may watch: a want of the prober's own, and no full disk.
        if (error.value() == ENOSPC) error = std::make_error_code(std::errc::no_buffer_space);
        if (error) handle_.reset();
        return error;
    }

    int fd_ = -1;
    MakerProcess maker_ = {};
    std::optional<Handle> handle_;

private:
    [[nodiscard]] std::error_code register_with(const Executor& executor) {
        return make_handle(executor, [this](Handle& handle, std::error_code& error) {
            if constexpr (requires { handle.assign(fd_, error); })
                handle.assign(fd_, error);
            else
                handle.assign(typename Handle::protocol_type{}, fd_, error);
        });
    }
};

} // namespace probekit::inline PROBEKIT_ABI::detail
