// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/probe_spec.hpp>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using namespace std::chrono_literals;

// Kubernetes' defaults.
static_assert(ProbeSpec{}.kind == ProbeKind::readiness);
static_assert(ProbeSpec{}.initial_delay == 0s);
static_assert(ProbeSpec{}.period == 10s);
static_assert(ProbeSpec{}.timeout == 1s);
static_assert(ProbeSpec{}.success_threshold == 1);
static_assert(ProbeSpec{}.failure_threshold == 3);
static_assert(!ProbeSpec{}.termination_grace_period);
static_assert(ProbeSpec{}.pacing == Pacing{});
// What Kubernetes does not have.
static_assert(ProbeSpec{}.error_threshold == 3);
static_assert(!ProbeSpec{}.error_threshold_local);
static_assert(Pacing{}.cadence == Cadence::grid && Pacing{}.spread == 0s && Pacing{}.jitter == 0s &&
              Pacing{}.seed == 0 && !Pacing{}.slack);

static_assert(is_valid(ProbeSpec{}));
static_assert(is_valid(ProbeSpec{
    .kind = ProbeKind::liveness, .period = 500ms, .failure_threshold = 2}));
static_assert(!is_valid(ProbeSpec{.kind = ProbeKind::liveness, .success_threshold = 2}));
static_assert(ProbeSpec{.period = 1s} == ProbeSpec{.period = 1000ms});
static_assert(ProbeSpec{.period = 1s} != ProbeSpec{.period = 2s});

TEST_CASE("Each mistake names its field, and is_valid agrees") {
    using Expected = std::vector<std::pair<std::string, std::string>>;
    const std::vector<std::pair<ProbeSpec, Expected>> table{
        {{}, {}},
        {{.initial_delay = Duration::max(), .period = 1ns, .timeout = Duration::max()},
         {}}, // no upper bounds, and none depends on another
        {{.kind = ProbeKind::startup, .termination_grace_period = 1ns}, {}},
        {{.success_threshold = 7}, {}},
        {{.pacing = {.spread = 1h, .jitter = 9s}}, {}},
        {{.pacing = {.jitter = 9s, .slack = 10s - 1ns}}, {}},
        {{.pacing = {.slack = 0s}}, {}},
        {{.initial_delay = -1ns}, {{"initial_delay", "must not be negative"}}},
        {{.period = 0s}, {{"period", "must be greater than zero"}}},
        {{.timeout = -1s}, {{"timeout", "must be greater than zero"}}},
        {{.success_threshold = 0}, {{"success_threshold", "must be greater than zero"}}},
        {{.kind = ProbeKind::liveness, .success_threshold = 0},
         {{"success_threshold", "must be greater than zero"}}},
        {{.kind = ProbeKind::liveness, .success_threshold = 2},
         {{"success_threshold", "must be 1"}}},
        {{.kind = ProbeKind::startup, .success_threshold = 2},
         {{"success_threshold", "must be 1"}}},
        {{.failure_threshold = -3}, {{"failure_threshold", "must be greater than zero"}}},
        {{.error_threshold = 0}, {}},
        {{.error_threshold = 65535, .error_threshold_local = true}, {}},
        {{.error_threshold = -1}, {{"error_threshold", "must not be negative"}}},
        {{.error_threshold = 65536}, {{"error_threshold", "must not be greater than 65535"}}},
        {{.termination_grace_period = 1s},
         {{"termination_grace_period", "must not be set for readiness"}}},
        {{.kind = ProbeKind::liveness, .termination_grace_period = 0s},
         {{"termination_grace_period", "must be greater than zero"}}},
        {{.pacing = {.spread = -1s}}, {{"pacing.spread", "must not be negative"}}},
        {{.pacing = {.jitter = -1s}}, {{"pacing.jitter", "must not be negative"}}},
        {{.pacing = {.jitter = 10s}}, {{"pacing.jitter", "must be less than period"}}},
        {{.pacing = {.slack = -1ns}}, {{"pacing.slack", "must not be negative"}}},
        {{.pacing = {.slack = 10s}}, {{"pacing.slack", "must be less than period"}}},
        {{.kind = ProbeKind::startup,
          .initial_delay = -1s,
          .period = 0s,
          .timeout = 0s,
          .success_threshold = 3,
          .failure_threshold = 0,
          .error_threshold = -2,
          .termination_grace_period = -1s,
          .pacing = {.spread = -1s, .jitter = -1s, .slack = -1s}},
         {{"initial_delay", "must not be negative"},
          {"period", "must be greater than zero"},
          {"timeout", "must be greater than zero"},
          {"success_threshold", "must be 1"},
          {"failure_threshold", "must be greater than zero"},
          {"error_threshold", "must not be negative"},
          {"termination_grace_period", "must be greater than zero"},
          {"pacing.spread", "must not be negative"},
          {"pacing.jitter", "must not be negative"},
          {"pacing.slack", "must not be negative"}}},
    };
    for (const auto& [spec, expected] : table) {
        Expected got;
        for (const ConfigError& error : validate(spec)) got.emplace_back(error.field, error.detail);
        CHECK(got == expected);
        CHECK(is_valid(spec) == expected.empty());
    }
}

