// Ports of this machine for tests.
#pragma once

#include <cerrno>
#include <cstdint>
#include <system_error>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace tools {

/// A port on 127.0.0.1 that nobody else gets: bound, and refusing connections until listen() is called.
class BoundPort {
public:
    BoundPort() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (fd_ < 0 || ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
            ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
            throw std::system_error{errno, std::generic_category()};
        port_ = ntohs(address.sin_port);
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
