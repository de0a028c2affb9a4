// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <system_error>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>

#include <probekit/async/detail/client_ports.hpp>
#include <probekit/config.hpp>
#include <probekit/core/error.hpp>
#include <probekit/probes/detail/dial_target.hpp>
#include <probekit/probes/detail/stream_socket.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Sets the options that have to be set before connecting. Returns an errno.
[[nodiscard, gnu::always_inline]] inline int prepare_connect(
    int socket, const DialSettings& settings) noexcept {
    if (const asio::ip::address* const address = settings.source()) {
        const asio::ip::tcp::endpoint source{*address, 0};
        // bind() reports an address without a free port as one in use.
        if (::bind(socket, source.data(), static_cast<socklen_t>(source.size())) != 0)
            return errno == EADDRINUSE ? EADDRNOTAVAIL : errno;
    }
#if defined(TCP_QUICKACK)
    // A system that refuses it has a reset instead.
    if (const int off = 0; settings.close == TcpClose::silent)
        static_cast<void>(::setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off));
#endif
    return 0;
}

/// How connecting ended: an errno.
[[nodiscard]] inline int socket_error(int socket) noexcept {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

/// Whether the system has given a socket that connects to its own machine the very port that it
/// connects to, so that it is connected to itself.
[[nodiscard, gnu::noinline]] inline bool is_connected_to_itself(
    int socket, const asio::ip::tcp::endpoint& to) noexcept {
    asio::ip::tcp::endpoint local;
    auto size = static_cast<socklen_t>(local.capacity());
    if (::getsockname(socket, local.data(), &size) != 0 || local.port() != to.port()) return false;
    // "Any address" means this machine when it is dialled.
    return to.address().is_unspecified() || local.address() == to.address();
}

/// Opens a socket, which is closed, and connects it. Returns 0: it is connected; EINPROGRESS: once
/// it is writable its error says how that ended; otherwise an errno. `lock` returns what is held
/// while the socket is opened or closed. `waits`: whether it will have to be waited for.
///
/// A connection of a socket to itself shows that nobody listens. It is closed, and dialled again
/// up to two times, as Go does; Go would take the third for a success.
template <class Executor, class Lock>
[[nodiscard, gnu::always_inline]] inline int begin_connect(StreamSocket<Executor>& socket,
                                                           const Executor& io, Lock lock,
                                                           const asio::ip::tcp::endpoint& to,
                                                           const DialSettings& settings, bool waits,
                                                           ClientPorts& client_ports) noexcept {
    const auto* const address = to.data();
    const auto size = static_cast<socklen_t>(to.size());
    const bool is_near = to.address().is_loopback();
    for (int dials_left = 3;;) {
        {
            [[maybe_unused]] const auto& held = lock();
            const StreamProtocol protocol{to.protocol().family(), IPPROTO_TCP};
            const int error = waits || !is_near ? socket.open(protocol, io) : socket.open(protocol);
            if (error != 0) return error;
        }
        const int fd = socket.get();
        if (const int error = prepare_connect(fd, settings); error != 0) return error;
        int error = ::connect(fd, address, size) == 0 ? 0 : errno;
        // On loopback the handshake is over by now, and a second connect() says how it ended: no
        // round trip through the event loop.
        if (error == EINPROGRESS && is_near) {
            error = ::connect(fd, address, size) == 0 || errno == EISCONN ? 0 : errno;
            if (error == EALREADY) error = EINPROGRESS;
        }
        if (error != 0 && error != EINPROGRESS) return error;
        if (!client_ports.contain(to.port()) || !is_connected_to_itself(fd, to)) return error;
        reset_on_close(fd);
        [[maybe_unused]] const auto& held = lock();
        socket.close();
        if (--dials_left == 0) return ECONNREFUSED;
    }
}

/// What a failed connect means. No local address, a source address that is not this machine's and
/// no local port have the same errno, and only the last is a want that passes by itself. Datagrams
/// have ports of their own.
[[nodiscard, gnu::noinline, gnu::cold]] inline std::error_code connect_error(
    int error, const asio::ip::tcp::endpoint& to, const DialSettings& settings) noexcept {
    const std::error_code code{error, std::system_category()};
    if (error != EADDRNOTAVAIL) return code;
    const int datagrams = ::socket(to.protocol().family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (datagrams < 0) return code;
    const asio::ip::address* const address = settings.source();
    const asio::ip::tcp::endpoint source =
        address != nullptr ? asio::ip::tcp::endpoint{*address, 0} : asio::ip::tcp::endpoint{};
    const auto& asked = address != nullptr ? source : to;
    const auto call = address != nullptr ? &::bind : &::connect;
    const bool has_no_address =
        call(datagrams, asked.data(), static_cast<socklen_t>(asked.size())) != 0 &&
        errno == EADDRNOTAVAIL;
    ::close(datagrams);
    if (!has_no_address) return code;
    return address != nullptr ? Errc::no_source_address : Errc::no_local_address;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