// The target dies just after an attempt that passed: a period until the next check, two more
// periods, and the timeout of the last attempt.
static_assert(worst_case_detection(ProbeSpec{}) == 31s);
static_assert(worst_case_recovery(ProbeSpec{}) == 11s);
static_assert(worst_case_detection(ProbeSpec{
                  .period = 1s, .timeout = 3s, .failure_threshold = 2}) == 7s);
static_assert(worst_case_recovery(ProbeSpec{.period = 2s, .timeout = 1s, .success_threshold = 3}) ==
              7s);
static_assert(worst_case_detection(ProbeSpec{
                  .period = 2s, .failure_threshold = 1, .pacing = {.jitter = 500ms}}) == 3500ms);
static_assert(worst_case_detection(ProbeSpec{.period = 2s,
                                             .failure_threshold = 1,
                                             .pacing = {.jitter = 500ms, .slack = 100ms}}) ==
              3600ms);
static_assert(worst_case_recovery(ProbeSpec{.pacing = {.slack = 100ms}}) == 11100ms);
// "Never" plus anything is never.
static_assert(worst_case_detection(ProbeSpec{.period = Duration::max()}) == Duration::max());
static_assert(worst_case_detection(ProbeSpec{.timeout = Duration::max()}) == Duration::max());
static_assert(worst_case_detection(ProbeSpec{
                  .period = 24h, .failure_threshold = std::numeric_limits<int>::max()}) ==
              Duration::max());

// The nearest power of two to 1/128 of the period, and at most 2^23 ns.
static_assert(detail::automatic_slack(1s) == 8388608ns);    // of 7.8 ms
static_assert(detail::automatic_slack(500ms) == 4194304ns); // of 3.9 ms
static_assert(detail::automatic_slack(100ms) == 524288ns);  // of 0.78 ms
static_assert(detail::automatic_slack(10s) == 8388608ns);
static_assert(detail::automatic_slack(Duration::max()) == 8388608ns);
static_assert(detail::automatic_slack(128ns) == 1ns);
static_assert(detail::automatic_slack(127ns) == 0ns);

TEST_CASE("A check is moved to the next multiple of a power of two that its slack holds") {
    using detail::shared_moment;
    const auto moved = [](Duration due, Duration slack) {
        return shared_moment(TimePoint{due}, slack).time_since_epoch();
    };
    CHECK(moved(7ns, 0ns) == 7ns);
    CHECK(moved(7ns, 1ns) == 7ns);
    CHECK(moved(7ns, 4ns) == 8ns);
    CHECK(moved(8ns, 4ns) == 8ns);
    CHECK(moved(9ns, 7ns) == 12ns); // of 4
    CHECK(moved(-5ns, 4ns) == -4ns);
    CHECK(moved(Duration::max(), 1s) == Duration::max());
    CHECK(moved(Duration::max() - 1ns, Duration::max()) == Duration::max() - 1ns);
    for (const Duration slack : {Duration{3}, Duration{1000}, Duration{1s}, Duration{8388608}}) {
        for (Duration due = 0ns; due < 10s; due += 123456789ns) {
            const Duration late = moved(due, slack) - due;
            CHECK((late >= 0ns && late < slack));
        }
    }
}
