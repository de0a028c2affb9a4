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

TEST_CASE("steps come in order, the last one repeats, copies share them") {
    asio::io_context io;
    ManualClock clock{io};
    const std::error_code none = std::make_error_code(std::errc::too_many_files_open);
    ScriptedProbe probe{
        clock, {Outcome::success, ProbeResult::failure("text"), none, {Outcome::warning, 2s}}};
    ScriptedProbe copy = probe;
    std::vector<std::string> told;
    const auto look = [&](ScriptedProbe& one) {
        one.async_probe(1s, [&](std::error_code error, const ProbeResult& result) {
            told.push_back(
                (error ? "error " : "") + std::string{to_string(result.outcome)} + result.output +
                " " +
                std::to_string(
                    std::chrono::duration_cast<std::chrono::seconds>(result.elapsed()).count()));
        });
        clock.run_ready();
    };
    look(probe);
    look(copy);
    look(probe);
    look(copy);
    CHECK(told == std::vector<std::string>{"success 0", "failuretext 0", "error unknown 0"});
    CHECK(probe.in_flight() == 1);
    clock.advance(2s);
    CHECK(told.back() == "warning 2");
    look(probe);
    clock.advance(2s);
    CHECK(told.size() == 5);
    CHECK(told.back() == "warning 2");
    CHECK(copy.attempts() == 5);
    probe.push(Outcome::failure); // the one before no longer repeats
    look(probe);
    CHECK(told.back() == "failure 0");
    look(probe);
    CHECK(told.size() == 7);
    CHECK(told.back() == "failure 0");
}

TEST_CASE("a step that hangs ends when it is cancelled, or with its context") {
    std::optional<asio::io_context> io{std::in_place};
    std::optional<ManualClock> clock{std::in_place, *io};
    std::optional<ScriptedProbe> probe{std::in_place, *clock,
                                       std::initializer_list<Step>{Step::hang()}};
    asio::cancellation_signal signal;
    std::error_code told;
    probe->async_probe(
        1s, asio::bind_cancellation_slot(
                signal.slot(), [&](std::error_code error, const ProbeResult&) { told = error; }));
    clock->advance(1h);
    CHECK_FALSE(told);
    CHECK(probe->in_flight() == 1);
    SECTION("cancelled") {
        signal.emit(asio::cancellation_type::terminal);
        CHECK_FALSE(told); // from the loop
        clock->run_ready();
        CHECK(told == asio::error::operation_aborted);
        CHECK(probe->in_flight() == 0);
    }
    SECTION("the context goes") {
        clock.reset();
        io.reset();
        CHECK_FALSE(told);
        CHECK(probe->in_flight() == 0);
    }
}

TEST_CASE("an answer on its way, or due at this very moment, is not cancelled any more") {
    asio::io_context io;
    ManualClock clock{io};
    ScriptedProbe probe{clock, {{Outcome::success, 1s}, Outcome::success}};
    asio::cancellation_signal signal;
    std::optional<std::error_code> told;
    const auto handler = [&] {
        return asio::bind_cancellation_slot(
            signal.slot(), [&](std::error_code error, const ProbeResult&) { told = error; });
    };
    SECTION("over before it is told") {
        static_cast<void>(probe.async_probe(1s, [](std::error_code, const ProbeResult&) {}));
        probe.async_probe(1s, handler());
        signal.emit(asio::cancellation_type::terminal);
        clock.run_ready();
        CHECK(told == std::error_code{});
    }
    SECTION("in time") {
        probe.async_probe(1s, handler());
        clock.advance(1s - 1ns);
        signal.emit(asio::cancellation_type::terminal);
        clock.run_ready();
        CHECK(told == asio::error::operation_aborted);
        CHECK(probe.in_flight() == 0);
        clock.advance(1h);
    }
}

TEST_CASE(
    "a success at the very moment of the timeout is a success, a nanosecond later it is none") {
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

TEST_CASE("a script without steps succeeds, one with a code could not ask") {
    asio::io_context io;
    ManualClock clock{io};
    std::optional<std::error_code> told;
    const auto look = [&](ScriptedProbe probe) {
        probe.async_probe(1s, [&](std::error_code error, const ProbeResult&) { told = error; });
        clock.run_ready();
    };
    look(ScriptedProbe{clock, {}});
    CHECK(told == std::error_code{});
    look(ScriptedProbe{clock, {Errc::status_lost}});
    CHECK(told == Errc::status_lost);
}
