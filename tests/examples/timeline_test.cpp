#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/simulation/simulate.hpp>

#include "../tools/temporary_folder.hpp"
#include "manifest/options.hpp"
#include "options.hpp"
#include "picture.hpp"
#include "recording.hpp"
#include "scene.hpp"
#include "script.hpp"
#include "story.hpp"
#include "subject.hpp"
#include "svg.hpp"
#include "times.hpp"

using namespace std::chrono_literals;
using namespace timeline;
using probekit::Duration;
using probekit::Outcome;
using probekit::ProbeKind;
using probekit::simulation::Check;
using probekit::simulation::simulate;
using tools::TemporaryFolder;
using What = probekit::simulation::Event::What;
using Texts = std::vector<std::string>;

namespace {

Options parse(std::vector<const char*> arguments) { return parse_options(arguments); }

std::string mistake(std::vector<const char*> arguments) {
    try {
        static_cast<void>(parse_options(arguments));
    } catch (const supervisor::UsageError& error) { return error.what(); }
    return "";
}

Subjects read(std::string_view manifest) {
    const TemporaryFolder folder;
    return read_subjects({folder.file("manifest", manifest)});
}

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

std::size_t count(std::string_view text, std::string_view part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string_view::npos;
         at = text.find(part, at + 1))
        ++found;
    return found;
}

/// What is wrong with it as XML, as far as our pictures go: elements that close, quoted attributes,
/// entities.
std::string xml_mistake(std::string_view text) {
    Texts open;
    while (!text.empty()) {
        const std::size_t less = text.find('<');
        const std::string_view words = text.substr(0, less);
        for (std::size_t at = words.find('&'); at != std::string_view::npos;
             at = words.find('&', at + 1)) {
            const std::string_view entity = words.substr(at, words.find(';', at) - at);
            if (entity != "&amp" && entity != "&lt" && entity != "&gt" && entity != "&quot")
                return "a bare &";
        }
        if (less == std::string_view::npos) return open.empty() ? "" : "not closed: " + open.back();
        text.remove_prefix(less + 1);
        const std::size_t greater = text.find('>');
        if (greater == std::string_view::npos) return "a tag does not end";
        std::string_view tag = text.substr(0, greater);
        text.remove_prefix(greater + 1);
        if (tag.starts_with('/')) {
            if (open.empty() || open.back() != tag.substr(1)) return "closed: " + std::string{tag};
            open.pop_back();
            if (open.empty() && contains(text, "<")) return "more than one root";
            continue;
        }
        if (contains(tag, "<") || count(tag, "\"") % 2 != 0) return "in a tag: " + std::string{tag};
        if (!tag.ends_with('/')) open.emplace_back(tag.substr(0, tag.find_first_of(" \n")));
    }
    return open.empty() ? "" : "not closed: " + open.back();
}

constexpr std::string_view three_probes = R"(
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  terminationGracePeriodSeconds: 7
  restartPolicy: OnFailure
  initContainers:
  - {name: init, image: none}
  - {name: side, image: none, restartPolicy: Always, livenessProbe: {exec: {command: [a, "b c"]}}}
  containers:
  - name: c
    image: none
    startupProbe: {tcpSocket: {port: 80}, periodSeconds: 2}
    livenessProbe: {httpGet: {path: /x, port: 80, scheme: HTTPS, host: h}, initialDelaySeconds: 1}
    readinessProbe: {httpGet: {port: nope}, timeoutSeconds: 5, successThreshold: 2}
)";

} // namespace

TEST_CASE("timeline: the command line") {
    const Options options = parse({"--starts-after=40s",
                                   "--fails-after",
                                   "1m",
                                   "--hangs",
                                   "--attempt-takes",
                                   "20ms",
                                   "--exits-after",
                                   "2m",
                                   "--exit-code",
                                   "3",
                                   "--ends-in",
                                   "4",
                                   "--creation-takes",
                                   "2s",
                                   "--container",
                                   "web",
                                   "--duration",
                                   "1h",
                                   "--stop-after",
                                   "50s",
                                   "--all",
                                   "--feature-gates=ContainerScopedProbes=true",
                                   "--both-cadences",
                                   "--svg",
                                   "x.svg",
                                   "a.yaml",
                                   "--",
                                   "--b.yaml"});
    CHECK(options.target.starts_after == 40s);
    CHECK(options.target.fails_after == 1min);
    CHECK(options.target.hangs);
    CHECK(options.target.attempt_takes == 20ms);
    CHECK(options.target.exits_after == 2min);
    CHECK(options.target.exit_code == 3);
    CHECK(options.target.ends_in == 4s);
    CHECK(options.target.creation_takes == 2s);
    CHECK(options.container == "web");
    CHECK(options.duration == 1h);
    CHECK(options.stop_after == 50s);
    CHECK(options.all_checks);
    CHECK(options.container_scoped_probes);
    CHECK(options.both_cadences);
    CHECK(options.svg == "x.svg");
    CHECK(options.files == Texts{"a.yaml", "--b.yaml"});
    CHECK(parse({"--ignores-sigterm", "-"}).target.ends_in == Duration::max());
    CHECK(parse({"--replay", "log"}).files.empty());
    CHECK(parse({"--help"}).help);
    CHECK(contains(usage(), "--ignores-sigterm"));
}

