#include <probekit/simulation/simulate.hpp>

// The simulation room needs core alone, so a program that only simulates needs no Asio.
#ifdef ASIO_VERSION
#error "simulate.hpp includes Asio"
#endif

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace probekit;
using namespace probekit::simulation;
using namespace std::chrono_literals;
using What = Event::What;
using Times = std::vector<Duration>;

namespace {

const Response passes_at_once{.takes = 0s};
const Response fails_at_once{.outcome = Outcome::failure, .takes = 0s};

Times checks_at(const Timeline& timeline, ProbeKind kind) {
    Times times;
    for (const Event& check : timeline.checks(kind)) times.push_back(check.began());
    return times;
}

/// "running ready kill:Liveness ended running ...": every event except attempts and verdicts.
std::string story(const Timeline& timeline) {
    std::string text;
    for (const Event& event : timeline.events) {
        if (event.what == What::check || event.what == What::verdict) continue;
        if (!text.empty()) text += ' ';
        text += to_string(event.what);
        if (event.what == What::kill || event.what == What::prober_error)
            text.append(":").append(to_string(event.kind));
    }
    return text;
}

bool within_a_second(const Times& actual, const Times& expected) {
    if (actual.size() != expected.size()) return false;
    for (std::size_t i = 0; i < actual.size(); ++i)
        if (std::chrono::abs(actual[i] - expected[i]) > 1s) return false;
    return true;
}

} // namespace

// Observed on a real node, to the second, as kubectl shows it. The differences are the time that
// the node takes to start a container.
TEST_CASE("manifests that ran on a node: restarts and back-off come at the observed times") {
    const ProcessBehaviour as_in_a_container{.starts_in = GENERATE(0ms, 500ms, 900ms),
                                             .ends_in = Duration::max()};
    CAPTURE(as_in_a_container.starts_in);
    SECTION("healthy for three seconds: its file is removed after the check at three seconds") {
        const Container container{.liveness = ProbeSpec{.initial_delay = 1s, .period = 3s},
                                  .starts_in_whole_seconds = true};
        const Script script{
            .responses = fails_after(3010ms), .runs = {as_in_a_container}, .length = 260s};
        const Timeline timeline = simulate(container, script);
        CHECK(within_a_second(timeline.restarts(), {43s, 85s, 127s, 169s, 211s}));
        CHECK(within_a_second(timeline.times(What::back_off), {253s}));
        const Event back_off = timeline.events.back();
        CHECK(back_off.what == What::back_off);
        CHECK(back_off.delay == 80s);
        CHECK(back_off.span == 80s); // from the kill
    }
    SECTION("never healthy, checked every five seconds") {
        const Container container{.liveness = ProbeSpec{.initial_delay = 5s, .period = 5s},
                                  .restart_policy = RestartPolicy::on_failure,
                                  .starts_in_whole_seconds = true};
        const Script script{
            .responses = always(fail()), .runs = {as_in_a_container}, .length = 230s};
        CHECK(
            within_a_second(simulate(container, script).restarts(), {46s, 91s, 136s, 181s, 225s}));
    }
}

TEST_CASE("nginx with probes of a wrong port ends on SIGTERM") {
    const Container container{.liveness = ProbeSpec{.initial_delay = 15s, .period = 20s},
                              .readiness = ProbeSpec{.initial_delay = 5s, .period = 10s}};
    const Timeline timeline = simulate(container, {.responses = always(fail()), .length = 65s});
    CHECK(checks_at(timeline, ProbeKind::readiness) == Times{10s, 20s, 30s, 40s, 50s, 60s});
    CHECK(checks_at(timeline, ProbeKind::liveness) == Times{20s, 40s, 60s});
    CHECK(within_a_second(timeline.restarts(), {61s}));
    CHECK_FALSE(timeline.first(What::ready));
}

TEST_CASE("a service whose first response takes 15 seconds") {
    const ProbeSpec spec{.initial_delay = 15s, .period = 5s, .timeout = 2s};
    const Responses responses = [](const Check& check) {
        return check.age < 30s ? hang() : pass();
    };
    const Timeline timeline = simulate(spec, {.responses = responses, .length = 40s});
    CHECK(checks_at(timeline, ProbeKind::readiness) == Times{15s, 20s, 25s, 30s, 35s});
    CHECK(timeline.times(What::ready) == Times{30s + 1ms});
}

