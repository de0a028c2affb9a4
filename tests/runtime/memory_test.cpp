// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
//
// Lack of memory: each allocation that a thread with workers makes fails in turn, and the program
// goes on.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <limits>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/strand.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/probekit.hpp>

namespace {

// Which of this thread's next allocations fail: from the first of these numbers on, so many. 0:
// none.
thread_local std::size_t first_to_fail = 0;
thread_local std::size_t failing = 0;
thread_local std::size_t failed = 0;

bool fails() {
    if (first_to_fail == 0 || --first_to_fail != 0) return false;
    ++failed;
    if (--failing != 0) first_to_fail = 1;
    return true;
}

void* allocate(std::size_t size) {
    if (fails()) return nullptr;
    return std::malloc(size == 0 ? 1 : size);
}

} // namespace

void* operator new(std::size_t size) {
    if (void* const memory = allocate(size)) return memory;
    throw std::bad_alloc{};
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

using namespace probekit;
using namespace std::chrono_literals;

namespace {

/// Allocations of this thread fail while this lives.
struct NoMemory {
    NoMemory(std::size_t from, std::size_t count) {
        failed = 0;
        failing = count;
        first_to_fail = from;
    }
    NoMemory(const NoMemory&) = delete;
    NoMemory& operator=(const NoMemory&) = delete;
    ~NoMemory() { first_to_fail = 0; }
};

/// A target that answers, on a thread whose memory is its own affair.
class Target {
public:
    Target()
        : acceptor_(io_, {asio::ip::address_v4::loopback(), 0}), thread_([this] { serve(); }) {}
    ~Target() {
        io_.stop();
        thread_.join();
    }
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    void serve() {
        accept();
        io_.run();
    }
    void accept() {
        acceptor_.async_accept(socket_, [this](std::error_code) {
            std::error_code ignored;
            asio::write(socket_, asio::buffer(answer_), ignored);
            socket_.shutdown(asio::socket_base::shutdown_send, ignored);
            char request[1024];
            while (socket_.read_some(asio::buffer(request), ignored) != 0) {}
            socket_.close(ignored);
            accept();
        });
    }

    const std::string answer_ = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    asio::io_context io_;
    asio::ip::tcp::acceptor acceptor_;
    asio::ip::tcp::socket socket_{io_};
    std::thread thread_;
};

/// False: the worker makes no more attempts. How often run() threw is counted. (Allocates nothing
/// itself.)
template <class Worker>
bool run_attempts(asio::io_context& io, const Worker& worker, std::uint64_t count, int& thrown) {
    const std::uint64_t wanted = worker.snapshot().attempts + count;
    while (worker.snapshot().attempts < wanted) {
        try {
            if (io.run_one_for(5s) == 0) return false;
        } catch (const std::bad_alloc&) { ++thrown; }
    }
    return true;
}

/// Lets each allocation fail that a worker's attempts make, alone or with those that follow, and
/// sees the worker through it. `make_probe` makes the probe for an executor. `asio_throws`: not
/// from its calls, but from the event loop.
template <class MakeProbe>
void fail_each_allocation(MakeProbe make_probe, bool on_strand = false, bool asio_throws = false) {
    const std::size_t together = GENERATE(std::size_t{1}, std::size_t{4});
    bool any_failed = true;
    for (std::size_t number = 1; any_failed && number != 500; ++number) {
        asio::io_context io{1};
        const asio::any_io_executor executor = on_strand
                                                   ? asio::any_io_executor{asio::make_strand(io)}
                                                   : asio::any_io_executor{io.get_executor()};
        ProbeWorker worker{make_probe(executor),
                           ProbeSpec{.period = 1ms, .timeout = 20s, .failure_threshold = 1}};
        worker.start();
        io.poll();
        int thrown = 0;
        bool goes_on = true;
        {
            const NoMemory no_memory{number, together};
            goes_on = run_attempts(io, worker, 3, thrown);
            any_failed = failed != 0;
        }
        INFO("allocation " << number << ", " << together << " in a row");
        CHECK(goes_on);
        CHECK((thrown == 0 || asio_throws));
        CHECK(run_attempts(io, worker, 8, thrown));
        CHECK(worker.passing());
        CHECK(worker.snapshot().last_cause == std::error_code{});
        if (worker.snapshot().last_error)
            CHECK(worker.snapshot().last_error == std::errc::not_enough_memory);
    }
    CHECK_FALSE(any_failed);
}

} // namespace

TEST_CASE("without memory a TCP attempt is a prober error, and the next one succeeds") {
    const Target target;
    const std::string host = GENERATE("127.0.0.1", "localhost");
    const bool on_strand = GENERATE(false, true);
    fail_each_allocation(
        [&](const auto& executor) {
            return TcpProbe{executor, {.host = host, .port = target.port()}};
        },
        on_strand,
        host == "localhost"); // a resolver cannot report that it has no memory for the addresses
}

TEST_CASE("without memory an HTTP attempt is a prober error, and the next one succeeds") {
    const Target target;
    const bool on_strand = GENERATE(false, true);
    fail_each_allocation(
        [&](const auto& executor) {
            return HttpGetProbe{executor, {.port = target.port()}, {.keep_output = true}};
        },
        on_strand);
}

TEST_CASE("without memory an exec attempt is a prober error, and the next one succeeds") {
    const bool on_strand = GENERATE(false, true);
    const std::string command = GENERATE("exit 0", "echo said; sleep 0.02");
    fail_each_allocation(
        [&](const auto& executor) {
            return ExecProbe{
                executor, {.command = {"/bin/sh", "-c", command}}, {.keep_output = true}};
        },
        on_strand);
}

TEST_CASE(
    "without memory an attempt of a function, or of AnyProbe, is a prober error, and the next "
    "one succeeds") {
    const Target target;
    const bool on_strand = GENERATE(false, true);
    SECTION("function") {
        fail_each_allocation(
            [](const auto& executor) {
                return FunctionProbe{executor, [] { return true; }};
            },
            on_strand);
    }
    SECTION("any") {
        fail_each_allocation(
            [&](const auto& executor) {
                return AnyProbe{TcpProbe{executor, {.port = target.port()}}};
            },
            on_strand);
    }
    SECTION("coroutine") {
        fail_each_allocation(
            [](const auto& executor) {
                return FunctionProbe{executor, []() -> asio::awaitable<bool> { co_return true; }};
            },
            on_strand);
    }
}

TEST_CASE("without memory to notify of it a gate opens and closes all the same, and what waits at "
          "it is notified soon") {
    const std::size_t together = GENERATE(std::size_t{1}, std::size_t{4});
    bool any_failed = true;
    for (std::size_t number = 1; any_failed && number != 500; ++number) {
        asio::io_context io{1};
        StartupGate gate{io};
        ProbeWorker first{FunctionProbe{io, [] { return true; }},
                          ProbeSpec{.period = 1ms, .timeout = 20s}};
        ProbeWorker second{FunctionProbe{io, [] { return true; }},
                           ProbeSpec{.period = 1ms, .timeout = 20s}};
        first.start(gate);
        second.start(gate);
        io.poll();
        {
            const NoMemory no_memory{number, together};
            gate.open();
            gate.close();
            gate.open();
            any_failed = failed != 0;
        }
        INFO("allocation " << number << ", " << together << " in a row");
        CHECK(gate.is_open());
        int thrown = 0;
        CHECK(run_attempts(io, first, 2, thrown));
        CHECK(run_attempts(io, second, 2, thrown));
        CHECK(first.passing());
        CHECK(second.passing());
    }
    CHECK_FALSE(any_failed);
}

TEST_CASE("without memory to notify of it a target that is gone is failing all the same") {
    bool any_failed = true;
    for (std::size_t number = 1; any_failed && number != 100; ++number) {
        asio::io_context io{1};
        ProbeWorker worker{FunctionProbe{io, [] { return true; }},
                           ProbeSpec{.period = 1ms, .timeout = 20s}};
        int verdicts = 0;
        worker.on_verdict([&](const Verdict&) { ++verdicts; });
        worker.start();
        int thrown = 0;
        REQUIRE(run_attempts(io, worker, 2, thrown));
        const int before = verdicts;
        {
            const NoMemory no_memory{number, 1};
            worker.target_gone();
            any_failed = failed != 0;
        }
        CHECK_FALSE(worker.passing());
        io.poll();
        CHECK(verdicts == (any_failed ? before : before + 1));
        worker.target_back();
        CHECK(run_attempts(io, worker, 2, thrown));
        CHECK(worker.passing());
    }
    CHECK_FALSE(any_failed);
}

TEST_CASE("without memory a supervised process is started and ended later, and never forgotten") {
    const std::size_t together = GENERATE(std::size_t{1}, std::size_t{4});
    bool any_failed = true;
    for (std::size_t number = 1; any_failed && number != 500; ++number) {
        INFO("allocation " << number << ", " << together << " in a row");
        asio::io_context io{1};
        SupervisedProcess process{
            io, {.command = {"/bin/sleep", "1000"}}, {.back_off = {.base = 1ms, .max = 1ms}}};
        process.probe(ProbeKind::liveness, FunctionProbe{io, [] { return false; }},
                      {.period = 1ms, .timeout = 20s, .failure_threshold = 1}); // kills it
        const auto run_until = [&](auto done) {
            const auto end = std::chrono::steady_clock::now() + 60s;
            while (!done() && std::chrono::steady_clock::now() < end) {
                try {
                    io.run_one_for(60s);
                } catch (const std::bad_alloc&) {} // of Asio's own
            }
            return done();
        };
        process.start();
        io.poll();
        std::optional<ExitStatus> stopped;
        bool goes_on = true;
        {
            const NoMemory no_memory{number, together};
            goes_on = run_until([&] { return process.snapshot().starts >= 3; });
            any_failed = failed != 0;
        }
        CHECK(goes_on);
        const std::uint64_t starts = process.snapshot().starts;
        CHECK(run_until([&] { return process.snapshot().starts >= starts + 2; }));
        process.async_stop([&](std::error_code, ExitStatus status) { stopped = status; });
        {
            const NoMemory no_memory{number, together};
            run_until([&] { return process.snapshot().state == ContainerState::over; });
            any_failed = any_failed || failed != 0;
        }
        CHECK(run_until([&] { return stopped.has_value(); }));
    }
    CHECK_FALSE(any_failed);
}

TEST_CASE("without memory there is no worker, or no other spec, and nothing has changed") {
    asio::io_context io{1};
    TcpProbe probe{io, {.host = "::1", .port = 1}, {.source_address = "::1"}};
    ProbeWorker other{TcpProbe{io, {.port = 1}}, ProbeSpec{.period = 20s}};
    const std::size_t together = GENERATE(std::size_t{1}, std::size_t{4});
    bool any_failed = true;
    for (std::size_t number = 1; any_failed && number != 100; ++number) {
        std::optional<ProbeWorker<TcpProbe>> worker;
        bool made = false;
        bool updated = false;
        {
            const NoMemory no_memory{number, together};
            try {
                worker.emplace(probe, ProbeSpec{.period = 10s});
                made = true;
                updated = worker->update({.period = 30s}).empty();
            } catch (const std::bad_alloc&) {}
            any_failed = failed != 0;
        }
        INFO("allocation " << number << ", " << together << " in a row");
        CHECK(made == worker.has_value());
        CHECK(updated != any_failed);
        if (worker) CHECK(worker->spec().period == (updated ? 30s : 10s));
        CHECK(other.spec().period == 20s);
        CHECK(detail::ContextState::of(io.get_executor())->local<detail::SpecCache>().size() ==
              (worker ? 2 : 1));
    }
    CHECK_FALSE(any_failed);
}

TEST_CASE("without memory there is no TCP probe") {
    asio::io_context io{1};
    bool any_failed = true;
    for (std::size_t number = 1; any_failed && number != 100; ++number) {
        const NoMemory no_memory{number, 1};
        try {
            const TcpProbe probe{io, {.host = "::1", .port = 1}, {.source_address = "::1"}};
            any_failed = false;
        } catch (const std::bad_alloc&) {}
    }
    CHECK_FALSE(any_failed);
}