TEST_CASE("timeline: mistakes on the command line") {
    CHECK(mistake({}) == "no manifest given");
    CHECK(mistake({"--speed", "a"}) == "unknown option --speed");
    CHECK(
        mistake({"--fails-after", "soon", "a"}) ==
        "--fails-after: \"soon\" is not a duration like 30s, 5m, 1h30m or 90, of at most 876000h");
    CHECK(mistake({"--ends-in", "876001h", "a"}) ==
          "--ends-in: \"876001h\" is not a duration like 30s, 5m, 1h30m or 90, of at most 876000h");
    CHECK(mistake({"a", "--svg"}) == "--svg needs a value");
    CHECK(mistake({"a", "--svg="}) == "--svg needs a value");
    CHECK(mistake({"a", "--hangs=yes"}) == "--hangs takes no value");
    CHECK(mistake({"a", "--exit-code", "256"}) ==
          "--exit-code: \"256\" is not a number from 0 to 255");
    CHECK(mistake({"a", "--duration", "0"}) == "--duration: must be greater than zero");
    CHECK(mistake({"a", "--feature-gates", "X=true"}) ==
          "--feature-gates: unrecognized feature gate: X");
    CHECK(mistake({"--replay", "log", "--fails-after", "3s"}) ==
          "--fails-after: what the target does is in the recording of --replay");
}

TEST_CASE("timeline: times") {
    CHECK(time_text(0s) == "0s");
    CHECK(time_text(42501ms) == "42.5s");
    CHECK(time_text(59960ms) == "1m");
    CHECK(time_text(85s) == "1m25s");
    CHECK(time_text(1h) == "1h");
    CHECK(time_text(2h + 5s) == "2h0m5s");
    CHECK(time_text(2h + 5min) == "2h5m");
    const auto noon = std::chrono::sys_days{std::chrono::year{2026} / 1 / 31} + 12h;
    CHECK(parse_timestamp("2026-01-31T12:00:00Z") == noon);
    CHECK(parse_timestamp("2026-01-31T12:01:02.500000Z") == noon + 62500ms);
    for (const char* wrong :
         {"", "2026-01-31", "2026-02-30T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:00:00",
          "2026-01-31T12:00:61Z", "2026-01-31T12:00:5m3Z", "2026-01-31T12:00:-1Z",
          "9999-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "20x6-01-31T12:00:00Z",
          "2026-01-31T12:00:Z"})
        CHECK_FALSE(parse_timestamp(wrong));
}

TEST_CASE("timeline: containers of a pod, with their probes as kubectl describes them") {
    const Subjects subjects = read(three_probes);
    REQUIRE(subjects.errors == Texts{});
    REQUIRE(subjects.all.size() == 2); // the plain init container is to end
    CHECK(subjects.all[0].name() == "p/side");
    CHECK(subjects.all[0].settings.restart_policy == probekit::RestartPolicy::always);
    CHECK(subjects.all[0].probes ==
          Texts{"liveness   exec [a b c] delay=0s timeout=1s period=10s #success=1 #failure=3"});
    const Subject& second = subjects.all[1];
    CHECK(second.settings.restart_policy == probekit::RestartPolicy::on_failure);
    CHECK(second.settings.termination_grace_period == 7s);
    REQUIRE(second.probes.size() == 3);
    CHECK(second.probes[0] ==
          "startup    tcp-socket 127.0.0.1:80 delay=0s timeout=1s period=2s #success=1 #failure=3");
    CHECK(
        second.probes[1] ==
        "liveness   http-get https://h:80/x delay=1s timeout=1s period=10s #success=1 #failure=3");
    CHECK(contains(second.probes[2], "(port \"nope\" not found)"));
    CHECK_FALSE(second.cannot_ask[static_cast<std::size_t>(ProbeKind::readiness)].empty());
}