TEST_CASE("a process that ends at once is started again with back-off") {
    const Timeline timeline =
        simulate(Container{}, {.runs = {{.exits_after = 0s}}, .length = 10min});
    CHECK(timeline.restarts() == Times{0s, 10s, 30s, 70s, 150s, 310s});
    CHECK(timeline.times(What::back_off) == Times{0s, 10s, 30s, 70s, 150s, 310s});
    CHECK(story(simulate(Container{.restart_policy = RestartPolicy::on_failure},
                         {.runs = {{.exits_after = 5s}}})) == "running ready ended unready over");
    CHECK(story(simulate(Container{.restart_policy = RestartPolicy::never},
                         {.runs = {{.exits_after = 5s, .exit = {.code = 1}}}})) ==
          "running ready ended unready over");
}

TEST_CASE("the three probes of a container work together") {
    const Container container{.startup = ProbeSpec{.period = 2s, .failure_threshold = 10},
                              .liveness = ProbeSpec{.period = 10s, .failure_threshold = 2},
                              .readiness = ProbeSpec{.period = 5s, .failure_threshold = 1}};
    const Responses responses = [](const Check& check) {
        if (check.kind == ProbeKind::startup) return check.age < 7s ? fail() : pass();
        return check.kind == ProbeKind::liveness && check.age > 15s ? fail() : pass();
    };
    const Timeline timeline = simulate(container, {.responses = responses, .length = 40s});
    CHECK(checks_at(timeline, ProbeKind::startup) ==
          Times{0s, 2s, 4s, 6s, 8s, /* restarted */ 32s, 34s, 36s, 38s});
    // Readiness is checked as soon as startup has passed, liveness at its next point of the grid.
    CHECK(checks_at(timeline, ProbeKind::readiness) ==
          Times{8001ms, 13001ms, 18001ms, 23001ms, 28001ms, /* restarted */ 38001ms});
    CHECK(checks_at(timeline, ProbeKind::liveness) == Times{10s, 20s, 30s});
    CHECK(story(timeline) ==
          "running started ready kill:Liveness ended unready running started ready");
    CHECK(timeline.times(What::started) == Times{8001ms, 38001ms});
    CHECK(timeline.times(What::kill) == Times{30001ms});
}

TEST_CASE("a startup probe that never passes kills, with its own grace period") {
    const Container container{
        .startup = ProbeSpec{.period = 1s, .failure_threshold = 3, .termination_grace_period = 5s}};
    const Script script{
        .responses = always(fails_at_once), .runs = {ignores_sigterm()}, .length = 12s};
    const Timeline timeline = simulate(container, script);
    CHECK(timeline.times(What::kill) == Times{2s, 9s});
    CHECK(timeline.times(What::ended) == Times{7s});
    CHECK(story(timeline) == "running kill:Startup ended running kill:Startup");
    CHECK(timeline.restarts() == Times{7s});
}

TEST_CASE("how the target ends, and whether it is started again") {
    const Responses responses = fails_after(5s);
    ProbeSpec spec{.kind = ProbeKind::liveness, .period = 10s, .failure_threshold = 1};
    Container container{.liveness = spec};
    const auto ended = [&](const ProcessBehaviour& behaviour) {
        for (const Event& event :
             simulate(container, {.responses = responses, .runs = {behaviour}, .length = 60s})
                 .events)
            if (event.what == What::ended) return event;
        FAIL("it did not end");
        std::abort();
    };
    SECTION("on SIGTERM") {
        CHECK(ended({}).exit == ExitStatus{.signal = SIGTERM});
        CHECK(ended({.sigterm_exit = {.code = 0}}).exit == ExitStatus{});
        CHECK(ended({.ends_in = 7s}).at == 17001ms);
    }
    SECTION("on SIGKILL") {
        CHECK(ended(ignores_sigterm()).exit == ExitStatus{.signal = SIGKILL});
        CHECK(ended(ignores_sigterm()).at == 40001ms);
    }
    SECTION("by itself, after SIGTERM") {
        const Event event = ended({.exits_after = 15s, .exit = {.code = 3}, .ends_in = 20s});
        CHECK(event.at == 15s);
        CHECK(event.exit == ExitStatus{.code = 3});
    }
    SECTION("after a kill OnFailure restarts, whatever the exit status") {
        container.restart_policy = RestartPolicy::on_failure;
        const Script script{
            .responses = responses, .runs = {{.sigterm_exit = {.code = 0}}}, .length = 15s};
        CHECK(story(simulate(container, script)) ==
              "running ready kill:Liveness ended unready running ready");
    }
    SECTION("after a kill Never does not restart") {
        container.restart_policy = RestartPolicy::never;
        CHECK(story(simulate(container, {.responses = responses})) ==
              "running ready kill:Liveness ended unready over");
    }
}

