// Waits until something listens on a port: the exit status is 0 once it does, 1 if it does not in
// time.
//   wait_for_port HOST PORT [SECONDS]        30 seconds if none are given
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <asio/io_context.hpp>

#include <probekit/probes/tcp_probe.hpp>
#include <probekit/runtime/probe_worker.hpp>
#include <probekit/runtime/startup_gate.hpp>

using namespace std::chrono_literals;

int main(int argc, char** argv) {
    try {
        if (argc < 3) throw std::invalid_argument{"usage: wait_for_port HOST PORT [SECONDS]"};
        const int port = std::stoi(argv[2]);
        if (!std::in_range<std::uint16_t>(port))
            throw std::out_of_range{"port: must be between 1 and 65535"};
        const std::chrono::duration<double> limit{argc > 3 ? std::stod(argv[3]) : 30.0};

        asio::io_context io;
        probekit::StartupGate up{io};
        probekit::ProbeWorker worker{
            probekit::TcpProbe{io, {.host = argv[1], .port = static_cast<std::uint16_t>(port)}},
            probekit::ProbeSpec{.period = 200ms, .timeout = 1s}};
        worker.opens(up); // the gate is open while the worker finds its target well
        worker.start();

        bool is_up = false;
        up.async_wait([&](std::error_code error) {
            is_up = !error;
            worker.stop(); // nothing is left to do, so run_for() returns
        });
        io.run_for(std::chrono::duration_cast<std::chrono::nanoseconds>(limit));

        std::cout << argv[1] << ':' << port << (is_up ? " is up" : " is not up") << '\n';
        return is_up ? 0 : 1;
    } catch (const std::exception&
                 error) { // a mistake in the arguments: probekit::ConfigException names the field
        std::cerr << error.what() << '\n';
        return 2;
    }
}
