// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <system_error>

#include <sys/socket.h>

#include <asio/basic_stream_socket.hpp>
#include <asio/generic/basic_endpoint.hpp>

#include <probekit/async/detail/descriptor.hpp>
#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Stream sockets that no child inherits and no call blocks on. Asio's own protocols set neither
/// flag.
class StreamProtocol {
public:
    using endpoint = asio::generic::basic_endpoint<StreamProtocol>;

    StreamProtocol() = default; ///< for a socket that is open already
    StreamProtocol(int family, int protocol) noexcept : family_(family), protocol_(protocol) {}

    [[nodiscard]] int type() const noexcept { return SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC; }
    [[nodiscard]] int family() const noexcept { return family_; }
    [[nodiscard]] int protocol() const noexcept { return protocol_; }

private:
    int family_ = AF_UNSPEC;
    int protocol_ = 0;
};

/// A stream socket, closed until open() is called.
template <class Executor>
class StreamSocket
    : public Descriptor<Executor, asio::basic_stream_socket<StreamProtocol, Executor>> {
public:
    /// Returns an errno.
    [[nodiscard]] int open(const StreamProtocol& protocol) noexcept {
        this->own(above_standard_streams(
            ::socket(protocol.family(), protocol.type(), protocol.protocol())));
        return this->is_open() ? 0 : errno;
    }

    /// The same for a socket that will have to be waited for: Asio then knows that it is the only
    /// owner, and takes the socket out of the event loop by closing it, without another system
    /// call. If the loop cannot take it, the wait will fail.
    [[nodiscard]] int open(const StreamProtocol& protocol, const Executor& executor) noexcept {
        const std::error_code refused = this->make_handle(
            executor, [&](auto& socket, std::error_code& error) { socket.open(protocol, error); });
        if (!refused && this->handle_->native_handle() <= 2) this->handle_.reset();
        if (!this->handle_) return open(protocol);
        this->own(this->handle_->native_handle());
        return 0;
    }
};

/// Makes close() wait so long for the peer to take what was sent; with 0 it sends a reset at once.
inline void linger_on_close(int socket, int seconds) noexcept {
    const linger on{.l_onoff = 1, .l_linger = seconds};
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &on, sizeof on);
}

inline void reset_on_close(int socket) noexcept { linger_on_close(socket, 0); }

/// Sets what close() does. After a reset neither side keeps a TIME_WAIT, and close() never blocks;
/// a peer that has closed its side sees no reset.
inline void prepare_close(int socket, TcpClose how) noexcept {
    if (how != TcpClose::orderly) linger_on_close(socket, how == TcpClose::linger ? 1 : 0);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