TEST_CASE("timeline: a probe that cannot be made never changes anything") {
    const Subject subject = read(three_probes).all[1];
    probekit::simulation::Script script = script_of({});
    heed_impossible(script, subject);
    const auto timeline = simulate(subject.settings, script);
    CHECK_FALSE(timeline.first(What::ready));
    CHECK_FALSE(timeline.first(What::kill));
    for (const auto& check : timeline.checks(ProbeKind::readiness)) CHECK(check.error);
}

TEST_CASE("timeline: pods of templates and of lists") {
    constexpr std::string_view containers = "spec: {containers: [{name: c, image: x}]}";
    const auto deployment =
        read("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {" +
             std::string{containers} + "}}\n");
    REQUIRE(deployment.errors == Texts{});
    CHECK(deployment.all.at(0).name() == "d/c");
    const auto list = read("apiVersion: v1\nkind: PodList\nitems:\n- {metadata: {name: a}, " +
                           std::string{containers} + "}\n- {metadata: {name: b}, " +
                           std::string{containers} + "}\n");
    REQUIRE(list.errors == Texts{});
    CHECK(list.all.size() == 2);

    // What has no containers is passed over, and what is not known is named.
    const auto mixed = read(
        "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n---\napiVersion: batch/v1\nkind: "
        "CronJob\nmetadata: {name: j}\nspec: {jobTemplate: {spec: {template: {spec: "
        "{restartPolicy: Never, containers: [{name: c, image: x, livenessProbe: {grpc: {port: 1}, "
        "failureTreshold: 9}}]}}}}}\n");
    REQUIRE(mixed.errors == Texts{});
    REQUIRE(mixed.all.size() == 1);
    CHECK(mixed.all[0].name() == "j/c");
    CHECK(mixed.all[0].settings.liveness);
    REQUIRE(mixed.warnings.size() == 2);
    CHECK(contains(mixed.warnings[0],
                   "unknown field \"spec.jobTemplate.spec.template.spec.containers[0]."
                   "livenessProbe.failureTreshold\""));
    CHECK(mixed.warnings[1] == "Service \"s\": not run here");
}

TEST_CASE("timeline: mistakes in manifests") {
    const auto errors = [](std::string_view manifest) {
        Texts found = read(manifest).errors;
        REQUIRE_FALSE(found.empty());
        return found.size() == 1 ? found[0].substr(found[0].find(": ") + 2) : found[1];
    };
    CHECK(errors("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, "
                 "image: x, livenessProbe: "
                 "{exec: {command: [a]}, periodSeconds: -1}}]}\n") ==
          "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater than "
          "or equal to 0");
    CHECK(errors("a: 1\n") == R"(line 1: Object 'Kind' is missing in {"a":1})");
    CHECK(contains(errors("a: [\n"), "line"));
    CHECK(read("").errors == Texts{"no pods in the manifests given"});
    CHECK(read_subjects({"/does/not/exist"}).errors ==
          Texts{"/does/not/exist: No such file or directory"});
}

TEST_CASE("timeline: a target as the options describe it") {
    const auto responses = script_of({.starts_after = 10s, .fails_after = 20s}).responses;
    CHECK_FALSE(responses(Check{.age = 9s}).outcome == Outcome::success);
    CHECK(responses(Check{.age = 10s}).outcome == Outcome::success);
    CHECK(responses(Check{.age = 20s}).outcome == Outcome::failure);
    const auto slow = script_of({.fails_after = 20s, .hangs = true, .attempt_takes = 3s}).responses;
    CHECK(slow(Check{.age = 19s}).takes == 3s);
    CHECK(slow(Check{.age = 20s}).takes == Duration::max());
    CHECK(described(TargetOptions{}) == "answers");
    CHECK(described({.starts_after = 40s,
                     .exits_after = 1min,
                     .exit_code = 2,
                     .ends_in = Duration::max()}) ==
          "answers from 40s on, ends at 1m with exit code 2, ignores SIGTERM");
}

namespace {

/// Would these settings have killed my slow starter?
Scene slow_starter(Duration starts_after, int failure_threshold) {
    Scene scene{.subject = {.pod = "p", .container = "c"},
                .target = "<slow> & \"late\"",
                .options = TargetOptions{.starts_after = starts_after}};
    scene.subject.settings.liveness = {.kind = ProbeKind::liveness,
                                       .failure_threshold = failure_threshold};
    scene.subject.settings.readiness = {.kind = ProbeKind::readiness};
    scene.timeline = simulate(scene.subject.settings, script_of({.starts_after = starts_after}));
    return scene;
}

} // namespace

