// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/probes/function_probe.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/awaitable.hpp>
#include <asio/bind_allocator.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
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
#include <catch2/generators/catch_generators.hpp>

#include <probekit/probes/probe.hpp>

#include "probe_once.hpp"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

// Records its destruction.
struct Alive {
    explicit Alive(bool& flag) : destroyed(&flag) {}
    Alive(Alive&& other) noexcept : destroyed(std::exchange(other.destroyed, nullptr)) {}
    ~Alive() {
        if (destroyed != nullptr) *destroyed = true;
    }
    bool* destroyed;
};

} // namespace

TEST_CASE("the result of an attempt is what the function returns") {
    asio::io_context io;
    CHECK(probe_once(io, FunctionProbe{io, [] { return true; }}).result.outcome ==
          Outcome::success);
    CHECK(probe_once(io, FunctionProbe{io, [] { return false; }}).result.outcome ==
          Outcome::failure);
    CHECK(probe_once(io, FunctionProbe{io, [] { return Outcome::warning; }}).result.outcome ==
          Outcome::warning);
    const auto [error, unknown] =
        probe_once(io, FunctionProbe{io, [] { return Outcome::unknown; }});
    CHECK_FALSE(error); // a user's probe may report that
    CHECK(unknown.outcome == Outcome::unknown);
    const ProbeResult completed =
        probe_once(io, FunctionProbe{io, [] { return ProbeResult::failure("disk 97 % full"); }})
            .result;
    CHECK(completed.outcome == Outcome::failure);
    CHECK(completed.message() == "disk 97 % full");
    Duration given{};
    CHECK(probe_once(io,
                     FunctionProbe{io,
                                   [&](Duration timeout) {
                                       given = timeout;
                                       return true;
                                   }},
                     3s)
              .result.passed());
    CHECK(given == 3s);
}

TEST_CASE("an exception of a function is a failure, unless it is a local fault") {
    asio::io_context io;
    const auto throwing = [&](auto thrown) {
        return probe_once(io, FunctionProbe{io, [thrown]() -> bool { throw thrown; }});
    };
    const Completion code =
        throwing(std::system_error{std::make_error_code(std::errc::connection_refused)});
    CHECK_FALSE(code.error);
    CHECK(code.result.outcome == Outcome::failure);
    CHECK(code.result.cause == std::errc::connection_refused);
    const Completion text = throwing(std::runtime_error{"no quorum"});
    CHECK_FALSE(text.error);
    CHECK(text.result.output == "no quorum");
    CHECK(throwing(std::system_error{std::make_error_code(std::errc::too_many_files_open)}).error ==
          std::errc::too_many_files_open);
    CHECK(throwing(std::bad_alloc{}).error == std::errc::not_enough_memory);
    CHECK(throwing(42).error == Errc::probe_threw);
}