TEST_CASE("when a pod is deleted, liveness checks end and readiness checks go on") {
    const Container container{.liveness = ProbeSpec{.period = 10s},
                              .readiness = ProbeSpec{.period = 5s}};
    const Responses responses = [](const Check& check) { return check.ending ? fail() : pass(); };
    SECTION("while it runs") {
        const Script script{
            .responses = responses, .runs = {{.ends_in = 18s}}, .stop_after = 12s, .length = 60s};
        const Timeline timeline = simulate(container, script);
        CHECK(checks_at(timeline, ProbeKind::liveness) == Times{0s, 10s});
        CHECK(checks_at(timeline, ProbeKind::readiness) == Times{0s, 5s, 10s, 15s, 20s, 25s});
        CHECK(story(timeline) == "running ready stop unready ended over");
        CHECK(timeline.times(What::unready) == Times{25001ms});
        CHECK(timeline.times(What::ended) == Times{30s});
    }
    SECTION("while it is being killed: the shorter grace period counts") {
        Container doomed{
            .liveness =
                ProbeSpec{.period = 10s, .failure_threshold = 1, .termination_grace_period = 60s},
            .termination_grace_period = 5s};
        const Script script{
            .responses = always(fails_at_once), .runs = {ignores_sigterm()}, .stop_after = 20s};
        CHECK(simulate(doomed, script).times(What::ended) == Times{25s});
        doomed.termination_grace_period = 300s;
        CHECK(simulate(doomed, script).times(What::ended) == Times{60s});
        CHECK(story(simulate(doomed, script)) ==
              "running ready kill:Liveness stop ended unready over");
    }
    SECTION("while it waits for its back-off, and before it has started") {
        const Script crashing{.runs = {{.exits_after = 1s}}, .stop_after = 5s};
        CHECK(story(simulate(Container{}, crashing)) ==
              "running ready ended unready running ready ended unready back_off over");
        CHECK(story(simulate(container, {.runs = {{.starts_in = 10s}}, .stop_after = 5s})) ==
              "over");
    }
}

TEST_CASE("an attempt in flight when its target ends does not count") {
    const ProbeSpec spec{.period = 10s, .timeout = 5s};
    const Script script{.responses = always(Response{.takes = 3s}),
                        .runs = {{.exits_after = 1s}, {}},
                        .length = 15s};
    const Timeline timeline = simulate(spec, script);
    const std::vector<Event> checks = timeline.checks(ProbeKind::readiness);
    REQUIRE(checks.size() == 3);
    CHECK(checks[0].error == std::errc::operation_canceled);
    CHECK(checks[0].span == 1s);
    CHECK(checks[0].run == 1);
    // The kubelet checks readiness at once when a container has been restarted.
    CHECK(checks[1].began() == 1s);
    CHECK(checks[1].run == 2);
    CHECK(timeline.times(What::ready) == Times{4s});
}

TEST_CASE("a response within the timeout counts, a later one does not") {
    const ProbeSpec spec{.kind = ProbeKind::liveness, .period = 10s, .timeout = 2s};
    const Event in_time = simulate(spec, {.responses = always(Response{.takes = 2s}), .length = 5s})
                              .checks(ProbeKind::liveness)
                              .front();
    CHECK(in_time.passed());
    CHECK_FALSE(in_time.timed_out);
    const Event late =
        simulate(spec, {.responses = always(Response{.takes = 2s + 1ns}), .length = 5s})
            .checks(ProbeKind::liveness)
            .front();
    CHECK(late.outcome == Outcome::failure);
    CHECK(late.timed_out);
    CHECK(late.span == 2s);
}