TEST_CASE("timeline: a story goes to its end") {
    CHECK(slow_starter(35s, 3).killed());
    CHECK_FALSE(slow_starter(35s, 6).killed());
    const std::string text = story(slow_starter(35s, 6), false);
    CHECK(contains(text, "p/c: <slow> & \"late\"\n"));
    CHECK(contains(text, "  A start of up to 50s is always allowed; what has not answered 1m1s "
                         "after its start is killed.\n"));
    CHECK(contains(text, "    0.5s  runs\n"));
    CHECK(summary(slow_starter(35s, 6)) == "never killed by a probe, ready for 86 % of 5m");
    CHECK_FALSE(contains(text, "needs failureThreshold"));
    CHECK_FALSE(contains(text, "liveness passes"));
    const std::string all = story(slow_starter(35s, 6), true);
    CHECK(contains(all, "     30s  liveness fails, 3 of 6\n"));
    CHECK(contains(all, "     40s  liveness passes\n"));
    CHECK(count(all, "liveness passes") == 26);

    const std::string killed = story(slow_starter(35s, 3), false);
    CHECK(contains(killed, "     30s  killed by its liveness probe: SIGTERM, and 30s to end\n"));
    CHECK(contains(killed, "     30s  has ended: signal 15\n"));
    CHECK(contains(killed, "   30.5s  runs again: restart 1\n"));
    CHECK(contains(killed, "CrashLoopBackOff: back-off 40s"));
    CHECK(contains(killed, "  A start of 35s needs failureThreshold 5, or a startup probe.\n"));
    // A probe counts anew after a kill.
    const std::string every = story(slow_starter(35s, 3), true);
    const std::size_t kills = count(every, "killed by its liveness probe");
    CHECK(kills > 2);
    CHECK(count(every, "liveness fails, 3 of 3") == kills);
    CHECK(count(every, "liveness fails, 1 of 3") >= kills);
}

TEST_CASE("timeline: what to change is enough, and no more than needed") {
    Scene scene = slow_starter(2min, 3);
    CHECK(contains(story(scene, false),
                   "  A start of 2m needs failureThreshold 13, or a startup probe.\n"));
    CHECK(slow_starter(2min, 12).killed());
    CHECK_FALSE(slow_starter(2min, 13).killed());
    CHECK_FALSE(contains(story(slow_starter(2min, 13), false), "needs"));

    scene.subject.settings.startup = {
        .kind = ProbeKind::startup, .initial_delay = 5s, .period = 7s};
    scene.options->attempt_takes = 2500ms;
    const std::string text = story(scene, false);
    CHECK(contains(text, "  A start of 2m needs failureThreshold 18 of the startup probe.\n"));
    CHECK(contains(text,
                   "  Attempts that take 2.5s need timeoutSeconds 3 of the readiness probe.\n"));
    const auto is_killed = [&](int threshold) {
        scene.subject.settings.startup->failure_threshold = threshold;
        scene.timeline = simulate(scene.subject.settings, script_of({.starts_after = 2min}));
        return scene.killed();
    };
    CHECK_FALSE(is_killed(18));
    CHECK(is_killed(16));
}

TEST_CASE("timeline: at the bounds of all numbers nothing overflows") {
    const TemporaryFolder folder;
    const std::string most = "2147483647";
    const std::string probe = R"({"exec":{"command":["a"]},"initialDelaySeconds":)" + most +
                              R"(,"periodSeconds":)" + most + R"(,"timeoutSeconds":)" + most +
                              R"(,"failureThreshold":)" + most;
    // The library's own fields take the longest duration that there is.
    const std::string longest = R"("9223372036.854775807s")";
    const std::string own = R"({"exec":{"command":["a"]},"initialDelay":)" + longest +
                            R"(,"period":)" + longest + R"(,"timeout":)" + longest +
                            R"(,"failureThreshold":)" + most;
    const std::string grace = R"(,"terminationGracePeriodSeconds":9223372036)";
    const std::string& kind = GENERATE_COPY(probe, own);
    const std::string manifest = folder.file(
        "m.json",
        R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"x",)"
        R"("startupProbe":)" +
            kind + grace + R"(},"livenessProbe":)" + kind + grace + R"(},"readinessProbe":)" +
            kind + R"(,"successThreshold":)" + most + R"(}}])" + grace + "}}");
    const Subjects subjects = read_subjects({manifest});
    REQUIRE(subjects.errors == Texts{});
    const std::string bound = "876000h";
    for (const char* one : {"--starts-after", "--fails-after", "--attempt-takes", "--exits-after",
                            "--ends-in", "--creation-takes", "--stop-after"}) {
        CAPTURE(one);
        const Options options =
            parse({one, bound.c_str(), "--duration", bound.c_str(), "--hangs", manifest.c_str()});
        auto script = script_of(options.target);
        script.length = *options.duration;
        script.stop_after = options.stop_after;
        const Scene scene{.subject = subjects.all.at(0),
                          .target = described(options.target),
                          .options = options.target,
                          .timeline = simulate(subjects.all[0].settings, script)};
        CHECK(contains(story(scene, true), "runs"));
        CHECK(xml_mistake(picture(std::vector{scene})) == "");
    }
}

