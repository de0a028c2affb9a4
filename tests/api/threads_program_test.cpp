// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// Programs a user would write, from the documentation alone: several threads run the context.
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/dispatch.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <catch2/catch_test_macros.hpp>

#include <probekit/probekit.hpp>

using namespace probekit;
using namespace std::chrono_literals;

namespace {

using Strand = asio::strand<asio::thread_pool::executor_type>;

constexpr ProbeSpec often{.period = 1ms, .timeout = 20s, .failure_threshold = 1};

// Waits, for half a minute at most, for what another thread does.
template <class Future>
[[nodiscard]] bool comes(Future& future) {
    return future.wait_for(30s) == std::future_status::ready;
}

// Catch2's own checks are for one thread.
void must(bool so) {
    if (!so) std::abort();
}

// Everything of one target on one strand. Made and destroyed there, too.
struct Target {
    Strand strand;
    StartupGate& gate;
    std::atomic<int>& verdicts;
    std::promise<void> enough = {};
    int notified = 0;
    bool failing = false;
    ProbeWorker<AnyProbe> worker;
    ProbeGroup<> group;

    Target(const Strand& on, AttemptLimit& limit, StartupGate& shared, std::atomic<int>& count)
        : strand(on),
          gate(shared),
          verdicts(count),
          worker(AnyProbe{FunctionProbe{
                     on,
                     [this]() -> asio::awaitable<bool> {
                         must(strand.running_in_this_thread());
                         asio::steady_timer timer{co_await asio::this_coro::executor, 100us};
                         co_await timer.async_wait(asio::use_awaitable);
                         co_return failing = !failing;
                     }}},
                 often),
          group(on) {
        worker.limit(limit);
        worker.on_verdict([this](const Verdict&) {
            must(strand.running_in_this_thread());
            ++verdicts;
            if (++notified == 20) enough.set_value();
        });
        group.readiness(ExecProbe{on, {.command = {"true"}}}, {.period = 2ms, .timeout = 20s});
        group.liveness(TcpProbe{on, {.port = 1}}, {.period = 2ms, .timeout = 20s});
    }
};

} // namespace

TEST_CASE("workers and groups on strands of a pool of four threads") {
    asio::thread_pool pool{4};
    AttemptLimit limit{3};
    StartupGate gate{pool};
    std::atomic<int> verdicts = 0;
    std::vector<std::unique_ptr<Target>> targets;
    std::vector<std::future<void>> enough;
    for (int i = 0; i != 8; ++i) {
        targets.push_back(std::make_unique<Target>(asio::make_strand(pool), limit, gate, verdicts));
        enough.push_back(targets.back()->enough.get_future());
        asio::dispatch(targets.back()->strand, [&target = *targets.back()] {
            target.worker.start(target.gate);
            target.group.start();
        });
    }
    std::atomic<bool> done = false;
    // From any thread: gate, limit, and what a worker reports of its target.
    std::thread reader{[&] {
        while (!done) {
            for (const auto& target : targets) static_cast<void>(target->worker.passing());
            static_cast<void>(limit.in_flight() + limit.waiting());
            gate.close();
            gate.open();
        }
    }};
    gate.open();
    for (auto& each : enough) CHECK(comes(each));
    done = true;
    reader.join();
    gate.open();
    std::vector<std::future<void>> stops;
    for (const auto& target : targets)
        stops.push_back(std::async(std::launch::async, [&target] {
            std::promise<void> gone;
            std::future<void> all = gone.get_future();
            asio::post(target->strand, [&] {
                target->worker.async_stop([&](std::error_code) {
                    target->group.async_stop([&](std::error_code) { gone.set_value(); });
                });
            });
            must(comes(all));
        }));
    for (auto& each : stops) CHECK(comes(each));
    for (auto& target : targets) {
        Target& its = *target;
        std::promise<void> gone;
        std::future<void> wait = gone.get_future();
        asio::post(its.strand, [&] {
            target.reset();
            gone.set_value();
        });
        CHECK(comes(wait));
    }
    pool.join();
    CHECK(limit.in_flight() == 0);
    CHECK(limit.waiting() == 0);
    CHECK(verdicts >= 160);
}

