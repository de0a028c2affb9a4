// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// "Every async_ operation takes any completion token last and returns what the token says": each
// token on each operation.
#include <chrono>
#include <csignal>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <asio/associated_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <asio/version.hpp>
#if ASIO_VERSION >= 102400
#include <asio/as_tuple.hpp>
#include <asio/bind_allocator.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/deferred.hpp>
namespace tokens = asio;
#else
#include <asio/bind_cancellation_slot.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/experimental/deferred.hpp>
namespace tokens = asio::experimental;
#endif
#include <asio/experimental/awaitable_operators.hpp>

#include <catch2/catch_test_macros.hpp>

#include <probekit/probekit.hpp>
#include <probekit/testing/manual_clock.hpp>
#include <probekit/testing/scripted_probe.hpp>

#include "tools.hpp"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

// One object with every asynchronous operation, each of which can be started with any token.
struct Everything {
    asio::io_context& io;
    TcpProbe tcp{io, {.port = closed_port(io)}};
    HttpGetProbe http{io, {.port = closed_port(io)}};
    ExecProbe exec{io, {.command = {"true"}}};
    FunctionProbe<bool (*)()> function{io, +[] { return true; }};
    AnyProbe any{TcpProbe{io, {.port = 1}}};
    ProbeWorker<FunctionProbe<bool (*)()>> worker{
        FunctionProbe<bool (*)()>{io, +[] { return true; }}, {}};
    ProbeGroup<> group{io};
    StartupGate gate{io};
    Process process{io};

    explicit Everything(asio::io_context& context) : io(context) {
        gate.open();
        worker.start();
        CHECK_FALSE(process.start({.command = {"true"}}));
    }

    /// How many operations there are.
    template <class Start>
    int each(Start start) {
        start([&](auto&& token) {
            return tcp.async_probe(5s, std::forward<decltype(token)>(token));
        });
        start([&](auto&& token) {
            return http.async_probe(5s, std::forward<decltype(token)>(token));
        });
        start([&](auto&& token) {
            return exec.async_probe(5s, std::forward<decltype(token)>(token));
        });
        start([&](auto&& token) {
            return function.async_probe(5s, std::forward<decltype(token)>(token));
        });
        start([&](auto&& token) {
            return any.async_probe(5s, std::forward<decltype(token)>(token));
        });
        start([&](auto&& token) {
            return worker.async_wait(Health::passing, std::forward<decltype(token)>(token));
        });
        start([&](auto&& token) { return gate.async_wait(std::forward<decltype(token)>(token)); });
        start(
            [&](auto&& token) { return process.async_wait(std::forward<decltype(token)>(token)); });
        start([&](auto&& token) {
            return process.async_terminate({}, std::forward<decltype(token)>(token));
        });
        start([&](auto&& token) { return group.async_stop(std::forward<decltype(token)>(token)); });
        return 10;
    }
};

template <class T>
struct CountingAllocator {
    using value_type = T;
    int* live;
    int* total;
    CountingAllocator(int* living, int* all) noexcept : live(living), total(all) {}
    template <class U>
    CountingAllocator(const CountingAllocator<U>& other) noexcept
        : live(other.live), total(other.total) {}
    T* allocate(std::size_t count) {
        ++*live;
        ++*total;
        return std::allocator<T>{}.allocate(count);
    }
    void deallocate(T* where, std::size_t count) noexcept {
        --*live;
        std::allocator<T>{}.deallocate(where, count);
    }
    friend bool operator==(const CountingAllocator&, const CountingAllocator&) = default;
};

// A token that starts nothing, and returns the executor of the operation's initiation.
struct Inspect {};

// A handler that can only be moved, only be called as an rvalue, and says where it wants to run and
// from what memory.
template <class Executor>
struct ExactingHandler {
    using executor_type = Executor;
    using allocator_type = CountingAllocator<std::byte>;
    executor_type executor;
    allocator_type allocator;
    std::unique_ptr<int*> notified;
    executor_type get_executor() const noexcept { return executor; }
    allocator_type get_allocator() const noexcept { return allocator; }
    template <class... Args>
    void operator()(Args&&...) && {
        CHECK(executor.running_in_this_thread());
        CHECK(*allocator.live == 0); // given back before the handler is called
        ++**notified;
    }
};

} // namespace

