#include <floors/floors.hpp>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <support/meter.hpp>

namespace bench {
namespace {

constexpr std::string_view request =
    "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: floor\r\n"
    "Accept: */*\r\nConnection: close\r\n\r\n";
constexpr std::string_view good = "HTTP/1.1 200";

struct Exchange {
    int fd = -1;
    bool sent = false;
    bool answered = false;
};

void close_with_reset(int fd) {
    const linger reset = {.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::close(fd);
}

// False: it is over already. One registration serves both directions.
bool begin(int epoll, const sockaddr_in& target, Exchange& exchange, unsigned number) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    exchange = {.fd = fd};
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&target), sizeof target) == 0 ||
        errno == EINPROGRESS) {
        epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                              .data = {.u32 = number}};
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted);
        return true;
    }
    ::close(fd);
    return false;
}

enum class State { pending, passed, failed };

State go_on(Exchange& exchange, unsigned events) {
    if (!exchange.sent) {
        exchange.sent = true;
        const ssize_t sent = ::send(exchange.fd, request.data(), request.size(), MSG_NOSIGNAL);
        return sent == static_cast<ssize_t>(request.size()) ? State::pending : State::failed;
    }
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) == 0) return State::pending;
    for (;;) {
        char buffer[16384];
        const ssize_t got = ::recv(exchange.fd, buffer, sizeof buffer, 0);
        if (got == 0) return exchange.answered ? State::passed : State::failed;
        if (got < 0) return errno == EAGAIN ? State::pending : State::failed;
        if (!exchange.answered) {
            if (got < static_cast<ssize_t>(good.size()) ||
                std::memcmp(buffer, good.data(), good.size()) != 0)
                return State::failed;
            exchange.answered = true;
        }
        if ((events & EPOLLRDHUP) == 0)
            return State::pending; // the end of the stream will be reported
    }
}

} // namespace

Cost http_floor(const Load& load) {
    Meter meter{load};
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<Exchange> exchanges(load.in_flight);
    for (unsigned i = 0; i != load.in_flight; ++i)
        while (!begin(epoll, load.target, exchanges[i], i))
            if (meter.count(false)) return meter.cost();
    for (;;) {
        epoll_event events[128];
        const int count = ::epoll_wait(epoll, events, 128, -1);
        for (int i = 0; i < count; ++i) {
            const unsigned number = events[i].data.u32;
            const State state = go_on(exchanges[number], events[i].events);
            if (state == State::pending) continue;
            close_with_reset(exchanges[number].fd);
            bool passed = state == State::passed;
            do {
                if (meter.count(passed)) return meter.cost();
                passed = false;
            } while (!begin(epoll, load.target, exchanges[number], number));
        }
    }
}

} // namespace bench
