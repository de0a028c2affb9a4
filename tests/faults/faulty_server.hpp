// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <sys/socket.h>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

/// The fault of a server.
struct Fault {
    /// How the connection goes on once `says` has been sent.
    enum class Then : std::uint8_t {
        waits,  ///< sends no more, and keeps the connection
        closes, ///< its side, and waits for the client's
        resets,
        repeats, ///< `again`, as fast as it can
        drips,   ///< `again`, byte by byte, a millisecond apart
    };
    std::string says = {};
    Then then = Then::waits;
    std::string again = {};
    bool before_request =
        false; ///< sends it when the client has connected; else when the client has sent something
};

/// A server on the test's own loop that has one fault. `port` 0: one that the system picks.
class FaultyServer {
public:
    FaultyServer(asio::io_context& io, Fault fault, std::uint16_t port = 0,
                 const char* address = "127.0.0.1")
        : acceptor_(io, {asio::ip::make_address(address), port}), fault_(std::move(fault)) {
        accept();
    }

    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    struct Session {
        explicit Session(asio::ip::tcp::socket from)
            : socket(std::move(from)), timer(socket.get_executor()) {}
        asio::ip::tcp::socket socket;
        asio::steady_timer timer;
        char request[4096] = {};
        std::size_t dripped = 0;
    };
    using Kept = std::shared_ptr<Session>;

    void accept() {
        acceptor_.async_accept([this](std::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            const Kept session = std::make_shared<Session>(std::move(socket));
            if (fault_.before_request)
                speak(session);
            else
                session->socket.async_read_some(
                    asio::buffer(session->request),
                    [this, session](std::error_code failed, std::size_t) {
                        if (!failed) speak(session);
                    });
            accept();
        });
    }

    void speak(const Kept& session) {
        asio::async_write(session->socket, asio::buffer(fault_.says),
                          [this, session](std::error_code failed, std::size_t) {
                              if (!failed) go_on(session);
                          });
    }

    void go_on(const Kept& session) {
        std::error_code ignored;
        switch (fault_.then) {
        case Fault::Then::closes:
            session->socket.shutdown(asio::socket_base::shutdown_send, ignored);
            break;
        case Fault::Then::waits: break;
        case Fault::Then::resets:
            session->socket.set_option(asio::socket_base::linger{true, 0}, ignored);
            session->socket.close(ignored);
            return;
        case Fault::Then::repeats:
            asio::async_write(session->socket, asio::buffer(fault_.again),
                              [this, session](std::error_code failed, std::size_t) {
                                  if (!failed) go_on(session);
                              });
            return;
        case Fault::Then::drips: drip(session); return;
        }
        session->socket.async_read_some(
            asio::buffer(session->request),
            [session](std::error_code, std::size_t) {}); // until the client closes
    }

    void drip(const Kept& session) {
        session->timer.expires_after(std::chrono::milliseconds{1});
        session->timer.async_wait([this, session](std::error_code) {
            const char& byte = fault_.again[session->dripped++ % fault_.again.size()];
            asio::async_write(session->socket, asio::buffer(&byte, 1),
                              [this, session](std::error_code failed, std::size_t) {
                                  if (!failed) drip(session);
                              });
        });
    }

    asio::ip::tcp::acceptor acceptor_;
    Fault fault_;
};
