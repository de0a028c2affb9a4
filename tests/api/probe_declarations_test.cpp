// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// What the room probes promises, written as a user writes it: each type, member, and what it takes.
#include <chrono>
#include <concepts>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>

#include <catch2/catch_test_macros.hpp>

#include <probekit/probekit.hpp>

#include "tools.hpp"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

using IoExecutor = asio::io_context::executor_type;
using Strand = asio::strand<IoExecutor>;

template <template <class> class Basic, class Action>
constexpr bool is_built_in() {
    using Any = Basic<asio::any_io_executor>;
    static_assert(std::is_same_v<typename Any::executor_type, asio::any_io_executor>);
    static_assert(std::is_same_v<typename Basic<IoExecutor>::executor_type, IoExecutor>);
    static_assert(
        std::is_same_v<typename Any::template rebind_executor<Strand>::other, Basic<Strand>>);
    static_assert(std::is_same_v<decltype(std::declval<const Any&>().action()), const Action&>);
    static_assert(
        std::is_same_v<decltype(std::declval<const Any&>().get_executor()), asio::any_io_executor>);
    static_assert(noexcept(std::declval<const Any&>().action())&& noexcept(
        std::declval<const Any&>().get_executor()));
    static_assert(Probe<Any> && Probe<Basic<IoExecutor>> && Probe<Basic<Strand>>);
    static_assert(std::is_move_assignable_v<Any> && std::is_nothrow_move_constructible_v<Any>);
    static_assert(std::is_constructible_v<Any, asio::io_context&, Action>);
    static_assert(std::is_constructible_v<Any, asio::thread_pool&, Action>);
    static_assert(std::is_constructible_v<Any, const IoExecutor&, Action> &&
                  std::is_constructible_v<Any, Strand, Action>);
    static_assert(std::is_constructible_v<Any, asio::thread_pool::executor_type, Action>);
    static_assert(std::is_constructible_v<Any, asio::any_io_executor, Action>);
    static_assert(std::is_constructible_v<Basic<IoExecutor>, asio::io_context&, Action>);
    static_assert(!std::is_constructible_v<Basic<IoExecutor>, asio::thread_pool&, Action>);
    static_assert(std::is_constructible_v<Basic<Strand>, Strand, Action>);
    static_assert(!std::is_constructible_v<Any, Action> &&
                  !std::is_constructible_v<Any, int, Action>);
    static_assert(Any::enforces_timeout);
    return true;
}
static_assert(is_built_in<BasicTcpProbe, TcpSocketAction>());
static_assert(is_built_in<BasicHttpGetProbe, HttpGetAction>());
static_assert(is_built_in<BasicExecProbe, ExecAction>());
static_assert(std::is_same_v<TcpProbe, BasicTcpProbe<>> &&
              std::is_same_v<ExecProbe, BasicExecProbe<>> &&
              std::is_same_v<HttpGetProbe, BasicHttpGetProbe<>> &&
              std::is_same_v<AnyProbe, BasicAnyProbe<>>);
static_assert(std::is_constructible_v<TcpProbe, asio::io_context&, TcpSocketAction, TcpOptions>);
static_assert(std::is_constructible_v<ExecProbe, asio::io_context&, ExecAction, ExecOptions>);
static_assert(std::is_constructible_v<HttpGetProbe, asio::io_context&, HttpGetAction, HttpOptions>);
static_assert(std::is_same_v<ProbeSignature, void(std::error_code, ProbeResult)>);

// The shortest probe of a user's own that api allows.
struct OwnProbe {
    using executor_type = asio::any_io_executor;
    executor_type executor;
    executor_type get_executor() const noexcept { return executor; }
    template <class Token>
    auto async_probe(Duration, Token&& token) {
        return asio::async_initiate<Token, ProbeSignature>(
            [where = executor](auto handler) {
                const auto on = asio::get_associated_executor(handler, where);
                asio::post(on, [handler = std::move(handler)]() mutable {
                    std::move(handler)(std::error_code{}, ProbeResult::success());
                });
            },
            token);
    }
};
static_assert(Probe<OwnProbe>);
struct NoExecutor {
    template <class Token>
    auto async_probe(Duration, Token&&) {}
};
static_assert(!Probe<NoExecutor> && !Probe<int>);

