// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/testing/scripted_probe.hpp>

#include <chrono>
#include <initializer_list>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/core/error.hpp>
#include <probekit/probes/probe.hpp>
#include <probekit/runtime/probe_worker.hpp>
#include <probekit/testing/manual_clock.hpp>

using namespace probekit;
using namespace std::chrono_literals;
using testing::ManualClock;
using testing::ScriptedProbe;
using testing::Step;

static_assert(Probe<ScriptedProbe>);

TEST_CASE("steps come in order, the last one repeats, and copies share them") {
    asio::io_context io;
    ManualClock clock{io};
    const std::error_code none = std::make_error_code(std::errc::too_many_files_open);
    ScriptedProbe probe{
        clock, {Outcome::success, ProbeResult::failure("text"), none, {Outcome::warning, 2s}}};
    ScriptedProbe copy = probe;
    std::vector<std::string> reported;
    const auto attempt = [&](ScriptedProbe& one) {
        one.async_probe(1s, [&](std::error_code error, const ProbeResult& result) {
            reported.push_back(
                (error ? "error " : "") + std::string{to_string(result.outcome)} + result.output +
                " " +
                std::to_string(
                    std::chrono::duration_cast<std::chrono::seconds>(result.elapsed()).count()));
        });
        clock.run_ready();
    };
    attempt(probe);
    attempt(copy);
    attempt(probe);
    attempt(copy);
    CHECK(reported == std::vector<std::string>{"success 0", "failuretext 0", "error unknown 0"});
    CHECK(probe.in_flight() == 1);
    clock.advance(2s);
    CHECK(reported.back() == "warning 2");
    attempt(probe);
    clock.advance(2s);
    CHECK(reported.size() == 5);
    CHECK(reported.back() == "warning 2");
    CHECK(copy.attempts() == 5);
    probe.push(Outcome::failure); // the one before no longer repeats
    attempt(probe);
    CHECK(reported.back() == "failure 0");
    attempt(probe);
    CHECK(reported.size() == 7);
    CHECK(reported.back() == "failure 0");
}

TEST_CASE("a step that hangs ends when it is cancelled, or when its context is shut down") {
    std::optional<asio::io_context> io{std::in_place};
    std::optional<ManualClock> clock{std::in_place, *io};
    std::optional<ScriptedProbe> probe{std::in_place, *clock,
                                       std::initializer_list<Step>{Step::hang()}};
    asio::cancellation_signal signal;
    std::error_code reported;
    probe->async_probe(1s, asio::bind_cancellation_slot(
                               signal.slot(), [&](std::error_code error, const ProbeResult&) {
                                   reported = error;
                               }));
    clock->advance(1h);
    CHECK_FALSE(reported);
    CHECK(probe->in_flight() == 1);
    SECTION("cancelled") {
        signal.emit(asio::cancellation_type::terminal);
        CHECK_FALSE(reported); // the handler runs in the event loop
        clock->run_ready();
        CHECK(reported == asio::error::operation_aborted);
        CHECK(probe->in_flight() == 0);
    }
    SECTION("its context is shut down") {
        clock.reset();
        io.reset();
        CHECK_FALSE(reported);
        CHECK(probe->in_flight() == 0);
    }
}

TEST_CASE("a result that is posted, or due at this very moment, is not cancelled any more") {
    asio::io_context io;
    ManualClock clock{io};
    ScriptedProbe probe{clock, {{Outcome::success, 1s}, Outcome::success}};
    asio::cancellation_signal signal;
    std::optional<std::error_code> reported;
    const auto handler = [&] {
        return asio::bind_cancellation_slot(
            signal.slot(), [&](std::error_code error, const ProbeResult&) { reported = error; });
    };
    SECTION("posted, or due now") {
        static_cast<void>(probe.async_probe(1s, [](std::error_code, const ProbeResult&) {}));
        probe.async_probe(1s, handler());
        signal.emit(asio::cancellation_type::terminal);
        clock.run_ready();
        CHECK(reported == std::error_code{});
    }
    SECTION("still running") {
        probe.async_probe(1s, handler());
        clock.advance(1s - 1ns);
        signal.emit(asio::cancellation_type::terminal);
        clock.run_ready();
        CHECK(reported == asio::error::operation_aborted);
        CHECK(probe.in_flight() == 0);
        clock.advance(1h);
    }
}

TEST_CASE("a success at the very moment of the timeout counts, one a nanosecond later does not") {
    asio::io_context io;
    ManualClock clock{io};
    ScriptedProbe probe{clock, {{Outcome::success, 1s}, {Outcome::success, 1s + 1ns}}};
    ProbeWorker worker{clock, probe, ProbeSpec{.period = 10s, .timeout = 1s}};
    worker.start();
    clock.advance(1s);
    CHECK(worker.snapshot().last_outcome == Outcome::success);
    clock.advance(10s);
    CHECK(worker.snapshot().last_outcome == Outcome::failure);
    CHECK(worker.snapshot().last_cause == Errc::timed_out);
    CHECK(probe.in_flight() == 0);
}

TEST_CASE("without steps a probe succeeds, with an error code it ends with a prober error") {
    asio::io_context io;
    ManualClock clock{io};
    std::optional<std::error_code> reported;
    const auto attempt = [&](ScriptedProbe probe) {
        probe.async_probe(1s, [&](std::error_code error, const ProbeResult&) { reported = error; });
        clock.run_ready();
    };
    attempt(ScriptedProbe{clock, {}});
    CHECK(reported == std::error_code{});
    attempt(ScriptedProbe{clock, {Errc::status_lost}});
    CHECK(reported == Errc::status_lost);
}
