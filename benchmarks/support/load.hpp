// What one side of a comparison is asked to do, and what it cost.
#pragma once

#include <cstdint>

#include <netinet/in.h>

#include <probekit/core/actions.hpp>

namespace bench {

enum class Kind : std::uint8_t { tcp, http, exec };

struct Load {
    sockaddr_in target = {}; // of tcp and http
    std::uint64_t count = 1000;
    std::uint64_t warm_up = 200; // before the count begins
    unsigned in_flight = 64;
    bool locking =
        false; // the context takes Asio's locks, which a program with one thread can do without
    probekit::TcpClose close = probekit::TcpClose::reset;
};

// CPU time is this process's own, children excluded.
struct Cost {
    std::uint64_t probes = 0;
    std::uint64_t failures = 0;
    std::uint64_t allocations = 0;
    double user_us = 0;
    double system_us = 0;
    double wall_us = 0;
    double waiting_us = 0; // in epoll_wait(): the event loop was free
    double children_us = 0;

    [[nodiscard]] double cpu_each() const {
        return (user_us + system_us) / static_cast<double>(probes);
    }
    [[nodiscard]] double wall_each() const { return wall_us / static_cast<double>(probes); }
    [[nodiscard]] double busy_each() const {
        return (wall_us - waiting_us) / static_cast<double>(probes);
    }
    [[nodiscard]] double children_each() const { return children_us / static_cast<double>(probes); }
};

} // namespace bench