TEST_CASE("timeline: pictures are well-formed, whatever they show") {
    Scene scene = slow_starter(35s, 3);
    scene.subject.probes = {"liveness   exec [" + std::string(300, '<') + "]",
                            "readiness  \x01 \u00e4\u00e4"};
    const std::string svg = picture(std::vector{scene, slow_starter(0s, 3)});
    CHECK(xml_mistake(svg) == "");
    CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 960 "));
    CHECK(contains(svg, "&lt;slow&gt; &amp; &quot;late&quot;"));
    CHECK_FALSE(contains(svg, "\x01"));
    CHECK(count(svg, ">process</text>") == 2);
    CHECK(contains(svg, ">CrashLoopBackOff<"));
    CHECK(contains(svg, "class=\"kill\""));
    // No more of very many checks are drawn than there is room for.
    Scene long_one = slow_starter(0s, 3);
    long_one.timeline = simulate(long_one.subject.settings, {.length = 48h});
    CHECK(count(picture(std::vector{long_one}), "<circle") < 5000);
    // Nothing at all happened, or too long ago to be drawn.
    for (const Duration length : {Duration::zero(), Duration::max()}) {
        Scene empty{.timeline = {.length = length}};
        CHECK(xml_mistake(picture(std::vector{empty})) == "");
    }
}

TEST_CASE("timeline: the check for well-formedness finds what is not") {
    CHECK(xml_mistake("<a><b/></a>") == "");
    for (const char* wrong : {"<a>", "<a></b>", "<a b=\"></a>", "<a>&</a>", "<a/><a></a><b></b>",
                              "<a", "<a><b></a></b>"})
        CHECK(xml_mistake(wrong) != "");
    CHECK(escaped("a\tb\nc") == "a b\nc");
}

namespace {

/// The lines that a supervisor writes.
class Log {
public:
    Log& pod(const std::string& state, bool ready = false,
             const std::string& ready_since = "12:00:00", const std::string& metadata = "") {
        text_ +=
            R"({"type":"MODIFIED","object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","namespace":"default",)"
            R"("creationTimestamp":"2026-01-31T12:00:00.000000Z")" +
            metadata +
            R"(},"spec":{"containers":[{"name":"c","image":"x","livenessProbe":{"exec":{"command":["a"]},)"
            R"("periodSeconds":10},"readinessProbe":{"exec":{"command":["a"]},"periodSeconds":5}}]},)"
            R"("status":{"conditions":[{"type":"ContainersReady","lastTransitionTime":"2026-01-31T)" +
            ready_since + R"(Z"}],"containerStatuses":[{"name":"c","ready":)" +
            (ready ? "true" : "false") + R"(,"state":{)" + state + "}}]}}}\n";
        return *this;
    }
    Log& runs(const std::string& since, bool ready = false,
              const std::string& ready_since = "12:00:00") {
        return pod(R"("running":{"startedAt":"2026-01-31T)" + since + R"(Z"})", ready, ready_since);
    }
    Log& ended(const std::string& since, const std::string& at, const std::string& how) {
        return pod(R"("terminated":{"startedAt":"2026-01-31T)" + since +
                   R"(Z","finishedAt":"2026-01-31T)" + at + "Z\"," + how + "}");
    }
    Log& event(const std::string& reason, const std::string& message, const std::string& at) {
        text_ +=
            R"({"type":"ADDED","object":{"apiVersion":"v1","kind":"Event","involvedObject":{"kind":"Pod","name":"p",)"
            R"("fieldPath":"spec.containers{c}"},"reason":")" +
            reason + R"(","message":")" + message + R"(","lastTimestamp":"2026-01-31T)" + at +
            "Z\"}}\n";
        return *this;
    }
    Log& failed(const std::string& probe, const std::string& at, const std::string& why = "x") {
        return event("Unhealthy", probe + " probe failed: " + why, at);
    }

    [[nodiscard]] const std::string& text() const { return text_; }
    [[nodiscard]] Recordings read() const {
        const TemporaryFolder folder;
        return read_recordings(folder.file("recording", text_));
    }
    [[nodiscard]] Recording recording() const {
        Recordings recordings = read();
        REQUIRE(recordings.errors == Texts{});
        REQUIRE(recordings.by_name.contains("p/c"));
        return recordings.by_name["p/c"];
    }

private:
    std::string text_;
};

