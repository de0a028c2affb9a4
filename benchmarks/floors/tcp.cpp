#include <floors/floors.hpp>

#include <cerrno>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <support/meter.hpp>

namespace bench {
namespace {

void close_with_reset(int fd) {
    const linger reset = {.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::close(fd);
}

// False: it is over already.
bool begin(int epoll, const sockaddr_in& target) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int result = ::connect(fd, reinterpret_cast<const sockaddr*>(&target), sizeof target);
    if (result != 0 && errno == EINPROGRESS) {
        epoll_event wanted = {.events = EPOLLOUT, .data = {.fd = fd}};
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &wanted);
        return true;
    }
    ::close(fd);
    return false;
}

bool has_connected(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

} // namespace

Cost tcp_floor(const Load& load) {
    Meter meter{load};
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i != load.in_flight; ++i)
        while (!begin(epoll, load.target))
            if (meter.count(false)) return meter.cost();
    for (;;) {
        epoll_event events[128];
        const int count = ::epoll_wait(epoll, events, 128, -1);
        for (int i = 0; i < count; ++i) {
            const int fd = events[i].data.fd;
            bool passed = has_connected(fd);
            close_with_reset(fd);
            do {
                if (meter.count(passed)) return meter.cost();
                passed = false;
            } while (!begin(epoll, load.target));
        }
    }
}

} // namespace bench
