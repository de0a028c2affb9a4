// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/verdict.hpp>

#include <string>

#include <catch2/catch_test_macros.hpp>

#include "../tools/printing.hpp"

using namespace probekit;

static_assert(to_string(WorkerState::stopped) == "stopped");
static_assert(to_string(WorkerState::gated) == "gated");
static_assert(to_string(WorkerState::waiting) == "waiting");
static_assert(to_string(WorkerState::probing) == "probing");
static_assert(to_string(WorkerState::on_hold) == "on_hold");
static_assert(to_string(WorkerState::paused) == "paused");
static_assert(to_string(WorkerState::no_target) == "no_target");
static_assert(to_string(WorkerState::ended) == "ended");
static_assert(to_string(Verdict::Origin::result) == "result");
static_assert(to_string(Verdict::Origin::target_replaced) == "target_replaced");
static_assert(to_string(Verdict::Origin::target_gone) == "target_gone");
static_assert(to_string(Verdict::Origin::terminating) == "terminating");
static_assert(to_string(Verdict::Origin::prober_error) == "prober_error");
static_assert(to_string(Verdict::Origin::restored) == "restored");

static_assert(std::is_trivially_copyable_v<WorkerSnapshot>); // so that taking one allocates nothing

TEST_CASE("A verdict has passed or failed, or neither") {
    CHECK(Verdict{.health = Health::passing}.passed());
    CHECK_FALSE(Verdict{.health = Health::passing}.failed());
    CHECK(Verdict{.health = Health::failing}.failed());
    CHECK_FALSE(Verdict{}.passed());
    CHECK_FALSE(Verdict{}.failed());
}

TEST_CASE("A reason has the kubelet's words and the result's message") {
    CHECK(Verdict{.kind = ProbeKind::liveness,
                  .health = Health::failing,
                  .result = ProbeResult::failure("gone fishing")}
              .reason() == "Liveness probe failed: gone fishing");
    CHECK(Verdict{.kind = ProbeKind::readiness,
                  .health = Health::passing,
                  .result = ProbeResult::warning("slow")}
              .reason() == "Readiness probe warning: slow");
    CHECK(Verdict{.kind = ProbeKind::startup,
                  .health = Health::passing,
                  .result = ProbeResult::success("x")}
              .reason() == "Startup probe succeeded");
    CHECK(Verdict{.kind = ProbeKind::startup, .health = Health::failing}.reason() ==
          "Startup probe failed: ");
}

TEST_CASE("A user's policy may judge against the result") {
    CHECK(Verdict{.kind = ProbeKind::liveness,
                  .health = Health::failing,
                  .result = ProbeResult::success("slow")}
              .reason() == "Liveness probe failed: slow");
    CHECK(Verdict{.kind = ProbeKind::liveness,
                  .health = Health::passing,
                  .result = ProbeResult::failure("flaky")}
              .reason() == "Liveness probe succeeded");
    CHECK(Verdict{.kind = ProbeKind::liveness, .result = ProbeResult::success()}.reason() ==
          "Liveness probe is undecided");
}

TEST_CASE("A verdict for prober errors has the kubelet's words and the error's text") {
    ProbeResult result;
    result.cause = std::make_error_code(std::errc::permission_denied);
    Verdict verdict{
        .kind = ProbeKind::liveness, .origin = Verdict::Origin::prober_error, .result = result};
    CHECK(verdict.errored());
    CHECK_FALSE(verdict.passed());
    CHECK_FALSE(verdict.failed());
    CHECK(verdict.reason() ==
          "Liveness probe errored and resulted in unknown state: " + result.cause.message());
    verdict.origin = Verdict::Origin::restored;
    verdict.health = Health::passing;
    CHECK_FALSE(verdict.errored());
    CHECK(verdict.reason() == "Liveness probe can ask again: passing as before");
}

TEST_CASE("A verdict without a result says what happened to the target") {
    const auto reason = [](Verdict::Origin origin) {
        return Verdict{.health = Health::failing, .origin = origin}.reason();
    };
    CHECK(reason(Verdict::Origin::target_gone) == "target is gone");
    CHECK(reason(Verdict::Origin::target_replaced) == "target was replaced");
    CHECK(reason(Verdict::Origin::terminating) == "target is terminating");
}
