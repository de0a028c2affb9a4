// Many targets watched for a while, as a load balancer or a monitor does: what peers.sh sets beside
// those. Each is checked once a second until the program gets SIGTERM. Then it prints the
// number of attempts, and what commands took.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <probekit/core/probe_spec.hpp>
#include <probekit/probes/exec_probe.hpp>
#include <probekit/probes/http_get_probe.hpp>
#include <probekit/probes/tcp_probe.hpp>
#include <probekit/runtime/probe_worker.hpp>

#include <support/machine.hpp>
#include <support/meter.hpp>
#include <support/options.hpp>

namespace {

// `make` gives the probe of the target with that number, counted from 1.
template <class Make>
int watch(std::size_t count, Make make) {
    using namespace std::chrono_literals;
    using Probe = decltype(make(std::declval<asio::io_context&>(), count));
    asio::io_context io{1};
    const probekit::ProbeSpec spec{.period = 1s, .timeout = 1s, .pacing = {.spread = 1s}};
    std::vector<probekit::ProbeWorker<Probe>> workers;
    workers.reserve(count);
    for (std::size_t i = 1; i <= count; ++i) workers.emplace_back(make(io, i), spec).start();
    asio::signal_set stop{io, SIGTERM};
    stop.async_wait([&](const std::error_code&, int) { io.stop(); });
    io.run();
    std::uint64_t attempts = 0;
    std::size_t passing = 0;
    for (const auto& worker : workers) {
        attempts += worker.snapshot().attempts;
        passing += worker.passing() ? 1 : 0;
    }
    rusage children;
    ::getrusage(RUSAGE_CHILDREN, &children);
    std::printf("attempts %llu passing %zu targets %zu child_cpu_us %.0f child_kib %ld\n",
                static_cast<unsigned long long>(attempts), passing, count,
                bench::reading().children_us / static_cast<double>(attempts), children.ru_maxrss);
    return passing == count ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    const bench::Options options{argc, argv,
                                 "[--kind=tcp|http|exec] [--close=silent|reset|orderly|linger] "
                                 "[--port=N] [--command=WORDS] [--targets=N]"};
    using Executor = asio::io_context::executor_type;
    const auto port = static_cast<std::uint16_t>(options.number("port", 0));
    const std::size_t count = options.number("targets", 1000);
    const std::string kind = options.text("kind", "tcp");
    if (kind == "exec")
        return watch(count, [&](asio::io_context& io, std::size_t) {
            const std::string command = options.text("command", "true");
            return probekit::BasicExecProbe<Executor>{io, {.command = {"/bin/sh", "-c", command}}};
        });
    if (kind == "http")
        return watch(count, [&](asio::io_context& io, std::size_t number) {
            const std::string host = bench::address_of_target(number);
            return probekit::BasicHttpGetProbe<Executor>{
                io, {.host = host, .port = port, .path = "/healthz"}};
        });
    const probekit::TcpClose close = bench::way_to_close(options.text("close", "silent"));
    return watch(count, [&](asio::io_context& io, std::size_t number) {
        return probekit::BasicTcpProbe<Executor>{
            io, {.host = bench::address_of_target(number), .port = port}, {.close = close}};
    });
}
