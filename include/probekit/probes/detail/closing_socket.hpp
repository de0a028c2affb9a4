// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <system_error>
#include <utility>

#include <sys/socket.h>

#include <asio/socket_base.hpp>

#include <probekit/async/detail/block_pool.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/op_memory.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/probes/detail/dial.hpp>
#include <probekit/probes/detail/stream_socket.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A connection whose verdict has been given, and whose peer is about to close it, as it was asked
/// to. Closed with a reset once the peer has: then neither side keeps a TIME_WAIT and the peer sees
/// no reset. A peer that takes too long, or goes on sending, sees one. Owns itself; in the
/// context's pool.
template <class IoExecutor>
class ClosingSocket final : public RefCounted<ClosingSocket<IoExecutor>>, public WheelNode {
public:
    /// Takes the socket over, or closes it if it cannot be waited for.
    static void close(StreamSocket<IoExecutor>&& socket, const IoExecutor& io,
                      const Ref<Wheel>& wheel) {
        if (has_ended(socket.get())) return reset(socket);
        void* const memory = wheel->context().pool().try_allocate(sizeof(ClosingSocket));
        if (memory == nullptr) return reset(socket);
        const Ref<ClosingSocket> closing{::new (memory)
                                             ClosingSocket(std::move(socket), io, wheel)};
        const std::lock_guard lock{closing->mutex_};
        wheel->arm(*closing, saturating_add(wheel->now(), grace));
        closing->wait();
    }

    void destroy() noexcept {
        const Ref<Wheel> wheel = wheel_;
        this->~ClosingSocket();
        wheel->context().pool().deallocate(this, sizeof(ClosingSocket));
    }

private:
    static constexpr Duration grace = std::chrono::milliseconds{50};
    static constexpr std::size_t most_drained = 64 * 1024; // of a body that was cut off

    ClosingSocket(StreamSocket<IoExecutor>&& socket, const IoExecutor& io, const Ref<Wheel>& wheel)
        : WheelNode(hooks), io_(io), wheel_(wheel), socket_(std::move(socket)) {}
    // Closed, or dropped with its context before or after the wheel.
    ~ClosingSocket() { wheel_->disarm(*this); }

    struct Readable {
        using allocator_type = OpAllocator<void>;
        Ref<ClosingSocket> closing;
        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return allocator_type{closing->op_memory_};
        }
        void operator()(std::error_code error) {
            const std::lock_guard lock{closing->mutex_};
            if (error || closing->is_over_ || closing->has_ended(closing->socket_.get()))
                closing->end();
            else
                closing->wait();
        }
    };

    // Both under the mutex: the deadline comes from another thread.
    void wait() {
        if (++waits_ > most_waits ||
            socket_.async_wait(asio::socket_base::wait_read, io_, Readable{Ref{this}}))
            end();
    }
    void end() noexcept {
        is_over_ = true;
        reset(socket_);
        wheel_->disarm(*this);
    }

    static void reset(StreamSocket<IoExecutor>& socket) noexcept {
        reset_on_close(socket.get());
        socket.close();
    }

    /// Drains what is there. True at the end of the stream, or if there is no use in waiting for
    /// it.
    [[nodiscard]] static bool has_ended(int socket) noexcept {
        char dropped[4096];
        for (std::size_t drained = 0; drained < most_drained;) {
            const ssize_t got = ::recv(socket, dropped, sizeof dropped, MSG_DONTWAIT);
            if (got < 0) return errno != EAGAIN && errno != EINTR;
            if (got == 0) return true;
            drained += static_cast<std::size_t>(got);
        }
        return true;
    }

    static constexpr int most_waits = 16;

    static inline const WheelHooks hooks{
        .retain = [](WheelNode& node) noexcept { static_cast<ClosingSocket&>(node).retain(); },
        .fire =
            [](WheelNode& node) {
                const auto closing = Ref<ClosingSocket>::adopt(&static_cast<ClosingSocket&>(node));
                const std::lock_guard lock{closing->mutex_};
                closing->is_over_ = true;
                closing->socket_.cancel(); // the step that comes then ends it
            },
    };

    IoExecutor io_;
    Ref<Wheel> wheel_;
    Mutex mutex_;
    OpMemory op_memory_;
    StreamSocket<IoExecutor> socket_;
    int waits_ = 0;
    bool is_over_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
