// The servers that are probed: one thread, epoll, as plain as can be.
#pragma once

#include <netinet/in.h>

namespace bench {

// A listening socket at the address, on a port of the system's choice if it names none; `where`
// then says which.
[[nodiscard]] int listen_at(sockaddr_in& where);

// Accepts, and waits for the peer to close. Never returns.
[[noreturn]] void serve_tcp(int listener);

// Answers every request with 200 and a short body, and closes. Never returns.
[[noreturn]] void serve_http(int listener);

} // namespace bench
