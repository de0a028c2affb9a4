// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/probes/function_probe.hpp>

#include <chrono>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>
#include <asio/strand.hpp>
#include <asio/this_coro.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/probes/probe.hpp>

using namespace probekit;
using namespace std::chrono_literals;

namespace {

struct Answer {
    std::error_code error;
    ProbeResult result;
};

template <class P>
Answer look(asio::io_context& io, P probe, Duration timeout = 5s) {
    std::optional<Answer> answer;
    probe.async_probe(timeout,
                      [&](std::error_code error, ProbeResult result) { answer.emplace(error, std::move(result)); });
    CHECK_FALSE(answer);
    io.restart();
    while (!answer) io.run_one_for(20s);
    return std::move(*answer);
}

// Says when it goes.
struct Alive {
    explicit Alive(bool& flag) : gone(&flag) {}
    Alive(Alive&& other) noexcept : gone(std::exchange(other.gone, nullptr)) {}
    ~Alive() {
        if (gone != nullptr) *gone = true;
    }
    bool* gone;
};

} // namespace

TEST_CASE("what a function returns is what the look gave") {
    asio::io_context io;
    CHECK(look(io, FunctionProbe{io, [] { return true; }}).result.outcome == Outcome::success);
    CHECK(look(io, FunctionProbe{io, [] { return false; }}).result.outcome == Outcome::failure);
    CHECK(look(io, FunctionProbe{io, [] { return Outcome::warning; }}).result.outcome == Outcome::warning);
    const auto [error, unknown] = look(io, FunctionProbe{io, [] { return Outcome::unknown; }});
    CHECK_FALSE(error); // a user's probe may say so
    CHECK(unknown.outcome == Outcome::unknown);
    const ProbeResult told = look(io, FunctionProbe{io, [] { return ProbeResult::failure("disk 97 % full"); }}).result;
    CHECK(told.outcome == Outcome::failure);
    CHECK(told.message() == "disk 97 % full");
    Duration given{};
    CHECK(look(io,
               FunctionProbe{io,
                             [&](Duration timeout) {
                                 given = timeout;
                                 return true;
                             }},
               3s)
              .result.passed());
    CHECK(given == 3s);
}

TEST_CASE("what a function throws is a look that failed, but for our own trouble") {
    asio::io_context io;
    const auto throwing = [&](auto thrown) {
        return look(io, FunctionProbe{io, [thrown]() -> bool { throw thrown; }});
    };
    const Answer code = throwing(std::system_error{std::make_error_code(std::errc::connection_refused)});
    CHECK_FALSE(code.error);
    CHECK(code.result.outcome == Outcome::failure);
    CHECK(code.result.cause == std::errc::connection_refused);
    const Answer text = throwing(std::runtime_error{"no quorum"});
    CHECK_FALSE(text.error);
    CHECK(text.result.output == "no quorum");
    CHECK(throwing(std::system_error{std::make_error_code(std::errc::too_many_files_open)}).error ==
          std::errc::too_many_files_open);
    CHECK(throwing(std::bad_alloc{}).error == std::errc::not_enough_memory);
    CHECK(throwing(42).error == Errc::probe_threw);
}

TEST_CASE("a plain function's timeout is looked at afterwards") {
    asio::io_context io;
    const auto [error, result] = look(io,
                                      FunctionProbe{io,
                                                    [] {
                                                        const auto until = std::chrono::steady_clock::now() + 3ms;
                                                        while (std::chrono::steady_clock::now() < until) {}
                                                        return true;
                                                    }},
                                      1ms);
    CHECK_FALSE(error);
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.cause == Errc::timed_out);
}

TEST_CASE("a function runs on the probe's executor") {
    asio::thread_pool pool{2};
    const auto strand = asio::make_strand(pool);
    FunctionProbe probe{strand, [strand] { return strand.running_in_this_thread(); }};
    CHECK(probe.async_probe(5s, asio::use_future).get().passed());
}

