// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>

/// Takes connections on a port of the system's choice, and answers each with `answer` (empty: not
/// at all).
class Server {
public:
    explicit Server(asio::io_context& io, std::string answer = {})
        : acceptor_(io, {asio::ip::address_v4::loopback(), 0}), answer_(std::move(answer)) {
        accept();
    }

    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    [[nodiscard]] int taken() const noexcept { return taken_; }
    void answer(std::string text) { answer_ = std::move(text); }
    void close() {
        std::error_code ignored;
        acceptor_.close(ignored);
        silent_.clear();
    }

private:
    struct Connection {
        asio::ip::tcp::socket socket;
        std::string data = {};
    };

    void accept() {
        acceptor_.async_accept([this](std::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            ++taken_;
            auto connection = std::make_shared<Connection>(Connection{std::move(socket)});
            asio::async_read_until(
                connection->socket, asio::dynamic_buffer(connection->data), "\r\n\r\n",
                [this, connection](std::error_code failed, std::size_t) {
                    if (failed) return;
                    if (answer_.empty()) return silent_.push_back(connection);
                    connection->data = answer_;
                    asio::async_write(connection->socket, asio::buffer(connection->data),
                                      [connection](std::error_code, std::size_t) {});
                });
            accept();
        });
    }

    asio::ip::tcp::acceptor acceptor_;
    std::string answer_;
    std::vector<std::shared_ptr<Connection>> silent_ = {};
    int taken_ = 0;
};

inline const std::string ok_answer =
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
inline const std::string sick_answer =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\nConnection: close\r\n\r\nsick";

/// A port without a listener.
[[nodiscard]] inline std::uint16_t closed_port(asio::io_context& io) {
    asio::ip::tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
    return acceptor.local_endpoint().port();
}

/// Runs the context until `done`, or for half a minute: then what was waited for does not come.
/// True if done.
inline bool run_until(asio::io_context& io, const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!done() && std::chrono::steady_clock::now() < end) {
        io.restart();
        io.run_one_for(std::chrono::seconds{1});
    }
    return done();
}

/// Runs the context until it has no more work. False if that takes half a minute.
inline bool run_out(asio::io_context& io) {
    io.restart();
    io.run_for(std::chrono::seconds{30});
    return io.stopped();
}
