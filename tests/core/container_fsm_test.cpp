// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/container_fsm.hpp>

#include <algorithm>
#include <csignal>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace probekit;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint at(Duration since_begin) { return TimePoint{since_begin}; }

std::string seconds(Duration span) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(span).count());
}

using Action = ContainerDecision::Action;

std::string text(const ContainerDecision& decision) {
    switch (decision.action) {
    case Action::none: return "";
    case Action::start: return "start";
    case Action::wait:
        return "wait until " + seconds(decision.at.time_since_epoch()) + " for " +
               seconds(decision.delay);
    case Action::signal: return "signal " + seconds(decision.grace);
    case Action::over: return "over";
    }
    return "?";
}

/// What happens, as a word.
///   run  started    fail  the start failed    ok, bad  it exits with 0, with 1    term  by SIGTERM
///   live, up  the liveness, the startup probe fails    short  liveness, with a grace period of 5 s
///   stop  restart  due
const std::vector<std::string> alphabet{"run", "fail",  "ok",   "bad",     "live",
                                        "up",  "short", "stop", "restart", "due"};

ContainerDecision step(ContainerFsm& fsm, const std::string& word, TimePoint now) {
    if (word == "run") return fsm.step(event::Started{}, now);
    if (word == "fail") return fsm.step(event::StartFailed{}, now);
    if (word == "ok") return fsm.step(event::Ended{}, now);
    if (word == "bad") return fsm.step(event::Ended{{.code = 1}}, now);
    if (word == "term") return fsm.step(event::Ended{{.signal = SIGTERM}}, now);
    if (word == "live") return fsm.step(event::ProbeFailed{ProbeKind::liveness}, now);
    if (word == "up") return fsm.step(event::ProbeFailed{ProbeKind::startup}, now);
    if (word == "short") return fsm.step(event::ProbeFailed{ProbeKind::liveness, 5s}, now);
    if (word == "stop") return fsm.step(event::StopAsked{}, now);
    if (word == "restart") return fsm.step(event::RestartAsked{}, now);
    return fsm.step(event::Due{}, now);
}

/// Words with their seconds, "0 run, 7 ok"; what each leads to, if it leads to anything.
std::string decisions(const ContainerSettings& settings, const std::string& script) {
    ContainerFsm fsm{settings};
    std::istringstream in{script};
    std::string all;
    int second = 0;
    for (std::string word; in >> second >> word;) {
        if (word.back() == ',') word.pop_back();
        const std::string decision = text(step(fsm, word, at(std::chrono::seconds{second})));
        if (!decision.empty())
            all += (all.empty() ? "" : ", ") + std::to_string(second) + " " + decision;
    }
    return all;
}

constexpr auto always = RestartPolicy::always;
constexpr auto on_failure = RestartPolicy::on_failure;
constexpr auto never = RestartPolicy::never;

struct Row {
    RestartPolicy policy;
    std::string script;
    std::string decisions;
};

void check(const Row& row) {
    CAPTURE(row.script);
    CHECK(decisions({.restart_policy = row.policy}, row.script) == row.decisions);
}

} // namespace

TEST_CASE("a container that ends is started again as its policy says, after its back-off") {
    check(GENERATE(values<Row>({
        {always, "0 due, 0 run, 5 ok", "0 start, 5 start"},
        {always, "0 run, 5 bad, 5 run, 6 bad, 10 due, 16 due, 16 run, 17 ok",
         "5 start, 6 wait until 16 for 10, 10 wait until 16 for 10, 16 start, "
         "17 wait until 37 for 20"},
        {on_failure, "0 run, 5 ok, 6 due", "5 over"},
        {on_failure, "0 run, 5 bad", "5 start"},
        {never, "0 run, 5 bad", "5 over"},
    })));
}

TEST_CASE("a start that fails is an exit with status 128") {
    CHECK(exit_of_failed_start == ExitStatus{.code = 128});
    check(GENERATE(values<Row>({
        {always, "0 due, 0 fail, 0 fail", "0 start, 0 start, 0 wait until 10 for 10"},
        {on_failure, "0 fail", "0 start"},
        {never, "0 fail", "0 over"},
    })));
}

TEST_CASE("what is killed for a probe is restarted whatever its exit status, unless never") {
    check(GENERATE(values<Row>({
        {always, "0 run, 5 live, 6 ok", "5 signal 30, 6 start"},
        {on_failure, "0 run, 5 live, 6 ok", "5 signal 30, 6 start"},
        {on_failure, "0 run, 5 up, 6 term", "5 signal 30, 6 start"},
        {never, "0 run, 5 live, 6 bad", "5 signal 30, 6 over"},
        {always, "0 run, 5 live, 6 live, 7 up, 8 ok", "5 signal 30, 8 start"},
        {on_failure, "0 run, 5 live, 6 ok, 6 run, 7 ok", "5 signal 30, 6 start, 7 over"},
    })));
}