Outcome answer(const Recording& recording, ProbeKind kind, int run, Duration age) {
    return recording.script().responses(Check{.kind = kind, .run = run, .age = age}).outcome;
}

} // namespace

TEST_CASE("timeline: a recording is replayed as it was") {
    // Found ill at 20 s, killed at 40 s, ended after its grace period; a second run that ends by
    // itself.
    const Recording recording =
        Log{}
            .runs("12:00:01")
            .runs("12:00:01", true, "12:00:01")
            .failed("Liveness", "12:00:20")
            .failed("Liveness", "12:00:30.020000")
            .failed("Liveness", "12:00:40")
            .event("Killing", "Container c failed liveness probe, will be restarted", "12:00:40")
            .ended("12:00:01", "12:01:10", R"("exitCode":137,"signal":9)")
            .runs("12:01:11")
            .ended("12:01:11", "12:01:31", R"("exitCode":3)")
            .recording();
    const auto script = recording.script();
    CHECK(script.length == 91s);
    REQUIRE(script.runs.size() == 2);
    CHECK(script.runs[0].starts_in == 1s);
    CHECK(script.runs[0].ends_in == Duration::max());
    CHECK_FALSE(script.runs[0].exits_after);
    CHECK(script.runs[1].exits_after == 20s);
    CHECK(script.runs[1].exit == probekit::ExitStatus{.code = 3});

    const auto timeline = simulate(recording.subject.settings, script);
    CHECK(timeline.times(What::kill) == std::vector<Duration>{40s + 1ms});
    CHECK(timeline.times(What::ended) == std::vector<Duration>{70s + 1ms});
    CHECK(timeline.restarts().front() == 71s + 1ms);

    SECTION("and under other settings: what ailed it goes on") {
        probekit::simulation::Container patient = recording.subject.settings;
        patient.liveness->failure_threshold = 5;
        CHECK(simulate(patient, script).times(What::kill) == std::vector<Duration>{60s + 1ms});
    }
}

TEST_CASE("timeline: what a recording says of times between checks") {
    const Recording recording =
        Log{}
            .runs("12:00:00")
            .failed("Readiness", "12:00:20")
            .failed("Readiness", "12:00:25.100000")
            .failed("Readiness", "12:01:00", R"(command timed out: \"a\" timed out after 1s)")
            .event("Unhealthy", "Readiness probe errored and resulted in unknown state: x",
                   "12:02:00")
            .runs("12:00:00", true, "12:05:00")
            .recording();
    const auto seen = [&](Duration age) { return answer(recording, ProbeKind::readiness, 1, age); };
    CHECK(seen(17s) == Outcome::success);
    CHECK(seen(18s) == Outcome::failure); // half a period before the check that found it
    CHECK(seen(22550ms) == Outcome::failure);
    CHECK(seen(61s) == Outcome::unknown);
    const auto responses = recording.script().responses;
    CHECK(responses(Check{.run = 1, .age = 58s}).takes ==
          Duration::max()); // began a timeout earlier
    CHECK(responses(Check{.run = 1, .age = 120s}).error);
    // Never ready until 5 min: it was as ill as it had been seen, though no event said so any more.
    CHECK(responses(Check{.run = 1, .age = 250s}).error);
    CHECK(seen(299s) == Outcome::success);
    // Liveness has no trace at all: it passed. Startup, which has no probe, answers as
    // liveness.
    CHECK(answer(recording, ProbeKind::liveness, 1, 20s) == Outcome::success);
    CHECK(answer(recording, ProbeKind::startup, 1, 20s) == Outcome::success);
    // A run after those recorded is like the last one.
    CHECK(answer(recording, ProbeKind::readiness, 7, 20s) == Outcome::failure);
}

TEST_CASE("timeline: one that was ill at its first check was ill before") {
    const Recording recording =
        Log{}.runs("12:00:00").failed("Liveness", "12:00:09").runs("12:00:00", true).recording();
    CHECK(answer(recording, ProbeKind::liveness, 1, 0s) == Outcome::failure);
}

TEST_CASE("timeline: a recording ends with the deletion of its pod") {
    const Recording recording =
        Log{}
            .runs("12:00:01", true)
            .pod("", true, "12:00:00",
                 R"(,"deletionTimestamp":"2026-01-31T12:01:30Z","deletionGracePeriodSeconds":30)")
            .event("Killing", "Stopping container c", "12:01:00")
            .ended("12:00:01", "12:01:30", R"("exitCode":137)")
            .recording();
    CHECK(recording.script().length == 60s);
    REQUIRE(recording.script().runs.size() == 1);
    CHECK_FALSE(recording.script().runs[0].exits_after);
}

