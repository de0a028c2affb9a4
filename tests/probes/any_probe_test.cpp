// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/probes/any_probe.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/async_result.hpp>
#include <asio/bind_allocator.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/probes/function_probe.hpp>
#include <probekit/probes/probe.hpp>
#include <probekit/testing/manual_clock.hpp>
#include <probekit/testing/scripted_probe.hpp>

#include "../tools/loopback.hpp"
#include "probe_once.hpp"

using namespace probekit;
using namespace std::chrono_literals;

static_assert(Probe<AnyProbe>);
static_assert(!std::is_copy_constructible_v<AnyProbe>);
static_assert(std::is_nothrow_move_constructible_v<AnyProbe>);
static_assert(std::is_convertible_v<TcpProbe, AnyProbe>);

namespace {

// Larger than what fits inside AnyProbe; records its destruction.
struct Large {
    using executor_type = asio::any_io_executor;
    Large(executor_type where, int& count) : executor(std::move(where)), alive(&count) { ++*alive; }
    Large(Large&& other) noexcept : executor(other.executor), alive(other.alive) { ++*alive; }
    ~Large() { --*alive; }
    [[nodiscard]] executor_type get_executor() const { return executor; }
    template <class Token>
    auto async_probe(Duration, Token&& token) {
        return asio::async_initiate<Token, ProbeSignature>(
            [this](auto handler) {
                asio::post(executor, [handler = std::move(handler)]() mutable {
                    std::move(handler)(std::error_code{}, ProbeResult::warning("large"));
                });
            },
            token);
    }
    executor_type executor;
    int* alive;
    std::array<char, 200> room{};
};

// A user's probe that completes inside the cancelling call.
struct EndsWhenCancelled {
    using executor_type = asio::any_io_executor;
    [[nodiscard]] executor_type get_executor() const { return where; }
    template <class Handler>
    void async_probe(Duration, Handler handler) {
        auto slot = asio::get_associated_cancellation_slot(handler);
        slot.assign(
            [handler = std::make_shared<Handler>(std::move(handler))](asio::cancellation_type) {
                std::move (*handler)(asio::error::operation_aborted, ProbeResult{});
            });
    }
    executor_type where;
};

// As large as what fits inside AnyProbe; reports its address.
struct Small {
    using executor_type = asio::io_context::executor_type;
    [[nodiscard]] executor_type get_executor() const { return where; }
    template <class Handler>
    void async_probe(Duration, Handler handler) {
        asio::post(where, [self = this, handler = std::move(handler)]() mutable {
            std::move(handler)(std::error_code{}, ProbeResult::success(std::to_string(
                                                      reinterpret_cast<std::uintptr_t>(self))));
        });
    }
    executor_type where;
    std::array<char, 64 - sizeof(executor_type)> room{};
};
static_assert(sizeof(Small) == 64);

} // namespace

