// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// Programs a user would write, from the documentation alone: services on the network are watched.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/compose.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <catch2/catch_test_macros.hpp>

#include <probekit/probekit.hpp>

#include "tools.hpp"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

constexpr ProbeSpec often{.period = 2ms, .timeout = 20s, .failure_threshold = 2};

// Hands out only those backends that are ready.
class Pool {
public:
    explicit Pool(asio::io_context& io) : io_(io) {}

    void add(std::string name, std::uint16_t port) {
        auto& worker = workers_.emplace_back(
            std::move(name),
            ProbeWorker{HttpGetProbe{io_, {.port = port, .path = "/ready"}}, often});
        worker.second.on_verdict([this, &name_of = worker.first](const Verdict& verdict) {
            log.push_back(name_of + (verdict.passed() ? " in" : " out"));
        });
        worker.second.start();
    }
    void remove(const std::string& name) {
        workers_.remove_if([&](const auto& each) { return each.first == name; });
    }
    [[nodiscard]] std::string next() {
        for (auto& each : workers_)
            if (each.second.passing()) return each.first;
        return {};
    }

    std::vector<std::string> log = {};

private:
    asio::io_context& io_;
    std::list<std::pair<std::string, ProbeWorker<HttpGetProbe>>> workers_ = {};
};

// Metrics as an observer, shared by several workers.
struct Metrics {
    std::map<Outcome, int> outcomes = {};
    int errors = 0;
    int begun = 0;
    int changes = 0;
    Duration longest = {};

    void attempt_begun(const AttemptBegun& begin) {
        ++begun;
        CHECK(begin.attempt_in_check >= 1);
        CHECK(begin.late >= 0s);
    }
    void attempt_ended(const AttemptEnded& ended) {
        if (ended.error) {
            ++errors;
            CHECK_FALSE(ended.counted);
            return;
        }
        ++outcomes[ended.result.outcome];
        longest = std::max(longest, ended.result.elapsed());
    }
    void verdict_changed(const Verdict&) { ++changes; }
};

// A probe of the user's own: it speaks a protocol of its own, on a socket, with
// asio::async_compose.
class PingProbe {
public:
    using executor_type = asio::any_io_executor;

    PingProbe(asio::io_context& io, std::uint16_t port)
        : executor_(io.get_executor()), port_(port) {}
    executor_type get_executor() const noexcept { return executor_; }

    template <class Token>
    auto async_probe(Duration, Token&& token) {
        auto socket = std::make_unique<asio::ip::tcp::socket>(executor_);
        asio::ip::tcp::socket& connecting = *socket;
        return asio::async_compose<Token, ProbeSignature>(
            [socket = std::move(socket), port = port_,
             connected = false](auto& self, std::error_code error = {}) mutable {
                if (!std::exchange(connected, true)) {
                    asio::ip::tcp::socket& its = *socket;
                    return its.async_connect({asio::ip::address_v4::loopback(), port},
                                             std::move(self));
                }
                socket.reset();
                if (error == asio::error::operation_aborted) return self.complete(error, {});
                self.complete({},
                              error ? ProbeResult::failure(error) : ProbeResult::success("pong"));
            },
            token, connecting);
    }

private:
    executor_type executor_;
    std::uint16_t port_;
};
static_assert(Probe<PingProbe>);

} // namespace

TEST_CASE("a pool of backends hands out the ready ones") {
    asio::io_context io;
    Server good{io, ok_answer};
    Server other{io, ok_answer};
    Pool pool{io};
    pool.add("dead", closed_port(io));
    pool.add("good", good.port());
    CHECK(pool.next().empty());
    CHECK(run_until(io, [&] { return pool.next() == "good"; }));
    pool.add("other", other.port());
    good.answer(sick_answer);
    CHECK(run_until(io, [&] { return pool.next() == "other"; }));
    good.answer(ok_answer);
    CHECK(run_until(io, [&] { return pool.next() == "good"; }));
    pool.remove("good");
    CHECK(pool.next() == "other");
    pool.remove("other");
    pool.remove("dead");
    good.close();
    other.close();
    CHECK(run_out(io));
}

