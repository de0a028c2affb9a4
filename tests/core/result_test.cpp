// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/go_text.hpp>
#include <probekit/core/result.hpp>

#include <cerrno>
#include <memory>
#include <string>
#include <type_traits>

#include <catch2/catch_test_macros.hpp>

#include "../tools/printing.hpp"

using namespace probekit;
using namespace std::chrono_literals;

static_assert(std::is_aggregate_v<ProbeResult>);
static_assert(std::is_nothrow_move_constructible_v<ProbeResult>);

TEST_CASE("A new result says nothing") {
    const ProbeResult result;
    CHECK(result.outcome == Outcome::unknown);
    CHECK(result.phase == Phase::none);
    CHECK(result.status == -1);
    CHECK_FALSE(result.cause);
    CHECK_FALSE(result.passed());
    CHECK(result.elapsed() == 0s);
    CHECK(result.message().empty());
}

TEST_CASE("Success and warning pass") {
    CHECK(ProbeResult::success().passed());
    CHECK(ProbeResult::warning("slow").passed());
    CHECK_FALSE(ProbeResult::failure("no").passed());
    CHECK_FALSE(ProbeResult::failure(Errc::timed_out).passed());
}

TEST_CASE("Results that a user's probe makes are complete") {
    const ProbeResult result =
        ProbeResult::failure("not today", make_error_code(Errc::exit_status));
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.phase == Phase::finish);
    CHECK(result.output == "not today");
    CHECK(result.output_bytes == 9);
    CHECK(result.cause == Errc::exit_status);
    CHECK(ProbeResult::success("ok").output == "ok");
    CHECK(ProbeResult::success().output_bytes == 0);
}

TEST_CASE("The message of a user's result is its output or, without one, its cause's") {
    CHECK(ProbeResult::failure("not today", Errc::exit_status).message() == "not today");
    CHECK(ProbeResult::failure(Errc::timed_out).message() ==
          make_error_code(Errc::timed_out).message());
    CHECK(ProbeResult::failure(std::make_error_code(std::errc::connection_refused)).message() ==
          std::make_error_code(std::errc::connection_refused).message());
    CHECK(ProbeResult::success("fine").message() == "fine");
    CHECK(ProbeResult::warning("hm").message(5s) == "hm");
}

namespace {
class AsioSystem final : public std::error_category {
    const char* name() const noexcept override { return "asio.system"; }
    std::string message(int) const override { return {}; }
} const asio_system;
} // namespace

TEST_CASE("Causes are converted by to_std") {
    CHECK(ProbeResult::failure(std::error_code{ECONNREFUSED, asio_system}).cause ==
          std::errc::connection_refused);
    CHECK(ProbeResult::failure("x", std::error_code{ECONNREFUSED, asio_system}).cause ==
          std::errc::connection_refused);
}

TEST_CASE("Phase times add up to the total, by construction") {
    ProbeResult result;
    Duration next = 1ms;
    for (Duration& time : result.times) time = std::exchange(next, next * 2);
    CHECK(result.elapsed() == 511ms);
    CHECK(result.time_in(Phase::none) == 0s);
    CHECK(result.time_in(Phase::resolve) == 1ms);
    CHECK(result.time_in(Phase::connect) == 2ms);
    CHECK(result.time_in(Phase::finish) == 256ms);
}

TEST_CASE("The probe's context renders the message, with the timeout to show") {
    struct Named final : detail::MessageContext {
        std::string message(const ProbeResult& result,
                            std::optional<Duration> shown) const override {
            return result.output + (shown ? "/" + go_duration(*shown) : std::string{"/as it ran"});
        }
    };
    ProbeResult result = ProbeResult::failure("out");
    result.target = std::make_shared<Named>();
    CHECK(result.message() == "out/as it ran");
    CHECK(result.message(2s) == "out/2s");
}