TEST_CASE("the callable outlives its probe for as long as a look needs it") {
    asio::io_context io;
    bool gone = false, told = false;
    {
        FunctionProbe probe{io, [alive = Alive{gone}] { return true; }};
        probe.async_probe(5s, [&](std::error_code, const ProbeResult& result) { told = result.passed(); });
    }
    CHECK_FALSE(gone);
    io.run();
    CHECK(told);
    CHECK(gone);
}

TEST_CASE("a look that has not begun can be cancelled") {
    asio::io_context io;
    asio::cancellation_signal signal;
    int calls = 0;
    std::error_code told;
    FunctionProbe probe{io, [&] { return ++calls > 0; }};
    probe.async_probe(5s, asio::bind_cancellation_slot(
                              signal.slot(), [&](std::error_code error, const ProbeResult&) { told = error; }));
    signal.emit(asio::cancellation_type::total);
    io.run();
    CHECK(told == asio::error::operation_aborted);
    CHECK(calls == 0);
}

#if defined(ASIO_HAS_CO_AWAIT)

TEST_CASE("a coroutine answers, now or later") {
    asio::io_context io;
    CHECK(look(io, FunctionProbe{io, []() -> asio::awaitable<bool> { co_return true; }}).result.passed());
    CHECK(look(io, FunctionProbe{io,
                                 []() -> asio::awaitable<Outcome> {
                                     asio::steady_timer timer{co_await asio::this_coro::executor, 1ms};
                                     co_await timer.async_wait(asio::use_awaitable);
                                     co_return Outcome::warning;
                                 }})
              .result.outcome == Outcome::warning);
    const Answer refused = look(
        io,
        FunctionProbe{io, []() -> asio::awaitable<ProbeResult> {
                          asio::ip::tcp::socket socket{co_await asio::this_coro::executor};
                          co_await socket.async_connect({asio::ip::make_address("127.0.0.1"), 1}, asio::use_awaitable);
                          co_return ProbeResult::success();
                      }});
    CHECK_FALSE(refused.error);
    CHECK(refused.result.cause == std::errc::connection_refused);
}

TEST_CASE("a coroutine is cancelled at its timeout, and has left its frame before that is told") {
    asio::io_context io;
    bool left = false;
    const auto hang = [&left](Duration) -> asio::awaitable<bool> {
        const Alive frame{left};
        asio::steady_timer timer{co_await asio::this_coro::executor, 1h};
        co_await timer.async_wait(asio::use_awaitable);
        co_return true;
    };
    SECTION("timeout") {
        const auto [error, result] = look(io, FunctionProbe{io, hang}, 5ms);
        CHECK_FALSE(error);
        CHECK(result.outcome == Outcome::failure);
        CHECK(result.cause == Errc::timed_out);
        CHECK(left);
    }
    SECTION("cancellation") {
        asio::cancellation_signal signal;
        std::error_code told;
        FunctionProbe probe{io, hang};
        probe.async_probe(1h,
                          asio::bind_cancellation_slot(signal.slot(), [&](std::error_code error, const ProbeResult&) {
                              CHECK(left);
                              told = error;
                          }));
        io.poll();
        CHECK_FALSE(left);
        signal.emit(asio::cancellation_type::partial);
        while (!told) io.run_one_for(20s);
        CHECK(told == asio::error::operation_aborted);
    }
    SECTION("the context goes") {
        std::optional<asio::io_context> other{std::in_place};
        FunctionProbe{*other, hang}.async_probe(1h, [](std::error_code, const ProbeResult&) { FAIL("told"); });
        other->poll();
        other.reset();
        CHECK(left);
    }
}

TEST_CASE("a coroutine that takes no notice of its cancellation counts as it answers") {
    asio::io_context io;
    const auto [error, result] =
        look(io,
             FunctionProbe{io,
                           []() -> asio::awaitable<bool> {
                               asio::steady_timer timer{co_await asio::this_coro::executor, 1h};
                               try {
                                   co_await timer.async_wait(asio::use_awaitable);
                               } catch (const std::system_error&) {}
                               co_return true;
                           }},
             5ms);
    CHECK_FALSE(error);
    CHECK(result.passed());
}

#endif