TEST_CASE("timeline: events of a recording may come in any order") {
    const Recording recording =
        Log{}
            .runs("12:00:10")
            .failed("Liveness", "12:00:40")
            .event("Unhealthy", "Liveness probe errored and resulted in unknown state: x",
                   "12:00:20")
            .failed("Liveness", "12:00:30")
            .runs("12:00:01") // an earlier run, which is heard of later
            .recording();
    REQUIRE(recording.runs.size() == 2);
    const auto& failures =
        recording.runs[1].failures[static_cast<std::size_t>(ProbeKind::liveness)];
    REQUIRE(failures.size() == 3);
    CHECK(failures[0].age == 10s);
    CHECK(failures[0].response.error);
    CHECK(failures[1].age == 20s);
    CHECK(failures[2].age == 30s);
    CHECK(answer(recording, ProbeKind::liveness, 2, 5s) == Outcome::unknown);
}

TEST_CASE("timeline: nothing in a recording ends before it has begun") {
    SECTION("a run") {
        const Recording recording =
            Log{}.ended("12:00:10", "12:00:05", R"("exitCode":0)").runs("12:00:20").recording();
        REQUIRE(recording.runs.size() == 1);
        CHECK_FALSE(recording.script().runs[0].exits_after);
    }
    SECTION("a kill, which comes to a run that goes on") {
        const Recording recording = Log{}
                                        .ended("12:00:10", "12:00:15", R"("exitCode":3)")
                                        .event("Killing", "Stopping container c", "12:00:16")
                                        .failed("Liveness", "12:00:17")
                                        .recording();
        CHECK_FALSE(recording.runs[0].killed);
        CHECK(recording.script().runs[0].exits_after == 5s);
        CHECK(answer(recording, ProbeKind::liveness, 1, 7s) == Outcome::success);
    }
    SECTION("a kill in the second in which the run ends, whichever is heard of first") {
        const std::string at = "12:00:15.700000";
        const Recording first = Log{}
                                    .runs("12:00:10")
                                    .event("Killing", "x", at)
                                    .ended("12:00:10", "12:00:15", R"("signal":9)")
                                    .recording();
        const Recording last = Log{}
                                   .ended("12:00:10", "12:00:15", R"("signal":15)")
                                   .event("Killing", "x", at)
                                   .recording();
        CHECK(first.script().runs[0].ends_in == Duration::max());
        CHECK(last.script().runs[0].ends_in == 0s);
    }
    SECTION("the recording, though its pod was long to end") {
        const Recording recording =
            Log{}
                .runs("12:00:20")
                .pod(
                    "", false, "12:00:00",
                    R"(,"deletionTimestamp":"2026-01-31T12:00:30Z","deletionGracePeriodSeconds":60)")
                .recording();
        CHECK(recording.script().length == 20s);
    }
}

TEST_CASE("timeline: times a century apart and the longest periods are replayed") {
    const auto late = [](const std::string& line) {
        std::string text = line;
        for (std::size_t at = 0; (at = text.find("12:01:", at)) != text.npos;)
            text.replace(at - 11, 10, "2099-01-31"), at += 6;
        return text;
    };
    TemporaryFolder folder;
    const std::string text = late(Log{}
                                      .runs("12:00:00")
                                      .failed("Liveness", "12:00:20")
                                      .failed("Liveness", "12:01:00")
                                      .ended("12:00:00", "12:01:10", R"("exitCode":3)")
                                      .text());
    Recordings read = read_recordings(folder.file("recording", text));
    REQUIRE(read.errors == Texts{});
    Recording& recording = read.by_name["p/c"];
    probekit::simulation::Container slow = recording.subject.settings;
    slow.liveness->period = slow.readiness->period = slow.readiness->initial_delay =
        std::chrono::seconds{2147483647};
    recording.subject.settings = slow;
    CHECK(recording.script().length > 70 * 365 * 24h);
    const auto timeline = simulate(slow, recording.script());
    CHECK(timeline.length == recording.script().length);
    CHECK(timeline.checks(ProbeKind::liveness).size() == 2);
}

TEST_CASE("timeline: numbers of a recording that mean nothing are passed over") {
    for (const char* how : {R"("exitCode":3,"signal":2147483647)", R"("exitCode":3,"signal":-1)",
                            R"("exitCode":3,"signal":9223372036854775807)"})
        CHECK(Log{}.ended("12:00:10", "12:00:15", how).recording().script().runs[0].exit ==
              probekit::ExitStatus{.code = 3});
    CHECK(
        Log{}.ended("12:00:10", "12:00:15", R"("exitCode":4294967296)").recording().runs[0].exit ==
        probekit::ExitStatus{});
}

