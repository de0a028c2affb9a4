// Probes of one's own making: a lambda, and a class.
//   custom_probe FILE        until SIGINT or SIGTERM: is there room on the disk, is FILE touched
//   every second?
#include <csignal>
#include <filesystem>
#include <iostream>

#include <asio/associated_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>

#include <probekit/probes/function_probe.hpp>
#include <probekit/runtime/probe_worker.hpp>

using namespace std::chrono_literals;
using probekit::ProbeResult;

class FreshFileProbe {
public:
    using executor_type = asio::any_io_executor;
    FreshFileProbe(executor_type executor, std::string path)
        : executor_(std::move(executor)), path_(std::move(path)) {}
    executor_type get_executor() const { return executor_; }

    /// Probes at once, so there is nothing to time out. It completes later all the same, on the
    /// handler's executor.
    template <class Token>
    auto async_probe(probekit::Duration, Token&& token) {
        return asio::async_initiate<Token, probekit::ProbeSignature>(
            [self = *this](auto handler) {
                const auto executor = asio::get_associated_executor(handler, self.executor_);
                asio::post(executor, [handler = std::move(handler),
                                      result = self.probe()]() mutable {
                    std::move(handler)(std::error_code{},
                                       std::move(result)); // an error here would be a prober error
                });
            },
            token);
    }

private:
    ProbeResult probe() const {
        std::error_code error;
        const auto touched = std::filesystem::last_write_time(path_, error);
        if (error) return ProbeResult::failure(error);
        const bool fresh = std::filesystem::file_time_type::clock::now() - touched < 1s;
        return fresh ? ProbeResult::success()
                     : ProbeResult::failure(path_ + " has not been touched for a second");
    }

    executor_type executor_;
    std::string path_;
};

int main(int argc, char** argv) {
    if (argc != 2) return std::cerr << "usage: custom_probe FILE\n", 2;
    asio::io_context io;
    const auto print = [](const probekit::Verdict& verdict) {
        std::cout << verdict.reason() << std::endl;
    };
    probekit::ProbeWorker room{
        probekit::FunctionProbe{io, [] { return std::filesystem::space(".").available > 1 << 20; }},
        probekit::ProbeSpec{.kind = probekit::ProbeKind::liveness}};
    probekit::ProbeWorker fresh{FreshFileProbe{io.get_executor(), argv[1]},
                                probekit::ProbeSpec{.period = 100ms}};
    room.on_verdict(print);
    fresh.on_verdict(print);
    room.start();
    fresh.start();

    asio::signal_set signals{io, SIGINT, SIGTERM};
    signals.async_wait([&](std::error_code, int) { room.stop(), fresh.stop(); });
    io.run();
}