TEST_CASE("after prober errors a check has three attempts and changes nothing") {
    const ProbeSpec spec{.kind = ProbeKind::liveness, .period = 10s, .failure_threshold = 2};
    const std::error_code error = make_error_code(std::errc::too_many_files_open);
    const Timeline timeline =
        simulate(spec, {.responses = in_turn({fail(), prober_error(error), prober_error(error),
                                              prober_error(error), fail()}),
                        .length = 25s});
    CHECK(checks_at(timeline, ProbeKind::liveness) == Times{0s, 10s, 10001ms, 10002ms, 20s});
    CHECK(timeline.checks(ProbeKind::liveness)[1].error == error);
    CHECK(timeline.times(What::kill) == Times{20001ms});
}

TEST_CASE("a probe that can never ask is told, and kills nothing") {
    const std::error_code error = make_error_code(std::errc::no_such_file_or_directory);
    Script script{.responses = always(prober_error(error)), .length = 65s};
    ProbeSpec spec{.kind = ProbeKind::liveness, .period = 10s};
    CHECK(story(simulate(spec, script)) == "running ready prober_error:Liveness");
    CHECK(simulate(spec, script).times(What::prober_error) == Times{20003ms});
    spec.error_threshold = 0; // as in the kubelet
    CHECK(story(simulate(spec, script)) == "running ready");
    spec.kind = ProbeKind::startup;
    CHECK(story(simulate(spec, script)) == "running");
    spec.error_threshold = 2;
    CHECK(story(simulate(spec, script)) == "running prober_error:Startup");
    SECTION("readiness does not pass then") {
        spec.kind = ProbeKind::readiness;
        script.responses =
            in_turn({pass(), prober_error(error), prober_error(error), prober_error(error),
                     prober_error(error), prober_error(error), prober_error(error), fail()});
        const Timeline timeline = simulate(spec, script);
        CHECK(story(timeline) == "running ready unready ready unready");
        // At the second errored check; at the first failure, as before; at the third failure.
        CHECK(timeline.times(What::unready) == Times{20003ms, 50001ms});
        CHECK(timeline.times(What::ready) == Times{1ms, 30001ms});
    }
}

namespace {

/// Said naively: what a container's one probe leads to at the checks of its first run. Each letter
/// is a check: '+' passes, '-' fails, 'e' errs three times.
std::string expected_story(ProbeKind kind, const std::string& checks) {
    std::string text = "running";
    if (kind == ProbeKind::liveness) text += " ready";
    int failures = 0, successes = 0, errors = 0;
    bool passes = false, ready = false, decided = false;
    for (const char check : checks) {
        if (decided) break;
        if (check == 'e') {
            if (++errors == 2 && kind != ProbeKind::readiness)
                text.append(" prober_error:").append(to_string(kind));
        } else {
            errors = 0;
            failures = check == '-' ? failures + 1 : 0;
            successes = check == '+' ? successes + 1 : 0;
            if (successes == 1) passes = true;
            if (failures == 2) passes = false;
            if (failures == 2 && kind != ProbeKind::readiness)
                text.append(" kill:").append(to_string(kind));
            if (kind == ProbeKind::startup && passes) text += " started ready";
            decided = (kind == ProbeKind::startup && passes) ||
                      (kind != ProbeKind::readiness && failures == 2);
        }
        const bool now = passes && errors < 2;
        if (kind == ProbeKind::readiness && std::exchange(ready, now) != now)
            text += now ? " ready" : " unready";
    }
    return text;
}

} // namespace

TEST_CASE("every sequence of passes, failures and errors leads to what a naive reading says") {
    const std::error_code error = make_error_code(std::errc::no_such_file_or_directory);
    constexpr int length = 7;
    int sequences = 1;
    for (int i = 0; i != length; ++i) sequences *= 3;
    for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness})
        for (int number = 0; number != sequences; ++number) {
            std::string checks;
            std::vector<Response> responses;
            for (int i = 0, rest = number; i != length; ++i, rest /= 3) {
                checks += "+-e"[rest % 3];
                const Response response = rest % 3 == 0   ? pass()
                                          : rest % 3 == 1 ? fail()
                                                          : prober_error(error);
                responses.insert(responses.end(), rest % 3 == 2 ? 3 : 1, response);
            }
            const ProbeSpec spec{
                .kind = kind, .period = 10s, .failure_threshold = 2, .error_threshold = 2};
            // It never ends, so that there is a first run only.
            const Timeline timeline = simulate(
                Container{
                    .startup = kind == ProbeKind::startup ? std::optional{spec} : std::nullopt,
                    .liveness = kind == ProbeKind::liveness ? std::optional{spec} : std::nullopt,
                    .readiness = kind == ProbeKind::readiness ? std::optional{spec} : std::nullopt,
                    .termination_grace_period = 1h},
                {.responses = in_turn(responses),
                 .runs = {ignores_sigterm()},
                 .length = (length - 1) * 10s + 5s});
            if (story(timeline) == expected_story(kind, checks)) continue;
            CAPTURE(to_string(kind), checks);
            CHECK(story(timeline) == expected_story(kind, checks));
        }
}

