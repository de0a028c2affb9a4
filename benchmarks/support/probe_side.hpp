// The library's side of a comparison: attempts by ProbeWorkers, as many in flight at once as the
// floor has.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include <arpa/inet.h>

#include <asio/io_context.hpp>

#include <probekit/core/observer.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/probes/exec_probe.hpp>
#include <probekit/probes/http_get_probe.hpp>
#include <probekit/probes/tcp_probe.hpp>
#include <probekit/runtime/probe_worker.hpp>

#include <support/load.hpp>
#include <support/meter.hpp>

namespace bench {

// Counts attempts, and ends the loop with the last.
struct Counting {
    void attempt_ended(const probekit::AttemptEnded& ended) {
        if (meter.count(!ended.error && ended.result.passed())) io.stop();
    }

    Meter& meter;
    asio::io_context& io;
};

[[nodiscard]] inline std::string dotted(const sockaddr_in& target) {
    char text[INET_ADDRSTRLEN];
    return ::inet_ntop(AF_INET, &target.sin_addr, text, sizeof text);
}

// `make` gives the probe of one worker. Its period is over at once, so it checks again as soon as
// an attempt has ended.
template <class Make>
[[nodiscard]] Cost probe_side(const Load& load, Make make) {
    using Probe = decltype(make(std::declval<asio::io_context&>()));
    using Worker =
        probekit::ProbeWorker<Probe, probekit::KubeletPolicy, std::reference_wrapper<Counting>>;

    asio::io_context io{load.locking ? ASIO_CONCURRENCY_HINT_DEFAULT
                                     : ASIO_CONCURRENCY_HINT_UNSAFE_IO};
    Meter meter{load};
    Counting counting{meter, io};
    const probekit::ProbeSpec spec{.period = std::chrono::microseconds{1},
                                   .timeout = std::chrono::seconds{10}};
    std::deque<Worker> workers;
    for (unsigned i = 0; i != load.in_flight; ++i)
        workers.emplace_back(make(io), spec, std::ref(counting)).start();
    io.run();
    return meter.cost();
}

// With the io_context's own executor type, or with the type-erased one that the short names have.
template <class Executor>
[[nodiscard]] Cost probe_of(Kind kind, const Load& load) {
    const std::string host = dotted(load.target);
    const std::uint16_t port = ntohs(load.target.sin_port);
    switch (kind) {
    case Kind::tcp:
        return probe_side(load, [&](asio::io_context& io) {
            return probekit::BasicTcpProbe<Executor>{
                io, {.host = host, .port = port}, {.close = load.close}};
        });
    case Kind::http:
        return probe_side(load, [&](asio::io_context& io) {
            return probekit::BasicHttpGetProbe<Executor>{
                io, {.host = host, .port = port, .path = "/healthz"}};
        });
    case Kind::exec: break;
    }
    return probe_side(load, [](asio::io_context& io) {
        return probekit::BasicExecProbe<Executor>{io, {.command = {"/bin/true"}}};
    });
}

} // namespace bench