TEST_CASE("a program waits until all of its ports are up") {
    asio::io_context io;
    std::vector<asio::ip::tcp::acceptor> ports;
    std::vector<ProbeWorker<TcpProbe>> workers;
    StartupGate gate{io};
    const ProbeSpec startup{
        .kind = ProbeKind::startup, .period = 2ms, .timeout = 20s, .failure_threshold = 100000};
    std::vector<asio::ip::tcp::endpoint> endpoints;
    for (int i = 0; i != 3; ++i) {
        ports.emplace_back(io, asio::ip::tcp::endpoint{asio::ip::address_v4::loopback(), 0});
        endpoints.push_back(ports.back().local_endpoint());
    }
    ports[1].close();
    for (const auto& endpoint : endpoints) {
        workers.emplace_back(
            TcpProbe{io, {.host = endpoint.address().to_string(), .port = endpoint.port()}},
            startup);
        workers.back().opens(gate);
        workers.back().start();
    }
    bool up = false;
    gate.async_wait([&](std::error_code error) { up = !error; });
    ProbeWorker gated{TcpProbe{io, {.port = endpoints[0].port()}},
                      {.kind = ProbeKind::liveness, .period = 2ms}};
    gated.start(gate);
    CHECK(run_until(io, [&] { return workers[0].passing() && workers[2].passing(); }));
    CHECK(workers[0].snapshot().state == WorkerState::on_hold);
    CHECK_FALSE(up);
    CHECK_FALSE(gate.is_open());
    CHECK(gated.snapshot().attempts == 0);
    ports[1] = asio::ip::tcp::acceptor{io, endpoints[1]};
    CHECK(run_until(io, [&] { return up; }));
    CHECK(gate.is_open());
    workers.clear();
    CHECK(gate.is_open()); // destruction leaves it
    CHECK(run_until(io, [&] { return gated.snapshot().judged; }));
    CHECK(gated.passing());
}

TEST_CASE("a coroutine makes attempts by hand, again and again") {
    asio::io_context io;
    Server server{io, ok_answer};
    std::vector<Outcome> seen;
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            HttpGetProbe probe{io, {.port = server.port()}};
            ThresholdCounter counter;
            const ProbeSpec spec{.success_threshold = 2, .failure_threshold = 2};
            asio::steady_timer timer{io};
            for (int i = 0; i != 5; ++i) {
                const ProbeResult result = co_await probe.async_probe(20s, asio::use_awaitable);
                seen.push_back(result.outcome);
                counter.count(result.passed());
                if (counter.reached(spec)) server.answer(counter.last() ? sick_answer : ok_answer);
                timer.expires_after(1ms);
                co_await timer.async_wait(asio::use_awaitable);
            }
            server.close();
        },
        asio::detached);
    CHECK(run_out(io));
    using enum Outcome;
    CHECK(seen == std::vector<Outcome>{success, success, failure, failure, success});
}

TEST_CASE("metrics are an observer shared by workers") {
    asio::io_context io;
    Metrics metrics;
    Metrics own_total;
    int notified = 0;
    ProbeWorker good{FunctionProbe{io, [] { return true; }}, often, std::ref(metrics)};
    ProbeWorker bad{FunctionProbe{io, [] { return ProbeResult::failure("full"); }}, often,
                    std::ref(metrics)};
    ProbeWorker error{FunctionProbe{io, []() -> bool { throw std::bad_alloc{}; }}, often,
                      Observers{Metrics{}, std::ref(metrics)}};
    good.on_verdict([&](const Verdict&) { ++notified; });
    good.start();
    bad.start();
    error.start();
    CHECK(run_until(io, [&] {
        return metrics.outcomes[Outcome::success] >= 3 && metrics.outcomes[Outcome::failure] >= 3 &&
               metrics.errors >= 3;
    }));
    CHECK(metrics.changes == 2);
    CHECK(notified == 1);
    CHECK_FALSE(error.snapshot().judged);
    CHECK(error.snapshot().last_error == std::errc::not_enough_memory);
    int stops = 0;
    good.async_stop([&](std::error_code) { ++stops; });
    bad.async_stop([&](std::error_code) { ++stops; });
    error.async_stop([&](std::error_code) { ++stops; });
    CHECK(run_out(io));
    CHECK(stops == 3);
    CHECK(metrics.begun ==
          metrics.outcomes[Outcome::success] + metrics.outcomes[Outcome::failure] + metrics.errors);
}

