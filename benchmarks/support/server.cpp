#include <support/server.hpp>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {
namespace {

constexpr std::string_view response =
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

// `ready` is called for each connection that has sent something; true: it is done with.
template <class Ready>
[[noreturn]] void serve(int listener, Ready ready) {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event wanted = {.events = EPOLLIN, .data = {.fd = listener}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &wanted);
    for (;;) {
        epoll_event events[128];
        const int count = ::epoll_pwait(epoll, events, 128, -1, nullptr);
        for (int i = 0; i < count; ++i) {
            const int fd = events[i].data.fd;
            if (fd != listener) {
                if (ready(fd)) ::close(fd);
                continue;
            }
            for (;;) {
                const int accepted =
                    ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (accepted < 0) break;
                wanted.data.fd = accepted;
                ::epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &wanted);
            }
        }
    }
}

} // namespace

int listen_at(sockaddr_in& where, Port port) {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    socklen_t size = sizeof where;
    const auto bound = [&] {
        return ::bind(listener, reinterpret_cast<const sockaddr*>(&where), size) == 0;
    };
    bool is_bound = false;
    if (where.sin_port != 0 || port == Port::client) {
        is_bound = bound();
    } else {
        // The process's number, so that programs that begin at once do not try the same ports.
        for (int tries = 0; !is_bound && tries != 1000; ++tries) {
            where.sin_port =
                htons(static_cast<std::uint16_t>(20000 + (::getpid() + tries) % 12000));
            is_bound = bound();
        }
    }
    if (!is_bound || ::listen(listener, 65535) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&where), &size) != 0) {
        std::perror("listen");
        std::exit(1);
    }
    return listener;
}

void serve_tcp(int listener) {
    serve(listener, [](int fd) {
        char dropped[64];
        return ::recv(fd, dropped, sizeof dropped, 0) <= 0;
    });
}

void serve_http(int listener) {
    serve(listener, [](int fd) {
        char request[4096];
        if (::recv(fd, request, sizeof request, 0) > 0)
            static_cast<void>(::send(fd, response.data(), response.size(), MSG_NOSIGNAL));
        return true;
    });
}

} // namespace bench
