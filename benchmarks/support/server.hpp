// The servers that are probed: one thread, epoll, as plain as can be.
#pragma once

#include <netinet/in.h>

namespace bench {

// A listening socket at the address, on a free port if it names none; `where` then says which. The
// port is below those that the system gives to clients, as a service's is, or one of these.
enum class Port : bool { service, client };
[[nodiscard]] int listen_at(sockaddr_in& where, Port port = Port::service);

// Accepts, and waits for the peer to close. Never returns.
[[noreturn]] void serve_tcp(int listener);

// Answers every request with 200 and a short body, and closes. Never returns.
[[noreturn]] void serve_http(int listener);

} // namespace bench