TEST_CASE("a list of AnyProbe holds probes of every kind") {
    asio::io_context io;
    tools::LoopbackServer server{io, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
    std::vector<AnyProbe> probes;
    probes.push_back(TcpProbe{io, {.port = server.port()}});
    probes.push_back(HttpGetProbe{io, {.port = server.port()}});
    probes.push_back(ExecProbe{io, {.command = {"true"}}});
    probes.push_back(FunctionProbe{io, [] { return true; }});
    probes.push_back(BasicTcpProbe<asio::io_context::executor_type>{io, {.port = server.port()}});
    for (AnyProbe& probe : probes) {
        CHECK(probe_once(io, probe).result.passed());
        CHECK(probe.get_executor() == io.get_executor());
    }
    CHECK(probes.front().enforces_timeout());
}

TEST_CASE("AnyProbe moves large probes by their address and destroys them once") {
    asio::io_context io;
    int alive = 0;
    {
        AnyProbe probe = Large{io.get_executor(), alive};
        CHECK(alive == 1);
        CHECK_FALSE(probe.enforces_timeout());
        AnyProbe moved = std::move(probe);
        CHECK(alive == 1);
        CHECK(probe_once(io, moved).result.message() == "large");
        moved = TcpProbe{io, {.port = 1}};
        CHECK(alive == 0);
        moved = Large{io.get_executor(), alive};
    }
    CHECK(alive == 0);
}

TEST_CASE("an attempt through AnyProbe can be cancelled like any other") {
    asio::io_context io;
    const tools::FullBacklog full{io};
    asio::cancellation_signal signal;
    std::optional<Completion> answer;
    const auto handler = [&] {
        return asio::bind_cancellation_slot(signal.slot(),
                                            [&](std::error_code error, ProbeResult result) {
                                                answer.emplace(error, std::move(result));
                                            });
    };
    SECTION("a built-in probe") {
        AnyProbe probe = TcpProbe{io, {.port = full.port()}};
        probe.async_probe(1h, handler());
        io.poll();
        signal.emit(asio::cancellation_type::total);
        while (!answer) io.run_one_for(20s);
    }
    SECTION("a user's probe, through its slot") {
        testing::ManualClock clock{io};
        AnyProbe probe = testing::ScriptedProbe{clock, {testing::Step::hang()}};
        probe.async_probe(1h, handler());
        io.poll();
        signal.emit(asio::cancellation_type::terminal);
        io.poll();
    }
    REQUIRE(answer);
    CHECK(answer->error == asio::error::operation_aborted);
    CHECK_FALSE(signal.slot().has_handler());
}

TEST_CASE("AnyProbe completes on the handler's executor, also on a pool of threads") {
    asio::io_context io, other;
    AnyProbe probe = FunctionProbe{io, [] { return true; }};
    bool completed = false;
    probe.async_probe(
        5s, asio::bind_executor(other.get_executor(),
                                [&](std::error_code, const ProbeResult&) { completed = true; }));
    io.run();
    CHECK_FALSE(completed);
    other.run();
    CHECK(completed);
    asio::thread_pool pool{2};
    AnyProbe on_strand = TcpProbe{asio::make_strand(pool), {.port = 1}};
    CHECK(on_strand.async_probe(5s, asio::use_future).get().outcome == Outcome::failure);
}

TEST_CASE("the context may be destroyed while an attempt through AnyProbe is pending") {
    std::optional<asio::io_context> io{std::in_place};
    const tools::FullBacklog full{*io};
    AnyProbe probe = TcpProbe{*io, {.port = full.port()}};
    probe.async_probe(1h, [](std::error_code, const ProbeResult&) { FAIL("completed"); });
    io->poll();
}

TEST_CASE("make_probe makes the probe of the settings") {
    asio::io_context io;
    tools::LoopbackServer server{io, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"};
    AnyProbe http = make_probe(io.get_executor(), HttpGetAction{.port = server.port()},
                               {.http = {.keep_output = true}});
    CHECK(probe_once(io, http).result.output == "ok");
    AnyProbe tcp = make_probe(io.get_executor(), TcpSocketAction{.port = server.port()});
    CHECK(probe_once(io, tcp).result.passed());
    AnyProbe exec = make_probe(io.get_executor(), ExecAction{.command = {"sh", "-c", "exit 4"}});
    CHECK(probe_once(io, exec).result.status == 4);
    CHECK_THROWS_AS(make_probe(io.get_executor(), ExecAction{}), ConfigException);
    const HttpGetAction with_scheme{.host = "http://localhost", .port = server.port()};
    CHECK_THROWS_AS(make_probe(io.get_executor(), with_scheme), ConfigException);
    // What was read from Kubernetes can be asked nothing, but that is said by the attempt.
    AnyProbe any_host = make_probe(io.get_executor(), with_scheme, {.http = {.any_host = true}});
    const Completion wrong = probe_once(io, any_host);
    CHECK(wrong.error);
    CHECK(wrong.result.outcome == Outcome::unknown);
    AnyProbe from_settings =
        make_probe(io.get_executor(), ProbeSettings{.action = HttpGetAction{.port = server.port()},
                                                    .options = {.http = {.keep_output = true}}});
    CHECK(probe_once(io, from_settings).result.output == "ok");
}

namespace {

/// As the makers of two optional rooms that do not know each other.
struct GrpcMaker {
    std::string output;

    AnyProbe operator()(const asio::any_io_executor& executor, GrpcAction action,
                        const ProbeOptions&) const {
        return FunctionProbe{executor, [text = output + action.service] {
                                 ProbeResult result;
                                 result.output = text;
                                 return result;
                             }};
    }
};

struct HttpMaker {
    AnyProbe operator()(const asio::any_io_executor& executor, const HttpGetAction&,
                        const ProbeOptions& options) const {
        return make_probe(executor, ExecAction{.command = {"printf", options.http.user_agent}},
                          {.exec = {.keep_output = true}});
    }
};

} // namespace

TEST_CASE("makers stand beside each other, the first that takes the action makes the probe") {
    asio::io_context io;
    const auto output = [&](const ProbeSettings& settings, const auto&... makers) {
        AnyProbe probe = make_probe(io.get_executor(), settings, makers...);
        return probe_once(io, probe).result.output;
    };
    const ProbeSettings grpc{.action = GrpcAction{.port = 1, .service = "s"}};
    const ProbeSettings http{.action = HttpGetAction{.port = 1},
                             .options = {.http = {.user_agent = "agent"}}};
    CHECK(output(grpc, HttpMaker{}, GrpcMaker{"a"}, GrpcMaker{"b"}) == "as");
    CHECK(output(http, GrpcMaker{"a"}, HttpMaker{}) == "agent");
    CHECK(output({.action = ExecAction{.command = {"printf", "x"}},
                  .options = {.exec = {.keep_output = true}}},
                 GrpcMaker{"a"}, HttpMaker{}) == "x");
}

TEST_CASE("a gRPC probe without a maker is a mistake in the settings") {
    asio::io_context io;
    try {
        static_cast<void>(make_probe(io.get_executor(), GrpcAction{.port = 1}));
        FAIL("made");
    } catch (const ConfigException& error) {
        CHECK(error.errors() == ConfigErrors{{"grpc", "needs a maker of gRPC probes"}});
    }
}

TEST_CASE("a user's function is called from the event loop, on its executor, behind AnyProbe as "
          "before it") {
    asio::io_context io, other;
    int calls = 0;
    bool on_executor = false;
    AnyProbe probe = FunctionProbe{io, [&] {
                                       on_executor = io.get_executor().running_in_this_thread();
                                       return ++calls == 1;
                                   }};
    std::optional<Completion> answer;
    const auto handler = [&] {
        return asio::bind_executor(other.get_executor(),
                                   [&](std::error_code error, ProbeResult result) {
                                       answer.emplace(error, std::move(result));
                                   });
    };
    SECTION("started from outside the loop") { probe.async_probe(5s, handler()); }
    SECTION("started from the loop") {
        asio::post(io, [&] {
            probe.async_probe(5s, handler());
            CHECK(calls == 0);
        });
    }
    SECTION("the probe is destroyed meanwhile") {
        AnyProbe moved = std::move(probe);
        moved.async_probe(5s, handler());
    }
    CHECK(calls == 0);
    io.run();
    CHECK(calls == 1);
    CHECK(on_executor);
    CHECK_FALSE(answer);
    other.run();
    REQUIRE(answer);
    CHECK(answer->result.passed());
}

TEST_CASE("the handler's memory is freed before the handler is called") {
    asio::io_context io;
    testing::ManualClock clock{io};
    int blocks = 0, when_told = -1;
    const auto handler = [&] {
        return asio::bind_allocator(
            CountingAllocator<void>{blocks},
            [&](std::error_code, const ProbeResult&) { when_told = blocks; });
    };
    SECTION("started from outside the loop") {
        AnyProbe probe = TcpProbe{io, {.port = 1}};
        probe.async_probe(5s, handler());
        CHECK(blocks > 0);
        io.run();
    }
    SECTION("completed inside the call") {
        AnyProbe probe = TcpProbe{io, {.port = 1}};
        asio::post(io, [&] { probe.async_probe(5s, handler()); });
        io.run();
    }
    SECTION("a user's probe") {
        AnyProbe probe = testing::ScriptedProbe{clock, {Outcome::success}};
        probe.async_probe(5s, handler());
        clock.run_ready();
    }
    SECTION("cancelled, by a probe that ends inside the cancelling call") {
        asio::cancellation_signal signal;
        AnyProbe probe = EndsWhenCancelled{io.get_executor()};
        probe.async_probe(5s, asio::bind_cancellation_slot(signal.slot(), handler()));
        signal.emit(asio::cancellation_type::partial);
        CHECK(when_told == -1);
        io.run();
        CHECK_FALSE(signal.slot().has_handler());
    }
    CHECK(when_told == 0);
    CHECK(blocks == 0);
}

TEST_CASE("attempts through AnyProbe may overlap") {
    asio::io_context io;
    testing::ManualClock clock{io};
    AnyProbe probe =
        testing::ScriptedProbe{clock, {{Outcome::success, 2s}, {Outcome::failure, 1s}}};
    std::vector<Outcome> completed;
    for (int i = 0; i != 2; ++i)
        probe.async_probe(5s, [&](std::error_code, const ProbeResult& result) {
            completed.push_back(result.outcome);
        });
    clock.advance(2s);
    CHECK(completed == std::vector{Outcome::failure, Outcome::success});
}

TEST_CASE("small probes lie inside AnyProbe, others take one allocation") {
    asio::io_context io;
    AnyProbe probe = Small{io.get_executor()};
    const auto at = std::stoull(probe_once(io, probe).result.output);
    const auto begin = reinterpret_cast<std::uintptr_t>(&probe);
    CHECK(at >= begin);
    CHECK(at < begin + sizeof probe);
}
