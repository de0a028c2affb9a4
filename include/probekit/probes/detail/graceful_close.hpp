// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <new>
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
#include <probekit/probes/detail/stream_socket.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Closes a connection that the probe needs no more and the peer is about to close, as it was asked
/// to: waits for the peer's end of stream, then closes with a reset. Then neither side keeps a
/// TIME_WAIT and the peer sees no reset. A peer that takes longer than 50 ms, or goes on sending,
/// sees one. The object owns itself and lies in the context's pool.
template <class IoExecutor>
class GracefulClose final : public RefCounted<GracefulClose<IoExecutor>>, public WheelNode {
public:
    /// Takes the socket over; resets the connection at once if it cannot be waited for.
    static void start(StreamSocket<IoExecutor>&& socket, const IoExecutor& io,
                      const Ref<Wheel>& wheel) {
        if (has_ended(socket.get())) return reset(socket);
        void* const memory = wheel->context().pool().try_allocate(sizeof(GracefulClose));
        if (memory == nullptr) return reset(socket);
        const Ref<GracefulClose> closing{::new (memory)
                                             GracefulClose(std::move(socket), io, wheel)};
        const std::lock_guard lock{closing->mutex_};
        wheel->arm(*closing, saturating_add(wheel->now(), grace));
        closing->wait();
    }

    void destroy() noexcept {
        const Ref<Wheel> wheel = wheel_;
        this->~GracefulClose();
        wheel->context().pool().deallocate(this, sizeof(GracefulClose));
    }

private:
    static constexpr Duration grace = std::chrono::milliseconds{50};
    static constexpr std::size_t most_drained =
        std::size_t{64} * 1024; // bytes of a body that is not wanted

    GracefulClose(StreamSocket<IoExecutor>&& socket, const IoExecutor& io, const Ref<Wheel>& wheel)
        : WheelNode(hooks), io_(io), wheel_(wheel), socket_(std::move(socket)) {}
    // Closed, or destroyed with its context, before or after the wheel is shut down.
    ~GracefulClose() { wheel_->disarm(*this); }

    struct Readable {
        using allocator_type = OpAllocator<void>;
        Ref<GracefulClose> closing;
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

    // Both are called under the mutex: the deadline may fire on another thread.
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

    /// Drains what can be read now. True at the end of the stream, or if waiting for it is no use.
    [[nodiscard]] static bool has_ended(int socket) noexcept {
        char discarded[4096];
        for (std::size_t drained = 0; drained < most_drained;) {
            const ssize_t size = ::recv(socket, discarded, sizeof discarded, MSG_DONTWAIT);
            if (size < 0) return errno != EAGAIN && errno != EINTR;
            if (size == 0) return true;
            drained += static_cast<std::size_t>(size);
        }
        return true;
    }

    static constexpr int most_waits = 16;

    static inline const WheelHooks hooks{
        .retain = [](WheelNode& node) noexcept { static_cast<GracefulClose&>(node).retain(); },
        .fire =
            [](WheelNode& node) {
                const auto closing = Ref<GracefulClose>::adopt(&static_cast<GracefulClose&>(node));
                const std::lock_guard lock{closing->mutex_};
                closing->is_over_ = true;
                closing->socket_.cancel(); // its step comes then and closes it
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
