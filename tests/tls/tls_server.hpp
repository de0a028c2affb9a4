// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio/awaitable.hpp>
#include <asio/buffer.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/redirect_error.hpp>
#include <asio/ssl/context.hpp>
#include <asio/ssl/stream.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include "certificates.hpp"

/// A TLS server on a port that the system picks, on the test's own loop. Answers each request with
/// the same bytes, sends close_notify and closes, unless its settings say otherwise.
class TlsServer {
public:
    using Stream = asio::ssl::stream<asio::ip::tcp::socket>;
    using Behaviour = std::function<asio::awaitable<void>(TlsServer&, Stream&)>;

    TlsServer(
        asio::io_context& io, const Certificates::Pair& pair, std::string text = {},
        Behaviour what = [](TlsServer& server,
                            Stream& stream) { return server.answer_request(stream); })
        : answer(std::move(text)), io_(io), behaviour_(std::move(what)) {
        context.use_certificate_chain_file(pair.certificate);
        context.use_private_key_file(pair.key, asio::ssl::context::pem);
        SSL_CTX_set_alpn_select_cb(context.native_handle(), select_protocol, this);
        accept();
    }

    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    void stop() { acceptor_.close(); }

    asio::awaitable<void> answer_request(Stream& stream) {
        std::error_code error = co_await read_request(stream);
        auto token = asio::redirect_error(asio::use_awaitable, error);
        if (!error) co_await asio::async_write(stream, asio::buffer(answer), token);
        if (!error) co_await stream.async_shutdown(token);
        ending = error;
    }

    asio::awaitable<std::error_code> read_request(Stream& stream) {
        std::error_code error;
        std::string read;
        co_await asio::async_read_until(stream, asio::dynamic_buffer(read),
                                        std::string_view{"\r\n\r\n"},
                                        asio::redirect_error(asio::use_awaitable, error));
        request = std::move(read);
        co_return error;
    }

    asio::ssl::context context{asio::ssl::context::tls_server};
    std::string answer;
    int connections = 0;
    std::string request = {};       ///< the last one
    std::string name = {};          ///< the client sent (SNI)
    std::string protocols = {};     ///< the client offers (ALPN), as on the wire
    std::error_code handshake = {}; ///< how the last one ended
    std::error_code ending = {};    ///< of the last connection

private:
    static int select_protocol(SSL*, const unsigned char** chosen, unsigned char* size,
                               const unsigned char* offered, unsigned int offered_size,
                               void* self) {
        static_cast<TlsServer*>(self)->protocols.assign(reinterpret_cast<const char*>(offered),
                                                        offered_size);
        *chosen = offered + 1;
        *size = offered[0];
        return SSL_TLSEXT_ERR_OK;
    }

    void accept() {
        acceptor_.async_accept([this](std::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            ++connections;
            asio::co_spawn(io_, serve(std::move(socket)), asio::detached);
            accept();
        });
    }

    asio::awaitable<void> serve(asio::ip::tcp::socket socket) {
        Stream stream{std::move(socket), context};
        co_await stream.async_handshake(asio::ssl::stream_base::server,
                                        asio::redirect_error(asio::use_awaitable, handshake));
        const char* const sent =
            SSL_get_servername(stream.native_handle(), TLSEXT_NAMETYPE_host_name);
        name = sent != nullptr ? sent : "";
        if (!handshake) co_await behaviour_(*this, stream);
    }

    asio::io_context& io_;
    asio::ip::tcp::acceptor acceptor_{io_, {asio::ip::make_address("127.0.0.1"), 0}};
    Behaviour behaviour_;
};

/// Behaves like a TLS server until the client has sent something, then sends these bytes and
/// closes.
class RawServer {
public:
    RawServer(asio::io_context& io, std::string bytes, bool closes = true)
        : acceptor_(io, {asio::ip::make_address("127.0.0.1"), 0}),
          bytes_(std::move(bytes)),
          closes_(closes) {
        accept();
    }

    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    void stop() { acceptor_.close(); }

    bool resets = false;
    std::function<void()> asked = [] {};

private:
    void accept() {
        acceptor_.async_accept([this](std::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            auto session = std::make_shared<Session>(std::move(socket));
            session->socket.async_read_some(
                asio::buffer(session->bytes), [this, session](std::error_code, std::size_t) {
                    std::error_code ignored;
                    asio::write(session->socket, asio::buffer(bytes_), ignored);
                    asked();
                    if (resets) {
                        session->socket.set_option(asio::socket_base::linger(true, 0), ignored);
                        session->socket.close(ignored); // a destructor would not linger
                    }
                    if (!closes_ && !resets) drain(session);
                });
            accept();
        });
    }

    struct Session {
        explicit Session(asio::ip::tcp::socket from) : socket(std::move(from)) {}
        asio::ip::tcp::socket socket;
        char bytes[4096] = {};
    };

    static void drain(const std::shared_ptr<Session>& session) {
        session->socket.async_read_some(asio::buffer(session->bytes),
                                        [session](std::error_code error, std::size_t) {
                                            if (!error) drain(session);
                                        });
    }

    asio::ip::tcp::acceptor acceptor_;
    std::string bytes_;
    bool closes_;
};
