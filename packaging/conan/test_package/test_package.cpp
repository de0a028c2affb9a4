#include <asio/io_context.hpp>

#include <probekit/probekit.hpp>

int main() {
    asio::io_context io;
    probekit::FunctionProbe probe{io, [] { return true; }};
    bool passed = false;
    probe.async_probe(std::chrono::seconds{1},
                      [&](std::error_code, const probekit::ProbeResult& result) {
                          passed = result.outcome == probekit::Outcome::success;
                      });
    io.run();
    return passed ? 0 : 1;
}
