// What a probe costs at best: bare system calls and nothing else.
#pragma once

#include <support/load.hpp>

namespace bench {

// Non-blocking connect, epoll, close with a reset.
[[nodiscard]] Cost tcp_floor(const Load& load);

// GET with `Connection: close`, read to the end of the stream, close with a reset.
[[nodiscard]] Cost http_floor(const Load& load);

// clone(VM, VFORK, PIDFD) of /bin/true with two pipes, a process group of its own, signals as a
// login shell leaves them and no descriptor but three; its end by the pidfd, what is in the pipes,
// reaped.
[[nodiscard]] Cost exec_floor(const Load& load);

// fork() of /bin/true and a pidfd for it, and nothing else: what the size of the process does to
// it.
[[nodiscard]] Cost fork_floor(const Load& load);

[[nodiscard]] inline Cost floor_of(Kind kind, const Load& load) {
    switch (kind) {
    case Kind::tcp: return tcp_floor(load);
    case Kind::http: return http_floor(load);
    case Kind::exec: break;
    }
    return exec_floor(load);
}

} // namespace bench
