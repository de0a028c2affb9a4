// Ports of this machine for tests.
#pragma once

#include <cerrno>
#include <cstdint>
#include <random>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tools {

/// A port on 127.0.0.1 that no other program gets: bound, and refusing connections until listen() is
/// called.
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

} // namespace tools