TEST_CASE("the timeout of a plain function is checked afterwards") {
    asio::io_context io;
    const auto [error, result] =
        probe_once(io,
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

TEST_CASE("the callable outlives its probe for as long as an attempt needs it") {
    asio::io_context io;
    bool destroyed = false, completed = false;
    {
        FunctionProbe probe{io, [alive = Alive{destroyed}] { return true; }};
        probe.async_probe(
            5s, [&](std::error_code, const ProbeResult& result) { completed = result.passed(); });
    }
    CHECK_FALSE(destroyed);
    io.run();
    CHECK(completed);
    CHECK(destroyed);
}

TEST_CASE("an attempt can be cancelled before the function is called") {
    asio::io_context io;
    asio::cancellation_signal signal;
    int calls = 0;
    std::error_code completed;
    FunctionProbe probe{io, [&] { return ++calls > 0; }};
    probe.async_probe(5s, asio::bind_cancellation_slot(
                              signal.slot(), [&](std::error_code error, const ProbeResult&) {
                                  completed = error;
                              }));
    signal.emit(asio::cancellation_type::total);
    io.run();
    CHECK(completed == asio::error::operation_aborted);
    CHECK(calls == 0);
}

TEST_CASE("a busy loop is not blamed on the target") {
    asio::io_context io;
    const auto busy = [] {
        const auto until = std::chrono::steady_clock::now() + 20ms;
        while (std::chrono::steady_clock::now() < until) {}
    };
    const auto asked_while_busy = [&](auto probe) {
        asio::post(io, busy); // the attempt waits behind it
        return probe_once(io, std::move(probe), 10ms);
    };
    CHECK(asked_while_busy(FunctionProbe{io, [] { return true; }}).result.passed());
#if defined(ASIO_HAS_CO_AWAIT)
    CHECK(asked_while_busy(
              FunctionProbe{io,
                            []() -> asio::awaitable<bool> {
                                asio::steady_timer timer{co_await asio::this_coro::executor, 1us};
                                co_await timer.async_wait(asio::use_awaitable);
                                co_return true;
                            }})
              .result.passed());
#endif
}

TEST_CASE("times that the user sets stay, otherwise the time of the call is reported") {
    asio::io_context io;
    CHECK(probe_once(io, FunctionProbe{io, [] { return true; }}).result.elapsed() > 0ns);
    const ProbeResult timed = probe_once(io, FunctionProbe{io,
                                                           [] {
                                                               ProbeResult result =
                                                                   ProbeResult::success();
                                                               result.times[0] = 7h;
                                                               return result;
                                                           }})
                                  .result;
    CHECK(timed.passed()); // the times it reports do not count for the timeout
    CHECK(timed.elapsed() == 7h);
}

TEST_CASE("a result that is returned by reference is copied") {
    asio::io_context io;
    const ProbeResult standing = ProbeResult::warning("as ever");
    FunctionProbe probe{io, [&]() -> const ProbeResult& { return standing; }};
    CHECK(probe_once(io, std::move(probe)).result.output == "as ever");
    CHECK(standing.output == "as ever");
}

TEST_CASE("a copy of a probe has a callable of its own") {
    asio::io_context io;
    FunctionProbe probe{io, [calls = 0]() mutable { return ++calls == 1; }};
    FunctionProbe copy = probe;
    CHECK(probe_once(io, std::move(probe)).result.passed());
    CHECK(probe_once(io, std::move(copy)).result.passed());
    static_assert(!std::is_copy_constructible_v<decltype(FunctionProbe{
                      io, [own = std::unique_ptr<int>{}] { return !own; }})>);
}

TEST_CASE("the handler may start the next attempt, destroy the probe, or throw") {
    asio::io_context io;
    int calls = 0, completed = 0;
    auto probe =
        std::make_unique<FunctionProbe<std::function<bool()>>>(io, [&] { return ++calls > 0; });
    probe->async_probe(5s, [&](std::error_code, const ProbeResult&) {
        probe->async_probe(5s, [&](std::error_code, const ProbeResult&) {
            ++completed;
            throw 7;
        });
        probe.reset();
        ++completed;
    });
    CHECK_THROWS_AS(io.run(), int); // the handler's exception is not the attempt's
    CHECK(calls == 2);
    CHECK(completed == 2);
}

TEST_CASE("the context may be destroyed before the function is called") {
    std::optional<asio::io_context> io{std::in_place};
    bool destroyed = false;
    FunctionProbe{*io, [alive = Alive{destroyed}]() -> bool { throw 1; }}.async_probe(
        5s, [](std::error_code, const ProbeResult&) { FAIL("completed"); });
    CHECK_FALSE(destroyed);
    io.reset();
    CHECK(destroyed);
}

#if defined(ASIO_HAS_CO_AWAIT)

TEST_CASE("a coroutine may answer at once or later") {
    asio::io_context io;
    CHECK(probe_once(io, FunctionProbe{io, []() -> asio::awaitable<bool> { co_return true; }})
              .result.passed());
    CHECK(
        probe_once(
            io, FunctionProbe{io,
                              []() -> asio::awaitable<Outcome> {
                                  asio::steady_timer timer{co_await asio::this_coro::executor, 1ms};
                                  co_await timer.async_wait(asio::use_awaitable);
                                  co_return Outcome::warning;
                              }})
            .result.outcome == Outcome::warning);
    const Completion refused = probe_once(
        io, FunctionProbe{io, []() -> asio::awaitable<ProbeResult> {
                              asio::ip::tcp::socket socket{co_await asio::this_coro::executor};
                              co_await socket.async_connect(
                                  {asio::ip::make_address("127.0.0.1"), 1}, asio::use_awaitable);
                              co_return ProbeResult::success();
                          }});
    CHECK_FALSE(refused.error);
    CHECK(refused.result.cause == std::errc::connection_refused);
}

TEST_CASE("a coroutine is cancelled at its timeout, and has left its frame before the attempt "
          "completes") {
    asio::io_context io;
    bool left = false;
    const auto hang = [&left](Duration) -> asio::awaitable<bool> {
        const Alive frame{left};
        asio::steady_timer timer{co_await asio::this_coro::executor, 1h};
        co_await timer.async_wait(asio::use_awaitable);
        co_return true;
    };
    SECTION("timeout") {
        const auto [error, result] = probe_once(io, FunctionProbe{io, hang}, 5ms);
        CHECK_FALSE(error);
        CHECK(result.outcome == Outcome::failure);
        CHECK(result.cause == Errc::timed_out);
        CHECK(left);
    }
    SECTION("cancellation") {
        asio::cancellation_signal signal;
        std::error_code completed;
        FunctionProbe probe{io, hang};
        probe.async_probe(1h, asio::bind_cancellation_slot(
                                  signal.slot(), [&](std::error_code error, const ProbeResult&) {
                                      CHECK(left);
                                      completed = error;
                                  }));
        io.poll();
        CHECK_FALSE(left);
        signal.emit(asio::cancellation_type::partial);
        while (!completed) io.run_one_for(20s);
        CHECK(completed == asio::error::operation_aborted);
    }
    SECTION("the context is destroyed") {
        std::optional<asio::io_context> other{std::in_place};
        FunctionProbe{*other, hang}.async_probe(
            1h, [](std::error_code, const ProbeResult&) { FAIL("completed"); });
        other->poll();
        other.reset();
        CHECK(left);
    }
}

TEST_CASE("the answer of a coroutine that ignores its cancellation counts") {
    asio::io_context io;
    const auto [error, result] = probe_once(
        io,
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

TEST_CASE("a cancelled coroutine gives no answer, however it reacts") {
    asio::io_context io;
    const bool throws = GENERATE(false, true);
    FunctionProbe probe{io, [throws]() -> asio::awaitable<bool> {
                            asio::steady_timer timer{co_await asio::this_coro::executor, 1h};
                            try {
                                co_await timer.async_wait(asio::use_awaitable);
                            } catch (const std::system_error&) {
                                if (throws) throw std::runtime_error{"why?"};
                            }
                            co_return true;
                        }};
    asio::cancellation_signal signal;
    std::optional<Completion> answer;
    probe.async_probe(1h, asio::bind_cancellation_slot(
                              signal.slot(), [&](std::error_code error, ProbeResult result) {
                                  answer.emplace(error, std::move(result));
                              }));
    io.poll();
    signal.emit(asio::cancellation_type::terminal);
    CHECK_FALSE(answer);
    io.run();
    REQUIRE(answer);
    CHECK(answer->error == asio::error::operation_aborted);
    CHECK(answer->result.outcome == Outcome::unknown);
    CHECK(answer->result.output.empty());
    CHECK_FALSE(signal.slot().has_handler());
}

TEST_CASE("the answer of a coroutine that ends just before its cancellation counts") {
    asio::io_context io;
    asio::cancellation_signal signal;
    FunctionProbe probe{io, [&]() -> asio::awaitable<bool> {
                            co_await asio::post(asio::use_awaitable);
                            signal.emit(asio::cancellation_type::terminal);
                            co_return true;
                        }};
    int blocks = 0, when_told = -1;
    std::optional<Completion> answer;
    probe.async_probe(
        1h, asio::bind_allocator(CountingAllocator<void>{blocks},
                                 asio::bind_cancellation_slot(
                                     signal.slot(), [&](std::error_code error, ProbeResult result) {
                                         when_told = blocks;
                                         answer.emplace(error, std::move(result));
                                     })));
    io.run();
    REQUIRE(answer);
    CHECK_FALSE(answer->error);
    CHECK(answer->result.passed());
    CHECK(when_told == 0); // nothing of the attempt is left, nor of the late cancellation
}

TEST_CASE("at its timeout a coroutine may still report another failure") {
    asio::io_context io;
    const ProbeResult result =
        probe_once(
            io,
            FunctionProbe{io,
                          []() -> asio::awaitable<bool> {
                              asio::steady_timer timer{co_await asio::this_coro::executor, 1h};
                              try {
                                  co_await timer.async_wait(asio::use_awaitable);
                              } catch (const std::system_error&) {
                                  throw std::runtime_error{"stuck on shard 3"};
                              }
                              co_return true;
                          }},
            5ms)
            .result;
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.message() == "stuck on shard 3");
}

TEST_CASE("an exception of a coroutine is mapped like a function's, also before its first step") {
    asio::io_context io;
    const auto code_of = [&](auto thrown) {
        return probe_once(io, FunctionProbe{io,
                                            [thrown]() -> asio::awaitable<Outcome> {
                                                co_await asio::post(asio::use_awaitable);
                                                throw thrown;
                                            }})
            .error;
    };
    CHECK(code_of(std::bad_alloc{}) == std::errc::not_enough_memory);
    CHECK(code_of(std::system_error{std::make_error_code(std::errc::too_many_files_open)}) ==
          std::errc::too_many_files_open);
    CHECK(code_of(42) == Errc::probe_threw);
    CHECK_FALSE(code_of(std::runtime_error{"no"}));
    // A function that is not a coroutine itself, but makes one.
    const Completion made = probe_once(io, FunctionProbe{io, [](Duration) -> asio::awaitable<bool> {
                                                             throw std::runtime_error{"not today"};
                                                         }});
    CHECK_FALSE(made.error);
    CHECK(made.result.output == "not today");
}

TEST_CASE("coroutines, their timeouts and cancellations on a strand of several threads") {
    asio::thread_pool pool{4};
    std::atomic<int> answers = 0;
    for (int i = 0; i != 100; ++i) {
        const auto strand = asio::make_strand(pool);
        // The timer, the timeout and the cancellation come at about the same time.
        auto probe = std::make_shared<FunctionProbe<std::function<asio::awaitable<bool>()>>>(
            strand, []() -> asio::awaitable<bool> {
                asio::steady_timer timer{co_await asio::this_coro::executor, 1ms};
                co_await timer.async_wait(asio::use_awaitable);
                co_return true;
            });
        auto signal = std::make_shared<asio::cancellation_signal>();
        asio::post(strand, [&answers, strand, probe, signal, i] {
            probe->async_probe(
                i % 2 == 0 ? 1ms : 1h,
                asio::bind_executor(
                    strand,
                    asio::bind_cancellation_slot(
                        signal->slot(),
                        [&answers, signal](std::error_code, const ProbeResult&) { ++answers; })));
            if (i % 3 == 0)
                asio::post(strand, [signal] { signal->emit(asio::cancellation_type::terminal); });
        });
    }
    pool.join();
    CHECK(answers == 100);
}

#endif
