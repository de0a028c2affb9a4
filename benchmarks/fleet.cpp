// Many targets watched for a while, as a load balancer or a monitor does: what peers.sh sets beside those. Prints the number
// of looks that passed and failed once it has been told to end, by SIGTERM.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <probekit/core/probe_spec.hpp>
#include <probekit/probes/http_get_probe.hpp>
#include <probekit/probes/tcp_probe.hpp>
#include <probekit/runtime/probe_worker.hpp>

#include <support/options.hpp>

namespace {

template <class Probe, class Action>
int watch(std::size_t count, const Action& action) {
    using namespace std::chrono_literals;
    asio::io_context io{1};
    const probekit::ProbeSpec spec{.period = 1s, .timeout = 1s, .pacing = {.spread = 1s}};
    std::vector<probekit::ProbeWorker<Probe>> workers;
    workers.reserve(count);
    for (std::size_t i = 0; i != count; ++i) workers.emplace_back(Probe{io, action}, spec).start();
    asio::signal_set stop{io, SIGTERM};
    stop.async_wait([&](const std::error_code&, int) { io.stop(); });
    io.run();
    std::uint64_t attempts = 0;
    std::size_t passing = 0;
    for (const auto& worker : workers) {
        attempts += worker.snapshot().attempts;
        passing += worker.passing() ? 1 : 0;
    }
    std::printf("%llu looks, %zu of %zu targets passing\n", static_cast<unsigned long long>(attempts), passing, count);
    return passing == count ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    const bench::Options options{argc, argv, "--kind=tcp|http --port=N [--host=A] [--targets=N]"};
    using Executor = asio::io_context::executor_type;
    const std::string host = options.text("host", "127.0.0.1");
    const auto port = static_cast<std::uint16_t>(options.number("port", 0));
    const std::size_t count = options.number("targets", 1000);
    if (options.text("kind", "tcp") == "http")
        return watch<probekit::BasicHttpGetProbe<Executor>>(
            count, probekit::HttpGetAction{.host = host, .port = port, .path = "/healthz"});
    return watch<probekit::BasicTcpProbe<Executor>>(count, probekit::TcpSocketAction{.host = host, .port = port});
}