template <class... Signatures>
class asio::async_result<Inspect, Signatures...> {
public:
    using return_type = asio::any_io_executor;

    template <class Initiation, class... Args>
    static return_type initiate(Initiation&& initiation, Inspect, Args&&...) {
        using Executor = typename std::decay_t<Initiation>::executor_type;
        static_assert(std::is_same_v<decltype(initiation.get_executor()), Executor>);
        return initiation.get_executor();
    }
};

TEST_CASE("callbacks, never called inside the initiating call") {
    asio::io_context io;
    Everything all{io};
    int notified = 0;
    const int operations = all.each([&](auto operation) {
        operation([&notified, owned = std::make_unique<int>(1)](auto&&...) { notified += *owned; });
        CHECK(notified == 0);
    });
    CHECK(run_until(io, [&] { return notified == operations; }));
}

TEST_CASE("no handler runs inside the initiating call, not even on the context's own thread") {
    asio::io_context io;
    Everything all{io};
    int notified = 0;
    int operations = 0;
    asio::post(io, [&] {
        operations = all.each([&](auto operation) {
            const int before = notified;
            operation([&notified](auto&&...) { ++notified; });
            CHECK(notified == before);
        });
    });
    CHECK(run_until(io, [&] { return operations != 0 && notified == operations; }));
}

TEST_CASE("futures") {
    asio::io_context io;
    Everything all{io};
    std::vector<std::function<bool()>> ready;
    all.each([&](auto operation) {
        auto future =
            std::make_shared<decltype(operation(asio::use_future))>(operation(asio::use_future));
        ready.push_back([future] { return future->wait_for(0s) == std::future_status::ready; });
    });
    CHECK(run_until(io, [&] {
        for (const auto& each : ready)
            if (!each()) return false;
        return true;
    }));
    std::future<ProbeResult> result = all.tcp.async_probe(5s, asio::use_future);
    std::future<Verdict> verdict = all.worker.async_wait(Health::passing, asio::use_future);
    std::future<void> stopped = all.worker.async_stop(asio::use_future);
    std::future<ExitStatus> status = all.process.async_wait(asio::use_future);
    CHECK(run_out(io));
    CHECK(result.get().cause == std::errc::connection_refused);
    const ExitStatus ended = status.get();
    CHECK((ended.ok() ||
           ended.signal == SIGTERM)); // by itself, or by async_terminate() where that was quicker
    stopped.get();
    CHECK(verdict.get().passed());
}

TEST_CASE("coroutines") {
    asio::io_context io;
    Everything all{io};
    bool done = false;
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            const ProbeResult tcp = co_await all.tcp.async_probe(5s, asio::use_awaitable);
            CHECK(tcp.cause == std::errc::connection_refused);
            const ProbeResult exec = co_await all.exec.async_probe(5s, asio::use_awaitable);
            CHECK(exec.passed());
            std::error_code error;
            const ProbeResult http =
                co_await all.http.async_probe(5s, asio::redirect_error(asio::use_awaitable, error));
            CHECK_FALSE(error);
            CHECK(http.outcome == Outcome::failure);
            const Verdict verdict =
                co_await all.worker.async_wait(Health::passing, asio::use_awaitable);
            CHECK(verdict.passed());
            co_await all.gate.async_wait(asio::use_awaitable);
            const ExitStatus ended = co_await all.process.async_wait(asio::use_awaitable);
            CHECK(ended.ok());
            const auto [failed, found] =
                co_await all.any.async_probe(5s, tokens::as_tuple(asio::use_awaitable));
            CHECK_FALSE(failed);
            CHECK_FALSE(found.passed());
            const auto [again, status] = co_await all.process.async_terminate(
                {.grace = 1s}, tokens::as_tuple(asio::use_awaitable));
            CHECK((!again && status.ok()));
            co_await all.worker.async_stop(asio::use_awaitable);
            co_await all.group.async_stop(asio::use_awaitable);
            done = true;
        },
        asio::detached);
    CHECK(run_out(io));
    CHECK(done);
}

