// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
//
// Workers on strands of a pool of threads: for the thread sanitizer.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/probekit.hpp>

using namespace probekit;
using namespace std::chrono_literals;

namespace {

// A worker that lives on a strand, with all that is done to it.
struct Actor {
    explicit Actor(asio::thread_pool& pool, std::uint16_t port)
        : strand(asio::make_strand(pool)),
          worker(std::in_place, TcpProbe{strand, {.port = port}},
                 ProbeSpec{.period = 1ms, .timeout = 5s, .failure_threshold = 1}) {}
    asio::strand<asio::thread_pool::executor_type> strand;
    std::optional<ProbeWorker<TcpProbe>> worker;
    int verdicts = 0; // on the strand
};

} // namespace

TEST_CASE(
    "workers on strands make attempts, are read from anywhere, triggered, paused and destroyed") {
    asio::thread_pool pool{4};
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor{io, {asio::ip::make_address("127.0.0.1"), 0}};
    const std::uint16_t open = acceptor.local_endpoint().port();
    StartupGate gate{pool};
    AttemptLimit limit{3};
    std::vector<std::unique_ptr<Actor>> actors;
    for (int i = 0; i != 8; ++i) {
        actors.push_back(std::make_unique<Actor>(pool, i % 2 == 0 ? open : std::uint16_t{1}));
        Actor& actor = *actors.back();
        asio::post(actor.strand, [&actor, &gate, &limit, i] {
            actor.worker->on_verdict([&actor](const Verdict&) { ++actor.verdicts; });
            actor.worker->limit(limit);
            if (i % 3 == 0)
                actor.worker->start(gate);
            else
                actor.worker->start();
        });
    }
    for (int round = 0; round != 60; ++round) {
        if (round % 2 == 0)
            gate.open();
        else
            gate.close();
        for (const auto& actor : actors) {
            std::promise<void> done;
            asio::post(actor->strand, [&, round] {
                ProbeWorker<TcpProbe>& worker = *actor->worker;
                switch (round % 6) {
                case 0: worker.probe_now(); break;
                case 1: worker.pause(); break;
                case 2: worker.resume(); break;
                case 3: worker.target_gone(); break;
                case 4: worker.target_replaced(); break;
                case 5:
                    static_cast<void>(worker.update({.period = 2ms, .failure_threshold = 1}));
                    break;
                }
                done.set_value();
            });
            static_cast<void>(actor->worker->health()); // from any thread
            done.get_future().get();
        }
    }
    gate.open();
    for (const auto& actor : actors) {
        std::promise<int> verdicts;
        asio::post(actor->strand, [&] {
            actor->worker.reset(); // perhaps in the middle of an attempt
            verdicts.set_value(actor->verdicts);
        });
        CHECK(verdicts.get_future().get() > 0);
    }
    pool.join(); // nothing keeps it at work any more
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("a probe is replaced on its worker's strand while other threads post to that") {
    asio::thread_pool pool{2};
    const auto strand = asio::make_strand(pool);
    StartupGate gate{pool};
    ProbeWorker worker{TcpProbe{strand, {.port = 1}}, ProbeSpec{.period = 1ms, .timeout = 5s}};
    const auto on_strand = [&](auto call) {
        std::promise<void> done;
        asio::post(strand, [&] {
            call();
            done.set_value();
        });
        done.get_future().get();
    };
    on_strand([&] { worker.start(gate); });
    std::atomic<bool> over = false;
    std::thread other{[&] {
        while (!over) gate.open(), gate.close();
    }};
    for (int i = 0; i != 100; ++i)
        on_strand([&] { worker.target_replaced(TcpProbe{strand, {.port = 1}}); });
    over = true;
    other.join();
    on_strand([&] { worker.stop(); });
    pool.join();
}

TEST_CASE("attempts by hand from several threads") {
    asio::thread_pool pool{4};
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor{io, {asio::ip::make_address("127.0.0.1"), 0}};
    std::atomic<int> ended = 0;
    for (int i = 0; i != 4; ++i)
        asio::post(pool, [&] {
            TcpProbe probe{asio::make_strand(pool), {.port = acceptor.local_endpoint().port()}};
            HttpGetProbe refused{asio::make_strand(pool), {.port = 1}};
            for (int j = 0; j != 25; ++j) {
                probe.async_probe(5s, [&](std::error_code, const ProbeResult&) { ++ended; });
                refused.async_probe(5s, [&](std::error_code, const ProbeResult&) { ++ended; });
            }
        });
    pool.join();
    CHECK(ended == 200);
}
