// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

/// A server on a port that the system picks, on the test's own loop. It answers each request with
/// the same bytes, and says how each connection ended for it.
class LoopbackServer {
public:
    explicit LoopbackServer(asio::io_context& io, std::string answer = {},
                            const char* address = "127.0.0.1")
        : acceptor_(io, {asio::ip::make_address(address), 0}), answer_(std::move(answer)) {
        accept();
    }

    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    void stop() { acceptor_.close(); }

    int connections = 0;
    std::string request = {};    ///< the last one
    std::error_code ending = {}; ///< what reading gave at the end of the last connection
    int resets = 0;              ///< how many connections were reset, as far as it has seen
    bool closes = true; ///< after the answer, as it is asked to; else it waits for the client
    bool hangs_up =
        false; ///< when it closes it is gone; else it reads on, and sees what comes then
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
        session->socket.async_read_some(
            asio::buffer(session->bytes), [this, session](std::error_code error, std::size_t size) {
                if (error) return end(error);
                request.assign(session->bytes, size);
                asked();
                std::error_code broken;
                asio::write(session->socket, asio::buffer(answer_), broken);
                if (closes && !answer_.empty())
                    session->socket.shutdown(asio::socket_base::shutdown_send, broken);
                if (closes && hangs_up) return end(broken);
                read(session);
            });
    }

    void end(std::error_code error) {
        ending = error;
        if (error == asio::error::connection_reset || error == asio::error::broken_pipe) ++resets;
    }

    asio::ip::tcp::acceptor acceptor_;
    std::string answer_;
};

/// How many sockets with this port on either side are in TIME_WAIT.
inline int in_time_wait(std::uint16_t port) {
    char wanted[8];
    std::snprintf(wanted, sizeof wanted, ":%04X", port);
    std::ifstream table{"/proc/net/tcp"};
    int waiting = 0;
    for (std::string line; std::getline(table, line);)
        if (line.find(wanted) != std::string::npos && line.find(" 06 ") != std::string::npos)
            ++waiting;
    return waiting;
}

/// A port on which nothing listens, and nothing will while this lives.
class ClosedPort {
public:
    explicit ClosedPort(asio::io_context& io)
        : socket_(io, {asio::ip::make_address("127.0.0.1"), 0}) {}
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
