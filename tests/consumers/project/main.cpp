#include <chrono>
#include <iostream>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include <probekit/kubernetes/probe_json.hpp>
#include <probekit/probekit.hpp>

int worst_case_seconds(const probekit::ProbeSpec& spec); // other.cpp

// Watches a port of its own with a probe that a manifest describes: it is up, then it is not any
// more.
int main() {
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};

    const nlohmann::json manifest = {{"tcpSocket", {{"port", acceptor.local_endpoint().port()}}},
                                     {"period", "5ms"},
                                     {"failureThreshold", 1}};
    probekit::kubernetes::ReadOptions options;
    options.kind = probekit::ProbeKind::readiness;
    const auto read = probekit::kubernetes::read_probe(manifest, options);
    for (const auto& error : read.errors) std::cerr << error.message() << "\n";
    if (!read || worst_case_seconds(probekit::ProbeSpec{}) != 31) return 1;

    probekit::ProbeWorker worker{probekit::make_probe(io.get_executor(), read.settings),
                                 read.settings.spec};
    bool was_up = false;
    worker.on_verdict([&](const probekit::Verdict& verdict) {
        std::cout << verdict.reason() << "\n";
        if (verdict.passed()) {
            was_up = true;
            acceptor.close();
        } else {
            worker.stop();
        }
    });
    worker.start();
    io.run();
    return was_up && worker.health() == probekit::Health::failing ? 0 : 1;
}
