// Keeps the set of backends that may get traffic, as a load balancer would, and prints it whenever
// it changes.
//   backend_set HOST:PORT...        until SIGINT or SIGTERM
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <list>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <probekit/probes/tcp_probe.hpp>
#include <probekit/runtime/probe_worker.hpp>

using namespace std::chrono_literals;

/// In after two good checks, out after three bad ones: one lost packet throws no backend out.
const probekit::ProbeSpec readiness{.kind = probekit::ProbeKind::readiness,
                                    .period = 500ms,
                                    .timeout = 250ms,
                                    .success_threshold = 2};

probekit::TcpSocketAction parse(const std::string& address) {
    const std::size_t colon = address.rfind(':');
    if (colon == std::string::npos)
        throw std::invalid_argument{"not of the form HOST:PORT: " + address};
    const int port = std::stoi(address.substr(colon + 1));
    if (!std::in_range<std::uint16_t>(port))
        throw std::out_of_range{"port: must be between 1 and 65535"};
    return {.host = address.substr(0, colon), .port = static_cast<std::uint16_t>(port)};
}

int main(int argc, char** argv) {
    try {
        asio::io_context io;
        std::set<std::string> ready;
        std::list<probekit::ProbeWorker<probekit::TcpProbe>> workers;
        for (int i = 1; i < argc; ++i) {
            const std::string address = argv[i];
            auto& worker = workers.emplace_back(probekit::TcpProbe{io, parse(address)}, readiness);
            worker.on_verdict([&ready, address](const probekit::Verdict& verdict) {
                if (verdict.passed())
                    ready.insert(address);
                else
                    ready.erase(address);
                std::cout << address << ": " << verdict.reason() << "; ready:";
                for (const std::string& one : ready) std::cout << ' ' << one;
                std::cout << std::endl;
            });
            worker.start();
        }
        asio::signal_set signals{io, SIGINT, SIGTERM};
        signals.async_wait([&](std::error_code, int) { workers.clear(); });
        io.run();
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 2;
    }
}