TEST_CASE("timeline: recordings are found by name, and what is none is an error") {
    const Recordings recordings = Log{}.runs("12:00:00").read();
    CHECK(recordings.find({.pod = "p", .container = "c"}) != nullptr);
    CHECK(recordings.find({.pod = "other", .container = "c"}) != nullptr);
    CHECK(recordings.find({.pod = "other", .container = "other"}) != nullptr); // there is no other
    Recordings two = recordings;
    two.by_name["q/c"] = two.by_name["p/c"];
    CHECK(two.find({.pod = "q", .container = "c"}) != nullptr);
    CHECK(two.find({.pod = "other", .container = "c"}) == nullptr);
    CHECK(two.find({.pod = "other", .container = "other"}) == nullptr);

    const auto error = [](std::string_view text) {
        const TemporaryFolder folder;
        const std::string path = folder.file("recording", text);
        const Texts errors = read_recordings(path).errors;
        return errors.empty() ? "" : errors[0].substr(path.size());
    };
    CHECK(error("") == ": no pods in this recording");
    CHECK(error("1\n[]\n{\"object\":3}\n{\"object\":{\"kind\":\"Event\"}}\n") ==
          ": no pods in this recording");
    CHECK(error("{\"object\":{}}\n{\n").starts_with(":2: "));
    CHECK(contains(
        error(R"({"object":{"kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[]}}})"),
        "is invalid"));
    CHECK(contains(error(R"({"object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},)"
                         R"("spec":{"containers":[{"name":"c","image":"x"}]}}})"),
                   ":1: metadata.creationTimestamp is missing"));
    CHECK(read_recordings("/does/not/exist").errors ==
          Texts{"/does/not/exist: cannot be read, or is too long"});
    // Broken parts of a recording are passed over.
    CHECK(Log{}
              .failed("Liveness", "12:00:00")
              .runs("12:00:30")
              .failed("Liveness", "11:00:00")
              .failed("Lively", "12:00:40")
              .event("Unhealthy", "Liveness probe failed: ", "yesterday")
              .recording()
              .runs.front()
              .failures[static_cast<std::size_t>(ProbeKind::liveness)]
              .empty());
}

TEST_CASE("timeline: a recording may say any number and any time, and nothing overflows") {
    const TemporaryFolder folder;
    const std::string number = GENERATE("2147483647", "-2147483648", "9223372036854775807",
                                        "-9223372036854775808", "18446744073709551615");
    const std::string first = "1970-01-01T00:00:00.000000001Z";
    const std::string last = "2099-12-31T23:59:60.999999999Z";
    const auto [begin, end] = GENERATE_COPY(std::pair{first, last}, std::pair{last, first});
    const auto pod = [&](const std::string& metadata, const std::string& state) {
        return R"({"object":{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","creationTimestamp":")" +
               begin + "\"" + metadata +
               R"(},"spec":{"containers":[{"name":"c","image":"x","livenessProbe":{"exec":{"command":["a"]},)"
               R"("initialDelay":"9223372036.854775807s","period":"9223372036.854775807s","timeout":"9223372036s"}}]},)"
               R"("status":{"conditions":[{"type":"ContainersReady","lastTransitionTime":")" +
               end + R"("}],"containerStatuses":[{"name":"c","ready":true,"state":{)" + state +
               "}}]}}}\n";
    };
    const auto failed = [](const std::string& at) {
        return R"({"object":{"kind":"Event","involvedObject":{"name":"p","fieldPath":"spec.containers{c}"},)"
               R"("reason":"Unhealthy","message":"Liveness probe failed: x","lastTimestamp":")" +
               at + "\"}}\n";
    };
    const Recordings recordings = read_recordings(folder.file(
        "recording",
        pod("", R"("running":{"startedAt":")" + begin + "\"}") + failed(begin) + failed(end) +
            pod("", R"("terminated":{"startedAt":")" + begin + R"(","finishedAt":")" + end +
                        R"(","exitCode":)" + number + R"(,"signal":)" + number + "}") +
            pod(R"(,"deletionTimestamp":")" + end + R"(","deletionGracePeriodSeconds":)" + number,
                "")));
    REQUIRE(recordings.errors == Texts{});
    const Recording& recording = recordings.by_name.at("p/c");
    auto script = recording.script();
    CHECK(script.length >= 0s);
    for (const Duration age : {Duration::zero(), Duration{1h}, Duration::max()})
        answer(recording, ProbeKind::liveness, 1, age);
    script.length = Duration::max();
    const auto timeline = simulate(recording.subject.settings, script);
    CHECK(timeline.first(What::running));
}