TEST_CASE("workers are destroyed in flight, on their strands, while the others go on") {
    asio::thread_pool pool{4};
    AttemptLimit limit{4};
    std::atomic<int> after = 0;
    std::vector<std::future<void>> gone;
    struct Shared {
        std::optional<ProbeWorker<AnyProbe>> worker = {};
        std::atomic<bool> destroyed = false;
    };
    std::vector<std::unique_ptr<Shared>> all;
    for (int i = 0; i != 32; ++i) {
        const auto strand = asio::make_strand(pool);
        auto& shared = *all.emplace_back(std::make_unique<Shared>());
        auto done = std::make_shared<std::promise<void>>();
        gone.push_back(done->get_future());
        asio::post(strand, [&, i, strand, done] {
            shared.worker.emplace(i % 2 == 0
                                      ? AnyProbe{ExecProbe{strand, {.command = {"sleep", "60"}}}}
                                      : AnyProbe{FunctionProbe{strand, [] { return true; }}},
                                  often);
            shared.worker->limit(limit);
            shared.worker->on_verdict([&](const Verdict&) {
                if (shared.destroyed) ++after;
            });
            shared.worker->async_wait(Health::failing, [&](std::error_code error, const Verdict&) {
                if (error != asio::error::operation_aborted) ++after;
            });
            shared.worker->start();
            auto timer =
                std::make_shared<asio::steady_timer>(strand, std::chrono::microseconds{i * 200});
            timer->async_wait([&shared, timer, done](std::error_code) {
                shared.worker.reset();
                shared.destroyed = true;
                done->set_value();
            });
        });
    }
    for (auto& each : gone) CHECK(comes(each));
    pool.join(); // what attempts still needed is cleaned up
    CHECK(after == 0);
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("attempts by hand on a strand, cancelled from it") {
    asio::thread_pool pool{4};
    std::vector<std::future<std::error_code>> notified;
    for (int i = 0; i != 16; ++i) {
        auto done = std::make_shared<std::promise<std::error_code>>();
        notified.push_back(done->get_future());
        const auto strand = asio::make_strand(pool);
        auto signal = std::make_shared<asio::cancellation_signal>();
        asio::post(strand, [=] {
            ExecProbe probe{strand, {.command = {"sleep", "60"}}};
            probe.async_probe(
                60s, asio::bind_cancellation_slot(signal->slot(),
                                                  [=](std::error_code error, const ProbeResult&) {
                                                      must(strand.running_in_this_thread());
                                                      done->set_value(error);
                                                  }));
            auto timer =
                std::make_shared<asio::steady_timer>(strand, std::chrono::microseconds{i * 300});
            timer->async_wait([timer, signal](std::error_code) {
                signal->emit(asio::cancellation_type::terminal);
            });
        });
    }
    for (auto& each : notified) {
        REQUIRE(comes(each));
        CHECK(each.get() == asio::error::operation_aborted);
    }
    pool.join();
}

TEST_CASE("futures of a pool, from a thread that does not run it") {
    asio::thread_pool pool{2};
    asio::io_context other;
    const auto strand = asio::make_strand(pool);
    HttpGetProbe probe{strand, {.port = 1}};
    std::future<ProbeResult> result = probe.async_probe(20s, asio::use_future);
    REQUIRE(comes(result));
    CHECK(result.get().cause == std::errc::connection_refused);
    StartupGate gate{pool};
    std::future<void> opened = gate.async_wait(asio::use_future);
    gate.open();
    REQUIRE(comes(opened));
    Process process{strand};
    std::future<ExitStatus> ended;
    std::promise<void> started;
    asio::post(strand, [&] {
        static_cast<void>(process.start({.command = {"true"}}));
        ended = process.async_wait(asio::use_future);
        started.set_value();
    });
    std::future<void> has_started = started.get_future();
    REQUIRE(comes(has_started));
    REQUIRE(comes(ended));
    CHECK(ended.get().ok());
    pool.join();
}

TEST_CASE("a handler on another context may destroy the context of the operation") {
    // Everything lives on a strand, which must not be held when its context is destroyed.
    struct World {
        asio::io_context io = {};
        asio::strand<asio::io_context::executor_type> strand = asio::make_strand(io);
        std::optional<Process> process = {};
        std::optional<ExecProbe> exec = {};
        std::optional<TcpProbe> tcp = {};
        std::optional<FunctionProbe<bool (*)()>> function = {};
        std::optional<StartupGate> gate = {};
        std::optional<ProbeWorker<TcpProbe>> worker = {};
        std::optional<ProbeGroup<>> group = {};
        std::optional<SupervisedProcess> supervised = {};
    };
    asio::io_context elsewhere;
    const auto ends = [&](auto begin) {
        auto world = std::make_unique<World>();
        bool called = false;
        const auto handler = asio::bind_executor(elsewhere, [&](std::error_code, auto&&...) {
            called = true;
            world.reset();
        });
        begin(*world, handler);
        for (int turns = 0; !called && turns != 3000; ++turns) {
            world->io.restart();
            world->io.run_one_for(10ms);
            elsewhere.restart();
            elsewhere.poll();
        }
        CHECK(called);
    };
    ends([](World& its, auto handler) {
        its.process.emplace(its.strand);
        must(!its.process->start({.command = {"true"}}));
        its.process->async_wait(handler);
    });
    ends([](World& its, auto handler) {
        its.exec.emplace(its.strand, ExecAction{.command = {"true"}});
        its.exec->async_probe(20s, handler);
    });
    ends([](World& its, auto handler) {
        its.tcp.emplace(its.strand, TcpSocketAction{.port = 1});
        its.tcp->async_probe(20s, handler);
    });
    ends([](World& its, auto handler) {
        its.function.emplace(
            its.strand, +[] { return true; });
        its.function->async_probe(20s, handler);
    });
    ends([](World& its, auto handler) {
        its.gate.emplace(its.strand);
        its.gate->async_wait(handler);
        its.gate->open();
    });
    ends([](World& its, auto handler) {
        its.worker.emplace(TcpProbe{its.strand, {.port = 1}}, often);
        its.worker->async_wait(Health::failing, handler);
        its.worker->start();
    });
    ends([](World& its, auto handler) {
        its.group.emplace(its.strand);
        its.group->readiness(TcpProbe{its.strand, {.port = 1}}, often);
        its.group->start();
        its.group->async_stop(handler);
    });
    ends([](World& its, auto handler) {
        its.supervised.emplace(its.strand, ProcessSpec{.command = {"true"}});
        its.supervised->start();
        its.supervised->async_stop(handler);
    });
}

TEST_CASE("several threads run one io_context; each worker has its strand") {
    asio::io_context io;
    std::vector<std::thread> threads;
    std::vector<std::unique_ptr<ProbeWorker<TcpProbe>>> workers;
    asio::ip::tcp::acceptor acceptor{io, {asio::ip::address_v4::loopback(), 0}};
    std::vector<std::future<Verdict>> verdicts;
    StartupGate all{io};
    for (int i = 0; i != 6; ++i) {
        workers.push_back(std::make_unique<ProbeWorker<TcpProbe>>(
            TcpProbe{asio::make_strand(io), {.port = acceptor.local_endpoint().port()}}, often));
        workers.back()->opens(all);
        verdicts.push_back(workers.back()->async_wait(Health::passing, asio::use_future));
        workers.back()->start(); // while nothing runs the context any thread will do
    }
    std::future<void> opened = all.async_wait(asio::use_future);
    for (int i = 0; i != 4; ++i) threads.emplace_back([&] { io.run(); });
    for (auto& each : verdicts) {
        REQUIRE(comes(each));
        CHECK(each.get().passed());
    }
    REQUIRE(comes(opened));
    for (auto& each : workers) asio::post(each->get_executor(), [&each] { each.reset(); });
    for (auto& each : threads) each.join(); // run() returns when the last worker has gone
}
