// Ports and servers of this machine for tests.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

namespace tools {

/// A port on 127.0.0.1 that no other program gets: bound, and refusing connections until listen()
/// is called.
class BoundPort {
public:
    BoundPort() {
        std::random_device random;
        for (int tries = 0; tries != 100; ++tries) {
            // Below the ports that the system gives to clients: a probe's own connection could take
            // those.
            port_ = static_cast<std::uint16_t>(20000 + random() % 10000);
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_port = htons(port_);
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
                return;
            if (errno != EADDRINUSE) break;
        }
        throw std::system_error{errno, std::generic_category()};
    }
    BoundPort(BoundPort&& other) noexcept : fd_(std::exchange(other.fd_, -1)), port_(other.port_) {}
    BoundPort& operator=(BoundPort&&) = delete;
    ~BoundPort() { release(); }

    [[nodiscard]] std::uint16_t number() const noexcept { return port_; }
    [[nodiscard]] int descriptor() const noexcept { return fd_; }

    void listen() {
        if (::listen(fd_, 64) != 0) throw std::system_error{errno, std::generic_category()};
    }

    /// Gives the port up, for the program under test to take.
    void release() noexcept {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

private:
    int fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::uint16_t port_ = 0;
};

/// A server on a port that the system picks, on the test's own loop. It answers each request with
/// the same bytes, and records how each connection ended.
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
    std::error_code ending = {}; ///< how the last connection ended
    int resets = 0;              ///< how many connections the client has reset
    bool closes = true; ///< after the response, as the request asks; else it waits for the client
    /// Closes both directions at once; else it reads on, and sees how the client closes.
    bool hangs_up = false;
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

/// How many sockets of this thread's network have this port on either side, and are in the state
/// that the system's tables show by this number.
inline int sockets_in_state(std::uint16_t port, const std::string& number) {
    char wanted[8];
    std::snprintf(wanted, sizeof wanted, ":%04X", port);
    int found = 0;
    for (const char* const name : {"/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"}) {
        std::ifstream table{name};
        for (std::string line; std::getline(table, line);)
            if (line.find(wanted) != std::string::npos &&
                line.find(" " + number + " ") != std::string::npos)
                ++found;
    }
    return found;
}

inline int in_time_wait(std::uint16_t port) { return sockets_in_state(port, "06"); }
/// Connections that wait for an answer.
inline int in_syn_sent(std::uint16_t port) { return sockets_in_state(port, "02"); }

/// A listener whose queue is full: connecting to it hangs.
class FullBacklog {
public:
    /// `port` 0: one that the system picks.
    explicit FullBacklog(asio::io_context& io, const char* address = "127.0.0.1",
                         std::uint16_t port = 0)
        : acceptor_(io), waiting_(io) {
        const asio::ip::tcp::endpoint where{asio::ip::make_address(address), port};
        acceptor_.open(where.protocol());
        acceptor_.set_option(asio::socket_base::reuse_address{true});
        acceptor_.bind(where);
        acceptor_.listen(0);
        waiting_.connect(acceptor_.local_endpoint());
    }
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    asio::ip::tcp::acceptor acceptor_;
    asio::ip::tcp::socket waiting_;
};

} // namespace tools