TEST_CASE("one spec under both cadences") {
    ProbeSpec spec{
        .kind = ProbeKind::liveness, .initial_delay = 2s, .period = 10s, .failure_threshold = 1};
    const Script script{.responses = fails_after(15s), .runs = {{.starts_in = 1s}}, .length = 60s};
    CHECK(checks_at(simulate(spec, script), ProbeKind::liveness) == Times{10s, 20s, 30s, 40s, 50s});
    spec.pacing.cadence = Cadence::target_start;
    // Two seconds after each start, then every ten.
    CHECK(checks_at(simulate(spec, script), ProbeKind::liveness) ==
          Times{3s, 13s, 23s, /* ended at 23.001 s */ 26001ms, 36001ms, 46001ms, 49002ms, 59002ms});
}

TEST_CASE("with whole seconds the initial delay counts from the second of the start") {
    Container container{.liveness = ProbeSpec{.initial_delay = 5s, .period = 5s}};
    const Script script{.runs = {{.starts_in = 900ms}}, .length = 12s};
    CHECK(checks_at(simulate(container, script), ProbeKind::liveness) == Times{10s});
    container.starts_in_whole_seconds = true;
    CHECK(checks_at(simulate(container, script), ProbeKind::liveness) == Times{5s, 10s});
}

TEST_CASE("a simulation can be repeated, random times included") {
    const ProbeSpec spec{.period = 10s, .pacing = {.spread = 10s, .jitter = 5s}};
    const Script script{.length = 100s};
    const Times once = checks_at(simulate(spec, script), ProbeKind::readiness);
    CHECK(once.size() > 8);
    CHECK(once == checks_at(simulate(spec, script), ProbeKind::readiness));
    CHECK(once != checks_at(simulate(ProbeSpec{.period = 10s}, script), ProbeKind::readiness));
}

TEST_CASE("a simulation includes its last moment, and ends early after too many events") {
    const ProbeSpec spec{.period = 5s};
    CHECK(checks_at(simulate(spec, {.responses = always(passes_at_once), .length = 10s}),
                    ProbeKind::readiness) == Times{0s, 5s, 10s});
    CHECK(simulate(spec, {.length = 10s}).length == 10s);

    const Timeline fast =
        simulate(ProbeSpec{.period = 1us}, {.responses = always(passes_at_once), .length = 24h});
    CHECK(fast.events.size() <= Timeline::max_events + 5);
    CHECK(fast.length < 1s);
    // It ends as soon as it runs, and no back-off holds it up: time stands still.
    const Timeline still = simulate(Container{.back_off = {.base = 0s}},
                                    {.runs = {{.exits_after = 0s}}, .length = Duration::max()});
    CHECK(still.length == 0s);
    CHECK(still.events.size() <= Timeline::max_events + 5);
}

TEST_CASE("time never goes back, whatever a script says") {
    const ProcessBehaviour behaviour{.starts_in = -1s, .exits_after = -1s, .ends_in = -1s};
    CHECK(story(simulate(Container{.restart_policy = RestartPolicy::never},
                         {.runs = {behaviour}})) == "running ready ended unready over");
    CHECK(simulate(ProbeSpec{}, {.responses = always(Response{.takes = -1s}), .length = 10s})
              .times(What::ready) == Times{0s});
    CHECK(simulate(ProbeSpec{}, {.stop_after = -1s}).times(What::stop) == Times{0s});
    CHECK(simulate(ProbeSpec{}, {.length = -1s}).events.empty());
}

TEST_CASE("invalid settings are reported all at once") {
    const ProbeSpec wrong{.kind = ProbeKind::startup, .period = 0s, .success_threshold = 2};
    try {
        static_cast<void>(simulate(wrong, {}));
        FAIL("accepted");
    } catch (const ConfigException& error) {
        CHECK(error.errors() == ConfigErrors{{"startup.period", "must be greater than zero"},
                                             {"startup.success_threshold", "must be 1"}});
    }
}