// Probe lists: implicit from any probe, movable only.
static_assert(std::is_convertible_v<TcpProbe, AnyProbe> &&
              std::is_convertible_v<ExecProbe, AnyProbe> &&
              std::is_convertible_v<HttpGetProbe, AnyProbe> &&
              std::is_convertible_v<OwnProbe, AnyProbe> &&
              std::is_convertible_v<BasicTcpProbe<IoExecutor>, AnyProbe>);
static_assert(!std::is_copy_constructible_v<AnyProbe> &&
              std::is_nothrow_move_constructible_v<AnyProbe> &&
              std::is_nothrow_move_assignable_v<AnyProbe>);
static_assert(!std::is_convertible_v<int, AnyProbe> && Probe<AnyProbe>);
static_assert(std::is_same_v<decltype(make_probe(std::declval<const asio::any_io_executor&>(),
                                                 std::declval<ProbeAction>())),
                             AnyProbe>);
static_assert(std::is_aggregate_v<ProbeOptions>);

asio::awaitable<bool> coroutine() { co_return true; }
ProbeResult plain_function(Duration) { return ProbeResult::success(); }

struct Attempt {
    int notified = 0;
    std::error_code error = {};
    ProbeResult result = {};
    auto handler() {
        return [this](std::error_code ec, ProbeResult found) {
            ++notified;
            error = ec;
            result = std::move(found);
        };
    }
};

template <class P>
Attempt attempt_of(asio::io_context& io, P probe, Duration timeout = 20s) {
    Attempt attempt;
    probe.async_probe(timeout, attempt.handler());
    CHECK(attempt.notified == 0);
    CHECK(run_until(io, [&] { return attempt.notified != 0; }));
    CHECK(attempt.notified == 1);
    return attempt;
}

} // namespace

TEST_CASE("every kind of executor and context is taken") {
    asio::io_context io;
    asio::thread_pool pool{1};
    const auto strand = asio::make_strand(io);
    const TcpProbe from_context{io, {.port = 1}};
    CHECK(from_context.get_executor() == io.get_executor());
    CHECK(from_context.action().port == 1);
    const TcpProbe from_executor{io.get_executor(),
                                 TcpSocketAction{.host = "localhost", .port = 1}};
    CHECK(from_executor.action().host == "localhost");
    const HttpGetProbe from_pool{
        pool, {.port = 1, .path = "/healthz"}, {.redirects = Redirects::none}};
    CHECK(from_pool.get_executor() == pool.get_executor());
    CHECK(from_pool.action().path == "/healthz");
    const ExecProbe from_strand{strand, {.command = {"true"}}, {.kill_grace = 1s}};
    CHECK(from_strand.get_executor() == strand);
    const BasicTcpProbe<Strand> on_strand{strand, {.port = 1}, {.source_address = "127.0.0.1"}};
    CHECK(on_strand.get_executor() == strand);
    const BasicTcpProbe<IoExecutor> on_io{io, {.port = 1}};
    CHECK(on_io.get_executor() == io.get_executor());
    const asio::any_io_executor any{io.get_executor()};
    const TcpProbe from_any{any, {.port = 1}};
    CHECK(from_any.get_executor() == any);
    const FunctionProbe function{strand, [] { return true; }};
    CHECK(function.get_executor() == strand);
    const FunctionProbe on_pool{pool, [] { return true; }};
    CHECK(on_pool.get_executor() == pool.get_executor());
    const FunctionProbe<ProbeResult (*)(Duration), IoExecutor> typed{io, plain_function};
    CHECK(typed.get_executor() == io.get_executor());
}

