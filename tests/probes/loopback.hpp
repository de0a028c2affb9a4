// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

/// A server on a port that the system picks, on the test's own loop. It answers each request with the same bytes, and
/// says how each connection ended for it.
class LoopbackServer {
public:
    explicit LoopbackServer(asio::io_context& io, std::string answer = {}, const char* address = "127.0.0.1")
        : acceptor_(io, {asio::ip::make_address(address), 0}), answer_(std::move(answer)) {
        accept();
    }

    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    void stop() { acceptor_.close(); }

    int connections = 0;
    std::string request = {};    ///< the last one
    std::error_code ending = {}; ///< what reading gave at the end of the last connection
    bool closes = true;          ///< after the answer, as it is asked to; else it waits for the client
    std::function<void()> asked = [] {};

private:
    struct Session {
        explicit Session(asio::ip::tcp::socket from) : socket(std::move(from)) {}
        asio::ip::tcp::socket socket;
        char bytes[4096] = {};
    };

    void accept() {
        acceptor_.async_accept([this](std::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            ++connections;
            read(std::make_shared<Session>(std::move(socket)));
            accept();
        });
    }

    void read(const std::shared_ptr<Session>& session) {
        session->socket.async_read_some(asio::buffer(session->bytes),
                                        [this, session](std::error_code error, std::size_t size) {
                                            if (error) {
                                                ending = error;
                                                return;
                                            }
                                            request.assign(session->bytes, size);
                                            asked();
                                            std::error_code ignored;
                                            asio::write(session->socket, asio::buffer(answer_), ignored);
                                            if (closes && !answer_.empty())
                                                session->socket.shutdown(asio::socket_base::shutdown_send, ignored);
                                            read(session);
                                        });
    }

    asio::ip::tcp::acceptor acceptor_;
    std::string answer_;
};

/// A port on which nothing listens, and nothing will while this lives.
class ClosedPort {
public:
    explicit ClosedPort(asio::io_context& io) : socket_(io, {asio::ip::make_address("127.0.0.1"), 0}) {}
    [[nodiscard]] std::uint16_t number() const { return socket_.local_endpoint().port(); }

private:
    asio::ip::tcp::socket socket_; // bound, not listening
};

/// A listener whose queue is full: connecting to it hangs.
class FullBacklog {
public:
    explicit FullBacklog(asio::io_context& io) : acceptor_(io), waiting_(io) {
        acceptor_.open(asio::ip::tcp::v4());
        acceptor_.bind({asio::ip::make_address("127.0.0.1"), 0});
        acceptor_.listen(0);
        waiting_.connect(acceptor_.local_endpoint());
    }
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    asio::ip::tcp::acceptor acceptor_;
    asio::ip::tcp::socket waiting_;
};