TEST_CASE("the wait after a kill counts as a kubelet's") {
    check(
        {always, "0 run, 43 live, 43 ok, 43 run, 44 live, 44 ok, 44 run, 45 live, 45 ok",
         "43 signal 30, 43 start, 44 signal 30, 44 start, 45 signal 30, 45 wait until 55 for 10"});
}

TEST_CASE("what is asked to stop ends for good") {
    check(GENERATE(values<Row>({
        {always, "0 run, 5 stop, 6 bad, 7 due", "5 signal 30, 6 over"},
        {always, "0 run, 5 live, 6 stop, 7 bad", "5 signal 30, 6 signal 30, 7 over"},
        {always, "0 run, 5 restart, 6 stop, 7 bad", "5 signal 30, 6 signal 30, 7 over"},
        {always, "0 run, 5 stop, 6 restart, 7 live, 8 bad", "5 signal 30, 8 over"},
        {always, "0 stop, 1 stop", "0 over"},
        {always, "0 fail, 0 fail, 1 stop, 10 due", "0 start, 0 wait until 10 for 10, 1 over"},
        {never, "0 run, 1 ok, 2 stop", "1 over"},
    })));
}

TEST_CASE("what is asked to restart starts at once, and moves no back-off") {
    check(GENERATE(values<Row>({
        {always, "0 run, 5 restart, 6 ok, 6 run, 7 restart, 8 bad, 8 run, 9 bad",
         "5 signal 30, 6 start, 7 signal 30, 8 start, 9 start"},
        {never, "0 run, 5 restart, 6 ok, 6 run, 7 ok", "5 signal 30, 6 start, 7 over"},
        {always, "0 fail, 0 fail, 3 restart, 3 run, 4 ok",
         "0 start, 0 wait until 10 for 10, 3 start, 4 wait until 24 for 20"},
        {always, "0 run, 5 live, 6 restart, 7 ok", "5 signal 30, 6 signal 30, 7 start"},
        {never, "0 run, 1 ok, 2 restart, 2 run", "1 over, 2 start"},
        {always, "0 run, 1 stop, 2 ok, 3 restart, 3 run, 4 ok",
         "1 signal 30, 2 over, 3 start, 4 start"},
        {always, "0 restart", "0 start"},
    })));
}

TEST_CASE("the grace period is the probe's, else the container's, and at least the minimum") {
    const auto grace = [](Duration container, std::optional<Duration> probe) {
        ContainerFsm fsm{{.termination_grace_period = container}};
        fsm.step(event::Started{}, at(0s));
        const ContainerDecision decision =
            fsm.step(event::ProbeFailed{ProbeKind::startup, probe}, at(1s));
        CHECK(decision.granted == probe.value_or(container));
        CHECK(fsm.killed_for() == ProbeKind::startup);
        return decision.grace;
    };
    CHECK(grace(30s, {}) == 30s);
    CHECK(grace(30s, 5s) == 5s);
    CHECK(grace(30s, 0s) == 2s);
    CHECK(grace(1s, {}) == 2s);
    CHECK(grace(1s, 60s) == 60s);
    ContainerFsm stopped{{.termination_grace_period = 0s}};
    stopped.step(event::Started{}, at(0s));
    CHECK(stopped.step(event::StopAsked{}, at(1s)).grace == minimum_grace_period);
    CHECK_FALSE(stopped.killed_for());
}

TEST_CASE("a restart is decided with the kill") {
    const auto decided = [](RestartPolicy policy, const std::string& word) {
        ContainerFsm fsm{{.restart_policy = policy}};
        fsm.step(event::Started{}, at(0s));
        CHECK_FALSE(fsm.restart_decided());
        step(fsm, word, at(1s));
        return fsm.restart_decided();
    };
    CHECK(decided(always, "live"));
    CHECK(decided(on_failure, "live"));
    CHECK_FALSE(decided(never, "live"));
    CHECK(decided(never, "restart"));
    CHECK_FALSE(decided(always, "stop"));
}

