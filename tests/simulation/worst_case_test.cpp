#include <probekit/simulation/worst_case.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/simulation/simulate.hpp>

using namespace probekit;
using namespace probekit::simulation;
using namespace std::chrono_literals;
using What = Event::What;

namespace {

constexpr Cadence cadences[] = {Cadence::grid, Cadence::target_start};

/// Periods and timeouts on both sides of each other, with a delay that is no multiple of the
/// period.
std::vector<ProbeSpec> specs(ProbeKind kind) {
    std::vector<ProbeSpec> all;
    for (const Cadence cadence : cadences)
        for (const Duration period : {1s, 3s})
            for (const Duration timeout : {500ms, 1000ms, 4000ms})
                for (const int threshold : {1, 2, 3})
                    for (const Duration delay : {0ms, 2500ms})
                        all.push_back(
                            {.kind = kind,
                             .initial_delay = delay,
                             .period = period,
                             .timeout = timeout,
                             .success_threshold = kind == ProbeKind::readiness ? threshold : 1,
                             .failure_threshold = threshold,
                             .pacing = {.cadence = cadence}});
    return all;
}

/// An immediate response, so that attempts end in the moment in which they begin.
Response at_once(Outcome outcome) { return {.outcome = outcome, .takes = 0s}; }

} // namespace

TEST_CASE("worst cases are constants") {
    constexpr ProbeSpec spec{.kind = ProbeKind::liveness, .initial_delay = 1s, .period = 3s};
    STATIC_CHECK(worst_case_first_check(spec) == 4s);
    STATIC_CHECK(worst_case_give_up(spec) == 11s);
    STATIC_CHECK(allowed_start(spec) == 7s);
    STATIC_CHECK(allowed_start(spec, kubelet_start_precision) == 6s);
    STATIC_CHECK(worst_case_detection(spec) == 10s);
    STATIC_CHECK(worst_case_restart(spec) == 40s);
    STATIC_CHECK(worst_case_restart(spec, 0s) == 12s);
    constexpr ProbeSpec other{
        .kind = ProbeKind::startup,
        .initial_delay = 1s,
        .period = 3s,
        .termination_grace_period = 5s,
        .pacing = {.cadence = Cadence::target_start, .spread = 2s, .jitter = 1s}};
    STATIC_CHECK(worst_case_first_check(other) == 4s);
    STATIC_CHECK(worst_case_give_up(other) == 11s);
    STATIC_CHECK(worst_case_restart(other) == 16s);
}

TEST_CASE("durations without end give limits without end") {
    constexpr ProbeSpec never{
        .initial_delay = Duration::max(), .period = Duration::max(), .timeout = Duration::max()};
    STATIC_CHECK(worst_case_first_check(never) == Duration::max());
    STATIC_CHECK(worst_case_restart(never) == Duration::max());
    STATIC_CHECK(allowed_start(never) == Duration::max());
    STATIC_CHECK(worst_case_restart({}, Duration::max()) == Duration::max());
}

TEST_CASE("a failure is detected within the worst case, which is reached just after a successful "
          "check") {
    for (const ProbeSpec& spec : specs(ProbeKind::liveness)) {
        CAPTURE(spec.pacing.cadence, spec.initial_delay, spec.period, spec.timeout,
                spec.failure_threshold);
        Duration longest{};
        // The death moves over more than a period, past checks at whole and half seconds.
        for (Duration death = 10s; death <= 13s; death += 250ms) {
            for (const Duration after : {0ns, 1ns}) {
                const Responses responses = [&](const Check& check) {
                    return check.at < death + after ? at_once(Outcome::success) : hang();
                };
                const Timeline timeline = simulate(spec, {.responses = responses, .length = 1min});
                REQUIRE(timeline.first(What::kill));
                longest = std::max(longest, *timeline.first(What::kill) - death);
            }
        }
        CHECK(longest == worst_case_detection(spec));
    }
}

TEST_CASE("a target has ended within the worst case, which is reached if it ignores SIGTERM") {
    const auto grace = GENERATE(std::optional<Duration>{}, std::optional<Duration>{1s},
                                std::optional<Duration>{7s});
    ProbeSpec spec{.kind = ProbeKind::liveness,
                   .period = 3s,
                   .timeout = 4s,
                   .termination_grace_period = grace};
    const Responses responses = [](const Check& check) {
        return check.at <= 9s ? at_once(Outcome::success) : hang();
    };
    const Timeline timeline =
        simulate(spec, {.responses = responses, .runs = {ignores_sigterm()}, .length = 2min});
    CHECK(timeline.first(What::ended) == 9s + worst_case_restart(spec));
    CHECK(timeline.restarts().front() ==
          9s + worst_case_restart(spec)); // the first restart has no back-off
}

TEST_CASE("a recovery is detected within the worst case, which is reached just after a failed "
          "check") {
    for (const ProbeSpec& spec : specs(ProbeKind::readiness)) {
        CAPTURE(spec.pacing.cadence, spec.initial_delay, spec.period, spec.timeout,
                spec.success_threshold);
        Duration longest{};
        for (Duration recovery = 10s; recovery <= 13s; recovery += 250ms) {
            for (const Duration after : {0ns, 1ns}) {
                // Each successful attempt takes as long as its timeout allows.
                const Responses responses = [&](const Check& check) {
                    return check.at < recovery + after ? at_once(Outcome::failure)
                                                       : Response{.takes = spec.timeout};
                };
                const Timeline timeline = simulate(spec, {.responses = responses, .length = 1min});
                REQUIRE(timeline.first(What::ready));
                longest = std::max(longest, *timeline.first(What::ready) - recovery);
            }
        }
        CHECK(longest == worst_case_recovery(spec));
    }
}

