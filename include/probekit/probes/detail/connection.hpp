// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include <sys/socket.h>

#include <probekit/config.hpp>
#include <probekit/core/result.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// What moving bytes over a connection gave, without waiting.
struct IoResult {
    enum class State : std::uint8_t {
        transferred, ///< `bytes` of them; of a handshake: it is complete
        wants_read,  ///< again, once the socket is readable
        wants_write, ///< again, once the socket is writable
        ended,       ///< the peer will send no more
        broken,      ///< the socket failed: `error` is an errno
        failed,      ///< the layer above the socket failed
    };

    State state = State::transferred;
    std::size_t bytes = 0;
    int error = 0;

    /// The error of a broken connection.
    [[nodiscard]] std::error_code code() const noexcept { return {error, std::system_category()}; }

    /// What a socket call gave, which would otherwise have blocked for `direction`.
    [[nodiscard]] static IoResult by_socket(ssize_t result, State direction) noexcept {
        if (result >= 0) return {State::transferred, static_cast<std::size_t>(result)};
        if (errno == EAGAIN || errno == EINTR) return {direction};
        return {State::broken, 0, errno};
    }
};

/// What carries HTTP over a connected socket.
template <class C>
concept Connection =
    std::default_initializable<C> &&
    requires(C connection, int socket, std::string_view bytes, std::span<char> room) {
        { C::has_tls } -> std::convertible_to<bool>;
        { connection.send(socket, bytes) } noexcept -> std::same_as<IoResult>;
        { connection.receive(socket, room) } noexcept -> std::same_as<IoResult>;
    };

/// A connection that can speak TLS to a Target.
template <class C, class Target>
concept SecureConnection = Connection<C> && C::has_tls &&
                           requires(C connection, const C& constant, const Target& target,
                                    int socket, ProbeResult& result) {
                               {
                                   connection.handshake(target, socket)
                               } noexcept -> std::same_as<IoResult>;
                               // Once an IoResult has been `failed`: why, and the same in Go's
                               // words.
                               { constant.cause() } -> std::same_as<std::error_code>;
                               { constant.why() } -> std::same_as<std::string>;
                               // Closes the layer above the socket, not the socket.
                               { connection.close() } noexcept;
                               // Adds what the connection knows about the target to the result of a
                               // finished exchange.
                               constant.review(result);
                           };

/// HTTP straight over the socket.
class PlainConnection {
public:
    static constexpr bool has_tls = false;

    [[nodiscard]] static IoResult send(int socket, std::string_view bytes) noexcept {
        return IoResult::by_socket(
            ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT),
            IoResult::State::wants_write);
    }

    [[nodiscard]] static IoResult receive(int socket, std::span<char> room) noexcept {
        const IoResult result = IoResult::by_socket(
            ::recv(socket, room.data(), room.size(), MSG_DONTWAIT), IoResult::State::wants_read);
        return result.state == IoResult::State::transferred && result.bytes == 0
                   ? IoResult{IoResult::State::ended}
                   : result;
    }
};

} // namespace probekit::inline PROBEKIT_ABI::detail
