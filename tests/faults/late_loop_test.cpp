// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// An event loop that is late, or a program that was stopped as a whole: the target had no
// time, and is not blamed.
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <system_error>
#include <utility>

#include <unistd.h>

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/probes/exec_probe.hpp>
#include <probekit/probes/function_probe.hpp>
#include <probekit/probes/http_get_probe.hpp>

#include "faulty_server.hpp"
#include "watched.hpp"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

constexpr Duration timeout = 150ms;

/// Blocks the loop until the deadline of an attempt that has just started is long
/// past.
void block() {
    const auto until = std::chrono::steady_clock::now() + 3 * timeout;
    while (std::chrono::steady_clock::now() < until) {}
}

/// Stops this whole program, and has another process continue it once the deadline is long past.
void suspend() {
    const std::string pid = std::to_string(::getpid());
    // Waits until the program has been stopped; the sleep makes the stop long.
    const std::string resume = "(until grep -q '^State:.T' /proc/" + pid +
                               "/status; do sleep 0.01; done; sleep 0.5; kill -CONT " + pid + ") &";
    REQUIRE(std::system(resume.c_str()) == 0);
    ::raise(SIGSTOP);
}

} // namespace

TEST_CASE("a response that arrived while the loop was busy counts") {
    asio::io_context io;
    const FaultyServer server{io, {"HTTP/1.1 200 OK\r\n\r\n", Fault::Then::closes}};
    const Watched seen = watch(io, HttpGetProbe{io, {.port = server.port()}}, timeout, &block);
    CHECK_FALSE(seen.error);
    CHECK(seen.counted);
    CHECK(seen.result.passed());
}

TEST_CASE("a command that ended in time while the loop was busy passes") {
    asio::io_context io;
    const Watched seen =
        watch(io, ExecProbe{io, {.command = {"/bin/sh", "-c", "exit 0"}}}, timeout, &block);
    CHECK_FALSE(seen.error);
    CHECK(seen.counted);
    CHECK(seen.result.passed());
}

TEST_CASE("a coroutine that a busy loop kept from running gets its time") {
    asio::io_context io;
    const FunctionProbe probe{io, []() -> asio::awaitable<bool> {
                                  asio::steady_timer timer{co_await asio::this_coro::executor};
                                  for (int step = 0; step != 2; ++step) {
                                      timer.expires_after(2ms);
                                      co_await timer.async_wait(asio::use_awaitable);
                                  }
                                  co_return true;
                              }};
    const Watched seen = watch(io, probe, timeout, &block);
    CHECK_FALSE(seen.error);
    CHECK(seen.result.passed());
}

TEST_CASE("a target that does not answer still fails after a busy loop") {
    asio::io_context io;
    const FaultyServer server{io, {}};
    const Watched seen = watch(io, HttpGetProbe{io, {.port = server.port()}}, timeout, &block);
    CHECK_FALSE(seen.error);
    CHECK(seen.counted);
    CHECK(seen.result.cause == Errc::timed_out);
}

TEST_CASE("a command that hangs still fails after a busy loop") {
    asio::io_context io;
    const Watched seen =
        watch(io, ExecProbe{io, {.command = {"/bin/sleep", "100"}}}, timeout, &block);
    CHECK_FALSE(seen.error);
    CHECK(seen.counted);
    CHECK(seen.result.cause == Errc::timed_out);
}

TEST_CASE("a program that was stopped and goes on does not blame the target") {
    asio::io_context io;
    const FaultyServer server{io, {"HTTP/1.1 200 OK\r\n\r\n", Fault::Then::closes}};
    const Watched seen = watch(io, HttpGetProbe{io, {.port = server.port()}}, timeout, &suspend);
    CHECK_FALSE(seen.error);
    CHECK(seen.counted);
    CHECK(seen.result.passed());
}