TEST_CASE("mistakes in settings are one exception with all of them") {
    asio::io_context io;
    CHECK_THROWS_AS((TcpProbe{io, {}}), ConfigException);
    CHECK_THROWS_AS((ExecProbe{io, {}}), ConfigException);
    CHECK_THROWS_AS((HttpGetProbe{io, {.port = 1, .headers = {{"a", "b\r\nc: d"}}}}),
                    ConfigException);
    CHECK_THROWS_AS(make_probe(io.get_executor(), TcpSocketAction{}), ConfigException);
    try {
        const HttpGetProbe probe{io, {.scheme = HttpScheme::https}};
        FAIL("https needs the tls room");
    } catch (const ConfigException& exception) {
        REQUIRE(exception.errors().size() == 2);
        CHECK(exception.errors()[0].field == "port");
        CHECK(exception.errors()[1].field == "scheme");
    }
}

TEST_CASE("each built-in probe works alone") {
    asio::io_context io;
    Server server{io, ok_answer};

    const Attempt tcp = attempt_of(io, TcpProbe{io, {.port = server.port()}});
    CHECK_FALSE(tcp.error);
    CHECK(tcp.result.outcome == Outcome::success);
    CHECK(tcp.result.phase == Phase::finish);
    CHECK_FALSE(tcp.result.cause);

    const Attempt http =
        attempt_of(io, HttpGetProbe{io, {.port = server.port()}, {.keep_output = true}});
    CHECK(http.result.passed());
    CHECK(http.result.status == 200);
    CHECK(http.result.output == "ok");
    Duration sum{};
    for (const Duration part : http.result.times) sum += part;
    CHECK(sum == http.result.elapsed());

    server.answer(sick_answer);
    const Attempt sick = attempt_of(io, HttpGetProbe{io, {.port = server.port()}});
    CHECK_FALSE(sick.error);
    CHECK(sick.result.outcome == Outcome::failure);
    CHECK(sick.result.cause == Errc::http_status);
    CHECK(sick.result.status == 503);
    CHECK(sick.result.output == "sick");
    CHECK(sick.result.message() == "HTTP probe failed with statuscode: 503");

    const std::uint16_t closed = closed_port(io);
    const Attempt refused = attempt_of(io, TcpProbe{io, {.port = closed}});
    CHECK_FALSE(refused.error);
    CHECK(refused.result.outcome == Outcome::failure);
    CHECK(refused.result.cause == std::errc::connection_refused);
    CHECK(refused.result.message() ==
          "dial tcp 127.0.0.1:" + std::to_string(closed) + ": connect: connection refused");

    const Attempt exec =
        attempt_of(io, ExecProbe{io, {.command = {"sh", "-c", "echo out; echo err >&2; exit 3"}}});
    CHECK_FALSE(exec.error);
    CHECK(exec.result.outcome == Outcome::failure);
    CHECK(exec.result.status == 3);
    CHECK(exec.result.cause == Errc::exit_status);
    CHECK(exec.result.output == "out\nerr\n");

    const Attempt missing = attempt_of(io, ExecProbe{io, {.command = {"/nonexistent/command"}}});
    CHECK(missing.error == std::errc::no_such_file_or_directory);
    CHECK(missing.result.outcome == Outcome::unknown);

    const Attempt killed = attempt_of(io, ExecProbe{io, {.command = {"sh", "-c", "kill -9 $$"}}});
    CHECK(killed.result.status == 137);
    CHECK(killed.result.cause == Errc::killed_by_signal);

    const Attempt late = attempt_of(io, ExecProbe{io, {.command = {"sleep", "60"}}}, 20ms);
    CHECK_FALSE(late.error);
    CHECK(late.result.outcome == Outcome::failure);
    CHECK(late.result.cause == std::errc::timed_out);
    CHECK(late.result.cause == Errc::timed_out);
}

