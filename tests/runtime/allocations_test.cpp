// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
//
// Attempts of workers allocate nothing once they have settled: every allocation of this program is
// counted.
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/probekit.hpp>

#include "../tools/printing.hpp"

namespace {

std::atomic<std::size_t> allocations = 0;

void* counted(std::size_t size) {
    ++allocations;
    if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc{};
}

} // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

using namespace probekit;
using namespace std::chrono_literals;

namespace {

// Answers one connection after the other, on the same loop, and allocates nothing itself once it
// runs.
class Server {
public:
    explicit Server(asio::io_context& io, std::string answer)
        : acceptor_(io, {asio::ip::make_address("127.0.0.1"), 0}),
          socket_(io),
          answer_(std::move(answer)) {
        accept();
    }
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    void stop() { acceptor_.close(); }

private:
    void accept() {
        acceptor_.async_accept(socket_, [this](std::error_code error) {
            if (error) return;
            if (answer_.empty()) return again();
            socket_.async_read_some(asio::buffer(request_),
                                    [this](std::error_code failed, std::size_t) {
                                        std::error_code ignored;
                                        if (!failed)
                                            asio::write(socket_, asio::buffer(answer_), ignored);
                                        again();
                                    });
        });
    }
    void again() {
        std::error_code ignored;
        socket_.close(ignored);
        accept();
    }

    asio::ip::tcp::acceptor acceptor_;
    asio::ip::tcp::socket socket_;
    std::string answer_;
    char request_[1024];
};

// Makes what is kept for the next attempt exist: a few blocks of each size in the pool, and the
// event loop's records of a few descriptors. Which of them an attempt needs depends on how quickly
// its peer answers, which a busy machine decides: a command that runs for over 10 ms has its pipes
// watched, a handshake that takes a moment is waited for. What is not given back still shows, since
// attempts are many and these are few.
void settle(asio::io_context& io) {
    constexpr std::size_t few = 8;
    detail::BlockPool& pool = detail::ContextState::of(io.get_executor())->pool();
    for (std::size_t size = 64; size <= 16384; size *= 2) {
        void* blocks[few];
        for (void*& block : blocks) block = pool.allocate(size);
        for (void* const block : blocks) pool.deallocate(block, size);
    }
    std::vector<asio::ip::udp::socket> sockets;
    for (std::size_t i = 0; i != few; ++i) sockets.emplace_back(io, asio::ip::udp::v4());
}

// Runs until the worker has made so many more attempts.
template <class Worker>
void run_attempts(asio::io_context& io, Worker& worker, std::uint64_t count) {
    const std::uint64_t wanted = worker.snapshot().attempts + count;
    while (worker.snapshot().attempts < wanted) io.run_one_for(10s);
}

template <class P>
std::size_t allocations_of(asio::io_context& io, P probe, Health expected, std::uint64_t attempts) {
    settle(io);
    ProbeWorker worker{std::move(probe),
                       ProbeSpec{.period = 1ms, .timeout = 10s, .failure_threshold = 1}};
    worker.start();
    run_attempts(io, worker, 20);
    REQUIRE(worker.health() == expected);
    const std::size_t before = allocations;
    run_attempts(io, worker, attempts);
    return allocations - before;
}

} // namespace

TEST_CASE("a TCP attempt allocates nothing, open or refused") {
    asio::io_context io{1};
    Server server{io, {}};
    CHECK(allocations_of(io, TcpProbe{io, {.port = server.port()}}, Health::passing, 200) == 0);
    CHECK(allocations_of(io, TcpProbe{io, {.host = "127.0.0.1", .port = 1}}, Health::failing,
                         200) == 0);
    CHECK(allocations_of(io, AnyProbe{TcpProbe{io, {.port = server.port()}}}, Health::passing,
                         200) == 0);
}

TEST_CASE("our own probes stand inside AnyProbe") {
    asio::io_context io{1};
    TcpProbe tcp{io, {.port = 1}};
    HttpGetProbe http{io, {.port = 1}};
    ExecProbe exec{io, {.command = {"true"}}};
    FunctionProbe function{io, [] { return true; }};
    const std::size_t before = allocations;
    const AnyProbe probes[] = {std::move(tcp), std::move(http), std::move(exec),
                               std::move(function)};
    CHECK(allocations == before);
}

TEST_CASE("an HTTP attempt allocates nothing, answered or refused") {
    asio::io_context io{1};
    Server server{io, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"};
    CHECK(allocations_of(io, HttpGetProbe{io, {.port = server.port(), .path = "/healthz"}},
                         Health::passing, 200) == 0);
    CHECK(allocations_of(io, HttpGetProbe{io, {.port = 1}}, Health::failing, 200) == 0);
}

TEST_CASE("an exec attempt allocates nothing if there is no output to keep") {
    asio::io_context io{1};
    CHECK(allocations_of(io, ExecProbe{io, {.command = {"/bin/true"}}}, Health::passing, 30) == 0);
    CHECK(allocations_of(io, ExecProbe{io, {.command = {"/bin/false"}}}, Health::failing, 30) == 0);
    // Long enough for its pipes to be watched.
    CHECK(allocations_of(io, ExecProbe{io, {.command = {"/bin/sleep", "0.03"}}}, Health::passing,
                         5) == 0);
}

TEST_CASE("an attempt of a function allocates nothing") {
    asio::io_context io{1};
    CHECK(allocations_of(io, FunctionProbe{io, [] { return true; }}, Health::passing, 200) == 0);
}
