// Keeps a command running that answers by TCP: supervise_child PORT COMMAND [ARGUMENTS...]
#include <chrono>
#include <cstdlib>
#include <iostream>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <probekit/probekit.hpp>

int main(int argc, char** argv) {
    using namespace probekit;
    using namespace std::chrono_literals;
    if (argc < 3) return std::cerr << "usage: supervise_child PORT COMMAND [ARGUMENTS...]\n", 2;
    try {
        asio::io_context io;
        const TcpProbe probe{io, {.port = static_cast<std::uint16_t>(std::atoi(argv[1]))}};
        SupervisedProcess child{io, {.command = {argv + 2, argv + argc}}};
        child.probe(ProbeKind::startup, probe, {.period = 100ms, .failure_threshold = 300});
        child.probe(ProbeKind::liveness, probe, {.period = 1s});
        child.on_change([](const SupervisionChange& change) {
            std::cout << to_string(change.event) << ": " << change.reason() << std::endl;
        });
        child.start();

        asio::signal_set signals{io, SIGINT, SIGTERM};
        signals.async_wait([&](std::error_code, int) {
            child.async_stop([](std::error_code, ExitStatus) {}); // then run() has nothing left
        });
        io.run();
    } catch (const ConfigException& wrong) { return std::cerr << wrong.what() << "\n", 2; }
}