TEST_CASE("a probe of a callable takes every form") {
    asio::io_context io;
    CHECK(attempt_of(io, FunctionProbe{io, [] { return true; }}).result.passed());
    CHECK_FALSE(attempt_of(io, FunctionProbe{io, [](Duration) { return false; }}).result.passed());
    CHECK(attempt_of(io, FunctionProbe{io, [] { return Outcome::warning; }}).result.outcome ==
          Outcome::warning);
    CHECK(attempt_of(io, FunctionProbe{io, [] { return ProbeResult::failure("full"); }})
              .result.message() == "full");
    CHECK(attempt_of(io, FunctionProbe{io, plain_function}).result.passed());
    CHECK(attempt_of(io, FunctionProbe{io, coroutine}).result.passed());
    CHECK(attempt_of(io, FunctionProbe{io,
                                       [](Duration) -> asio::awaitable<Outcome> {
                                           co_return Outcome::success;
                                       }})
              .result.passed());
    CHECK(attempt_of(io, FunctionProbe{io,
                                       []() -> asio::awaitable<ProbeResult> {
                                           co_return ProbeResult::warning("w");
                                       }})
              .result.output == "w");
    CHECK(
        attempt_of(io, FunctionProbe{io, [owned = std::make_unique<bool>(true)] { return *owned; }})
            .result.passed());
    int calls = 0;
    CHECK(attempt_of(io, FunctionProbe{io, [&calls, n = 0]() mutable { return calls = ++n, true; }})
              .result.passed());
    CHECK(calls == 1);
}

TEST_CASE("what a callable throws is reported as promised") {
    asio::io_context io;
    const Attempt system =
        attempt_of(io, FunctionProbe{io, []() -> bool {
                                         throw std::system_error{asio::error::connection_refused};
                                     }});
    CHECK_FALSE(system.error);
    CHECK(system.result.outcome == Outcome::failure);
    CHECK(system.result.cause == std::errc::connection_refused);
    const Attempt other = attempt_of(
        io, FunctionProbe{io, []() -> bool { throw std::runtime_error{"queue broke"}; }});
    CHECK_FALSE(other.error);
    CHECK(other.result.outcome == Outcome::failure);
    CHECK(other.result.output == "queue broke");
    const Attempt local =
        attempt_of(io, FunctionProbe{io, []() -> asio::awaitable<bool> {
                                         throw std::system_error{
                                             std::make_error_code(std::errc::too_many_files_open)};
                                         co_return true;
                                     }});
    CHECK(local.error == std::errc::too_many_files_open);
    CHECK(local.result.outcome == Outcome::unknown);
    CHECK(attempt_of(io, FunctionProbe{io, []() -> bool { throw std::bad_alloc{}; }}).error ==
          std::errc::not_enough_memory);
    CHECK(attempt_of(io, FunctionProbe{io, []() -> bool { throw 7; }}).error == Errc::probe_threw);
}

TEST_CASE("lists are made at run time") {
    asio::io_context io;
    Server server{io, ok_answer};
    std::vector<AnyProbe> probes;
    probes.push_back(TcpProbe{io, {.port = server.port()}});
    probes.emplace_back(HttpGetProbe{io, {.port = server.port()}});
    probes.push_back(FunctionProbe{io, [big = std::string(200, 'x')] { return !big.empty(); }});
    probes.push_back(OwnProbe{io.get_executor()});
    probes.push_back(make_probe(io.get_executor(), ExecAction{.command = {"true"}}));
    const ProbeAction action = HttpGetAction{.port = server.port()};
    probes.push_back(make_probe(io.get_executor(), action, {.http = {.max_requests = 1}}));
    probes.push_back(make_probe(io.get_executor(), TcpSocketAction{.port = server.port()},
                                ProbeOptions{.tcp = {.close = TcpClose::linger}}));
    int passed = 0;
    for (AnyProbe& probe : probes)
        probe.async_probe(20s, [&](std::error_code error, const ProbeResult& result) {
            passed += !error && result.passed();
        });
    probes.clear(); // their attempts own what they need
    CHECK(passed == 0);
    CHECK(run_until(io, [&] { return passed == 7; }));
}