TEST_CASE("a probe class of one's own, alone, in a worker, in a list and in a group") {
    asio::io_context io;
    Server server{io};
    PingProbe probe{io, server.port()};
    int attempts = 0;
    probe.async_probe(1s, [&](std::error_code error, const ProbeResult& result) {
        CHECK_FALSE(error);
        CHECK(result.output == "pong");
        ++attempts;
    });
    ProbeWorker worker{probe, often};
    ProbeWorker<AnyProbe> any{AnyProbe{probe}, often};
    ProbeWorker dead{PingProbe{io, closed_port(io)}, often};
    ProbeGroup group{io};
    group.readiness(probe, often);
    group.start();
    worker.start();
    any.start();
    dead.start();
    CHECK(run_until(io, [&] {
        return attempts == 1 && worker.passing() && any.passing() && group.ready() &&
               dead.snapshot().judged;
    }));
    CHECK(dead.health() == Health::failing);
    CHECK(dead.snapshot().last_cause == std::errc::connection_refused);
    CHECK(server.taken() >= 4);
}

TEST_CASE("a slow probe of one's own is guarded by the worker") {
    asio::io_context io;
    // Nobody accepts, and the queue is full after some: connections hang from then on. A coroutine
    // hangs more simply.
    ProbeWorker worker{
        FunctionProbe{io,
                      []() -> asio::awaitable<bool> {
                          asio::steady_timer timer{co_await asio::this_coro::executor, 1h};
                          co_await timer.async_wait(asio::use_awaitable);
                          co_return true;
                      }},
        {.period = 2ms, .timeout = 5ms, .failure_threshold = 1}};
    std::string reason;
    worker.on_verdict([&](const Verdict& verdict) {
        reason = verdict.reason();
        CHECK(verdict.result.cause == std::errc::timed_out);
        worker.stop();
    });
    worker.start();
    CHECK(run_out(io));
    CHECK(reason.starts_with("Readiness probe failed: "));
}

TEST_CASE("a list of probes from settings, all waited for") {
    asio::io_context io;
    Server server{io, ok_answer};
    const std::vector<ProbeAction> actions{TcpSocketAction{.port = server.port()},
                                           HttpGetAction{.port = server.port()},
                                           ExecAction{.command = {"true"}}};
    std::vector<ProbeWorker<AnyProbe>> workers;
    std::vector<std::future<Verdict>> verdicts;
    for (const ProbeAction& action : actions) {
        REQUIRE(validate(action).empty());
        workers.emplace_back(make_probe(io.get_executor(), action), often);
        workers.back().start();
        verdicts.push_back(workers.back().async_wait(Health::passing, asio::use_future));
    }
    workers.push_back(
        ProbeWorker<AnyProbe>{FunctionProbe{io, [] { return Outcome::warning; }}, often});
    workers.back().start();
    verdicts.push_back(workers.back().async_wait(Health::passing, asio::use_future));
    CHECK(run_until(io, [&] {
        for (const auto& each : verdicts)
            if (each.wait_for(0s) != std::future_status::ready) return false;
        return true;
    }));
    for (auto& each : verdicts) CHECK(each.get().passed());
    std::sort(workers.begin(), workers.end(), [](const auto& a, const auto& b) {
        return a.snapshot().attempts < b.snapshot().attempts;
    });
    for (auto& each : workers) CHECK(each.passing());
}

TEST_CASE("a limit over many workers") {
    asio::io_context io;
    AttemptLimit limit{2};
    int in_flight = 0;
    int most = 0;
    std::vector<ProbeWorker<AnyProbe>> workers;
    for (int i = 0; i != 8; ++i) {
        workers.emplace_back(
            AnyProbe{
                FunctionProbe{io,
                              [&]() -> asio::awaitable<bool> {
                                  most = std::max(most, ++in_flight);
                                  asio::steady_timer timer{co_await asio::this_coro::executor, 1ms};
                                  co_await timer.async_wait(asio::use_awaitable);
                                  --in_flight;
                                  co_return true;
                              }}},
            often);
        workers.back().limit(limit);
        workers.back().start();
    }
    CHECK(run_until(io, [&] {
        for (const auto& each : workers)
            if (each.snapshot().attempts < 3) return false;
        return true;
    }));
    CHECK(most == 2);
    CHECK(limit.in_flight() <= 2);
    for (auto& each : workers) each.stop();
    CHECK(run_out(io));
    CHECK(limit.in_flight() == 0);
    CHECK(limit.waiting() == 0);
}