TEST_CASE("awaited together: the slower is cancelled") {
    using namespace asio::experimental::awaitable_operators;
    asio::io_context io;
    ExecProbe slow{io, {.command = {"sleep", "60"}}};
    ExecProbe fast{io, {.command = {"true"}}};
    StartupGate closed{io};
    bool done = false;
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            const auto first = co_await (fast.async_probe(30s, asio::use_awaitable) ||
                                         slow.async_probe(30s, asio::use_awaitable) ||
                                         closed.async_wait(asio::use_awaitable));
            CHECK(first.index() == 0);
            done = true;
        },
        asio::detached);
    CHECK(run_out(io));
    CHECK(done);
}

TEST_CASE("deferred operations begin when they are called") {
    asio::io_context io;
    Everything all{io};
    int notified = 0;
    const int operations = all.each([&](auto operation) {
        auto later = operation(tokens::deferred);
        std::move(later)([&](auto&&...) { ++notified; });
        CHECK(notified == 0);
    });
    CHECK(run_until(io, [&] { return notified == operations; }));
    auto later = [&] {
        TcpProbe gone{io, {.port = closed_port(io)}};
        return gone.async_probe(5s, tokens::deferred);
    }();
    bool refused = false;
    std::move(later)([&](std::error_code, const ProbeResult& result) {
        refused = result.cause == std::errc::connection_refused;
    });
    CHECK(run_until(io, [&] { return refused; }));
}

TEST_CASE("as_tuple") {
    asio::io_context io;
    Everything all{io};
    int notified = 0;
    const int operations = all.each([&](auto operation) {
        operation(tokens::as_tuple([&](auto tuple) { notified += std::get<0>(tuple) ? 0 : 1; }));
    });
    CHECK(run_until(io, [&] { return notified == operations; }));
}

TEST_CASE("bound executors, bound cancellation slots") {
    asio::io_context io;
    asio::io_context other;
    Everything all{io};
    int notified = 0;
    const int operations = all.each([&](auto operation) {
        operation(asio::bind_executor(other, [&](auto&&...) { ++notified; }));
    });
    const auto more = asio::make_work_guard(io);
    // The other context has work for them: it runs all the handlers, and then runs out.
    std::thread elsewhere{[&] { io.run(); }};
    other.run_for(30s);
    CHECK(other.stopped());
    CHECK(notified == operations);
    io.stop();
    elsewhere.join();
}

TEST_CASE("handlers that can only be moved, with an executor and an allocator of their own") {
    asio::io_context io;
    Everything all{io};
    const auto strand = asio::make_strand(io);
    int notified = 0;
    int live = 0;
    int total = 0;
    const int operations = all.each([&](auto operation) {
        const int before = notified;
        operation(ExactingHandler<asio::strand<asio::io_context::executor_type>>{
            strand, CountingAllocator<std::byte>{&live, &total},
            std::make_unique<int*>(&notified)});
        CHECK(notified == before);
        CHECK(run_until(io, [&] {
            return notified != before;
        })); // one after the other, for the handler's check
    });
    CHECK(notified == operations);
    CHECK(live == 0);
    CHECK(total >= operations); // by hand, the memory of an operation is the handler's
    notified = 0;
    all.worker.async_stop(ExactingHandler<asio::strand<asio::io_context::executor_type>>{
        strand, CountingAllocator<std::byte>{&live, &total}, std::make_unique<int*>(&notified)});
    CHECK(run_until(io, [&] { return notified == 1; }));
}

TEST_CASE("detached") {
    asio::io_context io;
    Everything all{io};
    all.each([](auto operation) { operation(asio::detached); });
    all.worker.async_stop(asio::detached);
    CHECK(run_out(io));
}

TEST_CASE("initiations carry the executor") {
    asio::io_context io;
    Everything all{io};
    int right = 0;
    const int operations =
        all.each([&](auto operation) { right += operation(Inspect{}) == io.get_executor(); });
    CHECK(right == operations);
}
