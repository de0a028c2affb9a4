// Probes something once, for images without curl: HEALTHCHECK CMD probekit_check http://:8080/healthz
//   probekit_check [--timeout SECONDS] URL      http://HOST:PORT/PATH or tcp://HOST:PORT; no host: 127.0.0.1
//   probekit_check [--timeout SECONDS] -- COMMAND [ARGUMENTS...]
// The exit status is 0 if it passes, 1 if not or if it cannot be probed, 2 for wrong arguments.
#include <charconv>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <asio/io_context.hpp>

#include <probekit/http/url.hpp>
#include <probekit/probes/any_probe.hpp>

namespace {

constexpr const char* usage =
    "usage: probekit_check [--timeout SECONDS] URL | -- COMMAND [ARGUMENTS...]";

std::uint16_t port_of(const probekit::http::Url& url, std::uint16_t otherwise) {
    const std::string_view text = url.port();
    std::uint16_t port = text.empty() ? otherwise : 0;
    std::from_chars(text.data(), text.data() + text.size(), port);
    return port; // 0, which the probe refuses, if the number is none
}

probekit::ProbeAction action_for(const std::string& text) {
    const auto [url, error] = probekit::http::parse_url(text);
    if (!error.empty()) throw std::invalid_argument{error};
    const std::string host{url.hostname()};
    if (url.scheme == "tcp")
        return probekit::TcpSocketAction{.host = host, .port = port_of(url, 0)};
    if (url.scheme != "http") throw std::invalid_argument{"neither http:// nor tcp://: " + text};
    return probekit::HttpGetAction{
        .host = host, .port = port_of(url, 80), .path = url.request_target()};
}

} // namespace

int main(int argc, char** argv) {
    try {
        std::vector<std::string> arguments(argv + 1, argv + argc);
        std::chrono::duration<double> timeout{1};
        if (arguments.size() > 1 && arguments[0] == "--timeout") {
            double seconds = 0;
            const std::string& text = arguments[1];
            std::from_chars(text.data(), text.data() + text.size(), seconds);
            if (!(seconds > 0 && seconds < 1e6))
                throw std::invalid_argument{"--timeout: must be seconds above 0: " + text};
            timeout = std::chrono::duration<double>{seconds};
            arguments.erase(arguments.begin(), arguments.begin() + 2);
        }
        const bool is_command = arguments.size() > 1 && arguments[0] == "--";
        if (arguments.size() != 1 && !is_command) throw std::invalid_argument{usage};
        const probekit::ProbeAction action =
            is_command ? probekit::ExecAction{.command = {arguments.begin() + 1, arguments.end()}}
                       : action_for(arguments[0]);

        asio::io_context io;
        probekit::AnyProbe probe = probekit::make_probe(io.get_executor(), action);
        int status = 1;
        probe.async_probe(std::chrono::duration_cast<probekit::Duration>(timeout),
                          [&](std::error_code error, const probekit::ProbeResult& result) {
                              if (!error && result.passed()) status = 0;
                              const std::string message = result.message();
                              if (status != 0)
                                  std::cerr << (message.empty() ? "failed" : message) << '\n';
                          });
        io.run();
        return status;
    } catch (const std::exception& wrong) {
        std::cerr << wrong.what() << '\n';
        return 2;
    }
}