TEST_CASE("with jitter and slack no detection takes longer than the worst case") {
    const Duration slack = GENERATE(Duration{}, Duration{1 << 29}); // none, and half a second
    ProbeSpec spec{
        .kind = ProbeKind::liveness, .period = 3s, .pacing = {.jitter = 2s, .slack = slack}};
    Duration longest{};
    for (spec.pacing.seed = 1; spec.pacing.seed <= 500; ++spec.pacing.seed) {
        Duration last_good{};
        const Responses responses = [&](const Check& check) {
            if (check.at > 30s) return hang();
            last_good = check.at;
            return at_once(Outcome::success);
        };
        const Timeline timeline = simulate(spec, {.responses = responses, .length = 1min});
        REQUIRE(timeline.first(What::kill));
        longest = std::max(longest, *timeline.first(What::kill) - last_good);
    }
    CHECK(longest <= worst_case_detection(spec));
    // But it comes close: as close as slack moves checks together.
    CHECK(longest > worst_case_detection(spec) - (slack == 0ns ? 200ms : slack + 300ms));
}

TEST_CASE("the first check and giving up come within the worst case, wherever the grid lies") {
    for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness}) {
        for (const ProbeSpec& spec : specs(kind)) {
            CAPTURE(kind, spec.pacing.cadence, spec.initial_delay, spec.period, spec.timeout,
                    spec.failure_threshold);
            const bool grid = spec.pacing.cadence == Cadence::grid;
            Duration first_check{};
            Duration give_up{};
            for (Duration starts_in = 0s; starts_in <= 3s; starts_in += 250ms) {
                for (const Duration after : {0ns, 1ns}) {
                    const Duration begins = starts_in + after;
                    const Timeline timeline = simulate(spec, {.responses = always(hang()),
                                                              .runs = {{.starts_in = begins}},
                                                              .length = 1min});
                    REQUIRE(timeline.first(What::kill));
                    first_check =
                        std::max(first_check, timeline.checks(kind).front().began() - begins);
                    give_up = std::max(give_up, *timeline.first(What::kill) - begins);
                }
            }
            // A point that was just missed was missed by a nanosecond here.
            CHECK(first_check == worst_case_first_check(spec) - (grid ? 1ns : 0ns));
            CHECK(give_up == worst_case_give_up(spec) - (grid ? 1ns : 0ns));
        }
    }
}

TEST_CASE("with a spread grid the first check comes within the worst case") {
    for (const Cadence cadence : cadences) {
        for (const Duration spread : {2s, 9s}) {
            ProbeSpec spec{.kind = ProbeKind::liveness,
                           .initial_delay = 1s,
                           .period = 3s,
                           .pacing = {.cadence = cadence, .spread = spread}};
            Duration longest{};
            for (spec.pacing.seed = 1; spec.pacing.seed <= 300; ++spec.pacing.seed)
                longest = std::max(
                    longest,
                    simulate(spec, {.length = 1min}).checks(ProbeKind::liveness).front().began());
            CAPTURE(cadence, spread);
            CHECK(longest <= worst_case_first_check(spec));
            CHECK(longest > worst_case_first_check(spec) -
                                (cadence == Cadence::grid && spread < 3s ? 2s : 100ms));
        }
    }
}

TEST_CASE("a start as slow as allowed is never killed, and one just slower may be") {
    for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness}) {
        for (const ProbeSpec& spec : specs(kind)) {
            CAPTURE(kind, spec.pacing.cadence, spec.initial_delay, spec.period, spec.timeout,
                    spec.failure_threshold);
            const auto killed = [&](Duration starts_in, Duration answers_at, Response before) {
                const Script script{.responses = responds_after(answers_at, before),
                                    .runs = {{.starts_in = starts_in}},
                                    .length = 1min};
                return simulate(spec, script).first(What::kill).has_value();
            };
            bool slower_killed = false;
            for (Duration starts_in = 0s; starts_in <= 3s; starts_in += 250ms) {
                CHECK_FALSE(killed(starts_in, allowed_start(spec), at_once(Outcome::failure)));
                CHECK_FALSE(killed(starts_in, allowed_start(spec), hang()));
                slower_killed |=
                    killed(starts_in, allowed_start(spec) + 1ns, at_once(Outcome::failure));
            }
            CHECK(slower_killed);
        }
    }
}

TEST_CASE(
    "on the grid a start has less time if the last run ended by itself while it was failing") {
    ProbeSpec spec{.kind = ProbeKind::startup, .period = 10s, .failure_threshold = 3};
    // It crashes after its second failed check, and would respond after 15 s the second time.
    const Responses responses = [](const Check& check) {
        return check.run == 2 && check.age >= 15s ? pass() : fail();
    };
    const Script script{.responses = responses,
                        .runs = {{.exits_after = 12s, .exit = {.code = 1}}, {}},
                        .length = 1min};
    CHECK(allowed_start(spec) >= 15s);
    CHECK(simulate(spec, script).first(What::kill));
    spec.pacing.cadence = Cadence::target_start;
    CHECK_FALSE(simulate(spec, script).first(What::kill));
}