TEST_CASE("a kubelet's starts are whole seconds") {
    static_assert(truncated_start(at(42'001ms)) == at(42s));
    static_assert(truncated_start(at(42s)) == at(42s));
    static_assert(truncated_start(at(42'999ms)) == at(42s));
    static_assert(truncated_start(at(42'300ms), at(500ms)) == at(41'500ms));
    static_assert(truncated_start(at(-1ms)) == at(-1s));
    static_assert(truncated_start(at(730ms), at(0s), 100ms) == at(700ms));
    static_assert(truncated_start(at(730ms), at(0s), 0s) == at(730ms));
}

TEST_CASE("a machine for a container works at compile time, and takes sixteen words") {
    static_assert([] {
        ContainerFsm fsm{{.restart_policy = RestartPolicy::never}};
        fsm.step(event::Started{}, at(0s));
        return fsm.step(event::Ended{}, at(1s)).action == Action::over &&
               fsm.state() == ContainerState::over;
    }());
    static_assert(sizeof(ContainerFsm) <= 16 * sizeof(void*));
}

namespace {

/// The same as a kubelet has it, which keeps what it has done to a container and looks at all of
/// that whenever something happens.
struct Oracle {
    RestartPolicy policy = RestartPolicy::always;
    RestartBackOff back_off{{.wait_from_kill = true}};

    bool ever_started = false;
    std::optional<TimePoint> runs_since = {}; // nothing: it does not run
    std::vector<std::string> done = {};       // to the run, in order
    bool finished = false;                    // ended, not to be started again
    std::optional<TimePoint> next = {};       // the start that is waited for

    [[nodiscard]] bool has(std::initializer_list<const char*> words) const {
        return std::any_of(words.begin(), words.end(), [&](const char* word) {
            return std::find(done.begin(), done.end(), word) != done.end();
        });
    }

    std::string start_or_wait(TimePoint now) const {
        if (!next || *next <= now) return "start";
        return "wait until " + seconds(next->time_since_epoch()) + " for " +
               seconds(back_off.current());
    }
    std::string finish() {
        finished = true;
        next.reset();
        return "over";
    }
    std::string exits(bool ok, TimePoint now) {
        runs_since.reset();
        if (has({"stop"})) return finish();
        if (has({"restart"})) {
            next = now;
        } else if (has({"live", "up", "short"})) {
            if (policy == RestartPolicy::never) return finish();
            next = back_off.after_kill(now);
        } else {
            if (policy == RestartPolicy::never || (policy == RestartPolicy::on_failure && ok))
                return finish();
            next = back_off.after_exit(now);
        }
        return start_or_wait(now);
    }

    std::string add(const std::string& word, TimePoint now) {
        if (word == "run" || word == "fail") {
            if (runs_since) return "";
            ever_started = true;
            finished = false;
            done.clear();
            runs_since = now;
            return word == "run" ? "" : exits(false, now);
        }
        if (runs_since) {
            if (word == "ok" || word == "bad") return exits(word == "ok", now);
            if (word == "due" || (word == "restart" && has({"stop"}))) return "";
            const bool for_probe = word != "stop" && word != "restart";
            if (for_probe && !done.empty()) return ""; // it is being ended already
            done.push_back(word);
            return word == "short" ? "signal 5" : "signal 30";
        }
        if (word == "restart") {
            finished = false;
            next = now;
            return "start";
        }
        if (finished) return "";
        if (word == "stop") return finish();
        return word == "due" ? start_or_wait(now) : "";
    }

    [[nodiscard]] ContainerState state() const {
        if (runs_since) return done.empty() ? ContainerState::running : ContainerState::ending;
        if (finished) return ContainerState::over;
        return next ? ContainerState::waiting : ContainerState::idle;
    }
};

std::optional<std::string> disagreement(const ContainerFsm& fsm, const Oracle& oracle,
                                        TimePoint now, const std::string& before, int left) {
    if (left == 0) return {};
    for (const std::string& word : alphabet) {
        ContainerFsm next = fsm;
        Oracle theirs_next = oracle;
        const std::string ours = text(step(next, word, now));
        const std::string theirs = theirs_next.add(word, now);
        const std::string script = before + word + " ";
        if (ours != theirs || next.state() != theirs_next.state())
            return script + "'" + ours + "', not '" + theirs + "'; " +
                   std::string{to_string(next.state())};
        if (auto found = disagreement(next, theirs_next, now + 4s, script, left - 1)) return found;
    }
    return {};
}

} // namespace

TEST_CASE("the container's machine agrees with a kubelet's records, whatever comes") {
    const RestartPolicy policy = GENERATE(always, on_failure, never);
    const ContainerFsm fsm{{.restart_policy = policy}};
    const Oracle oracle{.policy = policy};
    CHECK(disagreement(fsm, oracle, at(0s), "", 5).value_or("") == "");
    // After some exits, so that there is something to wait for.
    ContainerFsm later = fsm;
    Oracle theirs_next = oracle;
    for (int i = 0; i != 3; ++i) {
        step(later, "fail", at(0s));
        theirs_next.add("fail", at(0s));
    }
    CHECK(disagreement(later, theirs_next, at(0s), "fail fail fail ", 5).value_or("") == "");
}
