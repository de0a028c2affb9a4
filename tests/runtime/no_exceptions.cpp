// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
//
// A program without exceptions and run-time type information: it probes in every way there is, and
// ends with 0 if all went well.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <system_error>
#include <utility>

#include <asio/detail/config.hpp>

// What would be thrown ends here; with ASIO_NO_EXCEPTIONS this is the program's to define.
namespace asio::detail {
template <class Exception>
[[noreturn]] void throw_exception(const Exception& exception) {
    std::fprintf(stderr, "%s\n", exception.what());
    std::abort();
}
} // namespace asio::detail

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>

#include <probekit/http/regex.hpp>
#include <probekit/probekit.hpp>
#include <probekit/simulation/simulate.hpp>

using namespace probekit;
using namespace std::chrono_literals;

namespace {

/// Answers every connection.
class Server {
public:
    explicit Server(asio::io_context& io) : acceptor_(io), socket_(io) {
        std::error_code error;
        acceptor_.open(asio::ip::tcp::v4(), error);
        acceptor_.bind({asio::ip::address_v4::loopback(), 0}, error);
        acceptor_.listen(asio::socket_base::max_listen_connections, error);
        accept();
    }
    [[nodiscard]] std::uint16_t port() const {
        std::error_code error;
        return acceptor_.local_endpoint(error).port();
    }

private:
    void accept() {
        acceptor_.async_accept(socket_, [this](std::error_code) {
            std::error_code error;
            asio::write(socket_, asio::buffer("HTTP/1.1 204 No Content\r\n\r\n", 27), error);
            socket_.close(error);
            accept();
        });
    }

    asio::ip::tcp::acceptor acceptor_;
    asio::ip::tcp::socket socket_;
};

/// Runs until the worker has judged, and returns whether it passes.
template <class P>
bool passes(asio::io_context& io, P probe) {
    ProbeWorker worker{std::move(probe),
                       ProbeSpec{.period = 1ms, .timeout = 20s, .failure_threshold = 1}};
    worker.start();
    while (!worker.snapshot().judged) io.run_one_for(20s);
    return worker.passing();
}

bool expect(bool right, const char* what) {
    if (!right) std::fprintf(stderr, "wrong: %s\n", what);
    return right;
}

} // namespace

int main() {
    asio::io_context io;
    Server server{io};
    bool right = expect(passes(io, TcpProbe{io, {.port = server.port()}}), "tcp");
    right &= expect(!passes(io, TcpProbe{io, {.host = "127.0.0.1", .port = 1}}), "refused");
    right &= expect(passes(io, TcpProbe{io, {.host = "localhost", .port = server.port()}}), "name");
    right &= expect(passes(io, HttpGetProbe{io, {.port = server.port()}}), "http");
    const HttpOptions no_body{.expect = {!http::body().satisfies(http::regex("."))}};
    right &= expect(passes(io, HttpGetProbe{io, {.port = server.port()}, no_body}),
                    "http with an expectation");
    const ExecAction good{.command = {"/bin/true"}};
    right &= expect(passes(io, ExecProbe{io, good}), "exec");
    const ExecAction bad{.command = {"/bin/sh", "-c", "echo no; exit 1"}};
    right &= expect(!passes(io, AnyProbe{ExecProbe{io, bad}}), "exec that fails");
    right &= expect(passes(io, FunctionProbe{io, [] { return true; }}), "function");
#if defined(ASIO_HAS_CO_AWAIT) && defined(__clang__) // g++ does not take Asio's co_spawn so
    right &=
        expect(passes(io, FunctionProbe{io, []() -> asio::awaitable<bool> { co_return true; }}),
               "coroutine");
#endif

    ProbeGroup group{io};
    bool ready = false;
    group.on_change(
        [&](const GroupChange& change) { ready |= change.event == GroupChange::Event::ready; });
    group.startup(ExecProbe{io, good}, {.period = 1ms, .timeout = 20s});
    group.readiness(TcpProbe{io, {.port = server.port()}}, {.period = 1ms, .timeout = 20s});
    group.start();
    while (!ready) io.run_one_for(20s);

    Process process{io};
    bool ended = false;
    const ProcessSpec sleeping{.command = {"/bin/sleep", "1000"}};
    right &= expect(!process.start(sleeping), "process");
    process.async_terminate({.grace = 20s}, [&](std::error_code error, ExitStatus status) {
        ended = !error && status.signal == SIGTERM;
    });
    while (process.running()) io.run_one_for(20s);
    io.poll();
    right &= expect(ended, "end of a process");

    right &= expect(!simulation::simulate(ProbeSpec{}, {}).events.empty(), "simulation");
    return right ? 0 : 1;
}
