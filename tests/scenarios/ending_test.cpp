// The end: of one pod, of all of them, in good order and in haste.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "pods.hpp"
#include "supervised.hpp"

using namespace scenarios;

namespace {

auto deleting(const json& line) {
    return is_pod(line) && line["object"]["metadata"].contains("deletionTimestamp");
}

} // namespace

TEST_CASE("a pod that is to end is deleted in order") {
    const int signal = GENERATE(SIGTERM, SIGINT, SIGHUP);
    Supervised supervised{pod("p", {obedient("c")}).dump()};
    supervised.until(ready(true));
    supervised.program().signal(signal);

    const json marked = supervised.until(deleting);
    CHECK(marked["type"] == "MODIFIED");
    CHECK(marked["object"]["metadata"]["deletionGracePeriodSeconds"] == 30);
    const json kill = supervised.until(event("Killing", "Stopping container c"));
    CHECK(moment(marked["object"]["metadata"]["deletionTimestamp"]) >=
          moment(kill["object"]["lastTimestamp"]) + 29s);
    const json ended = supervised.until(terminated);
    CHECK(ended["object"]["status"]["phase"] == "Succeeded");
    const json last = supervised.until([](const json& line) { return line["type"] == "DELETED"; });
    CHECK(last["object"]["status"]["phase"] == "Succeeded");
    CHECK(supervised.finish() == 0);
    CHECK(supervised.lines().back() == last);
}

TEST_CASE("a container that ends badly when it is stopped makes its pod Failed, which is no one's "
          "fault") {
    Supervised supervised{pod("p", {obedient("c", 3)}).dump()};
    supervised.until(ready(true));
    CHECK(supervised.stop() == 0);
    CHECK(phase_is("Failed")(supervised.lines().back()));
}

TEST_CASE(
    "who does not heed SIGTERM is killed when the grace period is over, with all it has started") {
    Supervised supervised{pod("p", {deaf("c")}, {{"terminationGracePeriodSeconds", 3}}).dump()};
    const json running = supervised.until(ready(true));
    const int pid = pid_of(container(running));
    supervised.program().signal(SIGTERM);
    const json deleted = supervised.until(deleting);
    CHECK(deleted["object"]["metadata"]["deletionGracePeriodSeconds"] == 3);
    const json kill = supervised.until(event("Killing"));
    const json ended = supervised.until(terminated);
    CHECK(container(ended)["state"]["terminated"]["exitCode"] == 137);
    CHECK(moment(container(ended)["state"]["terminated"]["finishedAt"]) -
              moment(kill["object"]["lastTimestamp"]) >=
          3s);
    CHECK(supervised.finish() == 0);
    CHECK_FALSE(process_exists(pid));
}

TEST_CASE("a second signal ends all of it at once") {
    Supervised supervised{
        pod("p", {deaf("c")}, {{"terminationGracePeriodSeconds", 1000000}}).dump(), {.scale = "1"}};
    supervised.until(ready(true));
    supervised.program().signal(SIGTERM);
    supervised.until(event("Killing"));
    CHECK(supervised.stop() == 0);
    CHECK(supervised.lines().back()["type"] == "DELETED");
    CHECK(container(supervised.lines().back())["state"]["terminated"]["exitCode"] == 137);
}

TEST_CASE("even without a grace period there are two seconds between SIGTERM and SIGKILL") {
    Supervised supervised{pod("p", {deaf("c")}, {{"terminationGracePeriodSeconds", 0}}).dump()};
    supervised.until(ready(true));
    supervised.program().signal(SIGTERM);
    const json kill = supervised.until(event("Killing"));
    const json ended = supervised.until(terminated);
    CHECK(moment(container(ended)["state"]["terminated"]["finishedAt"]) -
              moment(kill["object"]["lastTimestamp"]) >=
          2s);
    CHECK(supervised.finish() == 0);
}

TEST_CASE("no process is left") {
    const json c = service("c", "trap '' TERM; /bin/sleep 1000 & echo $! > child");
    Supervised supervised{pod("p", {c}, {{"terminationGracePeriodSeconds", 2}}).dump()};
    const json is_ready = supervised.until(ready(true));
    const int child = std::stoi(contents(supervised.folder() / "child"));
    CHECK(process_lives(child));
    CHECK(supervised.stop() == 0);
    CHECK_FALSE(process_exists(pid_of(container(is_ready))));
    CHECK_FALSE(process_lives(child));
}

TEST_CASE("stopped in the middle of anything a pod ends at once") {
    const json patient{{"terminationGracePeriodSeconds", 100000}};
    json in_init = pod("in-init", {shell("c", "touch wrong")}, patient);
    json sidecar = obedient("side");
    sidecar["restartPolicy"] = "Always";
    in_init["spec"]["initContainers"] = {sidecar, shell("init", "/bin/sleep 1000")};
    json hooked = shell("c", "/bin/sleep 1000");
    hooked["lifecycle"]["postStart"] = {{"exec", {{"command", {"/bin/sleep", "1000"}}}}};
    const json no_command{{"name", "c"}, {"image", "i"}, {"command", {"no-such-program"}}};
    const json pods{in_init, pod("in-hook", {hooked}, patient),
                    pod("in-back-off", {shell("c", "exit 1")}, patient),
                    pod("not-there", {no_command}, patient)};
    Supervised supervised{json{{"apiVersion", "v1"}, {"kind", "List"}, {"items", pods}}.dump()};

    std::map<std::string, json> last;
    supervised.until([&](const json& line) {
        if (is_pod(line)) last[line["object"]["metadata"]["name"]] = line;
        return last.size() == 4 &&
               container(last["in-init"], "init")["state"].contains("running") &&
               container(last["in-hook"]).contains("containerID") &&
               waiting("CrashLoopBackOff")(last["in-back-off"]) &&
               waiting("CrashLoopBackOff")(last["not-there"]);
    });
    CHECK(supervised.stop() == 0);
    for (const json& line : supervised.all(is_pod)) last[line["object"]["metadata"]["name"]] = line;
    for (const auto& [name, line] : last) {
        INFO(name);
        CHECK(line["type"] == "DELETED");
        // No regular container has failed where none ever ran.
        CHECK(phase_is(name == "in-init" ? "Succeeded" : "Failed")(line));
    }
    CHECK_FALSE(std::filesystem::exists(supervised.folder() / "wrong"));
}

TEST_CASE("signals that whoever starts it has blocked end it all the same") {
    sigset_t ours, before;
    ::sigemptyset(&ours);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&ours, signal);
    ::pthread_sigmask(SIG_BLOCK, &ours, &before);
    // A container finds none of them blocked either, and none ignored.
    Supervised supervised{pod("p", {service("c", "grep -E '^Sig(Blk|Ign)' /proc/self/status > "
                                                 "signals; trap 'exit 0' TERM")})
                              .dump()};
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    supervised.until(ready(true));
    CHECK(contents(supervised.folder() / "signals") ==
          "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    CHECK(supervised.stop() == 0);
    CHECK(phase_is("Succeeded")(supervised.lines().back()));
}

TEST_CASE("a hangup that nohup has ignored changes nothing, one that repeats hastens nothing") {
    const bool ignored = GENERATE(true, false);
    CAPTURE(ignored);
    const auto before = std::signal(SIGHUP, ignored ? SIG_IGN : SIG_DFL);
    json c = service("c", "trap 'until test -e go; do /bin/sleep 0.01; done; exit 0' TERM");
    Supervised supervised{pod("p", {c}, {{"terminationGracePeriodSeconds", 1000000}}).dump(),
                          {.scale = "1"}};
    std::signal(SIGHUP, before);
    supervised.until(ready(true));
    supervised.program().signal(SIGHUP);
    if (ignored) {
        // It has been sent before this signal, which would be a second one.
        supervised.program().signal(SIGTERM);
        supervised.until(event("Killing"));
    } else {
        supervised.until(event("Killing"));
        supervised.program().signal(SIGHUP);
    }
    std::ofstream{supervised.folder() / "go"};
    CHECK(supervised.finish() == 0);
    CHECK(supervised.all(event("Killing")).size() == 1);
    CHECK(container(supervised.lines().back())["state"]["terminated"]["exitCode"] == 0);
}

TEST_CASE("nothing is left when the terminal is closed") {
    const TemporaryFolder folder;
    const std::string manifest = (folder.path() / "pod.json").string();
    std::ofstream{manifest} << pod("p", {obedient("c")}).dump();
    int terminal = -1;
    const pid_t program = ::forkpty(&terminal, nullptr, nullptr, nullptr);
    if (program == 0) {
        std::signal(SIGHUP, SIG_DFL);
        if (::chdir(folder.path().c_str()) == 0)
            ::execl(SUPERVISOR, SUPERVISOR, "-o", "json", manifest.c_str(), nullptr);
        ::_exit(127);
    }
    REQUIRE(program > 0);
    int running = -1;
    {
        tools::LineReader lines{terminal}; // closes the terminal
        while (running < 0) {
            const auto line = lines.line();
            REQUIRE(line);
            const json said = json::parse(*line);
            if (ready(true)(said)) running = pid_of(container(said));
        }
        CHECK(process_lives(running));
    }
    int status = 0;
    CHECK(::waitpid(program, &status, 0) == program);
    CHECK(WIFEXITED(status));
    CHECK_FALSE(process_exists(running));
}

TEST_CASE("--duration is a signal that is sent in time") {
    Supervised supervised{pod("p", {obedient("c")}).dump(), {.arguments = {"--duration", "5"}}};
    const json running = supervised.until(running_after(0));
    const json deleted = supervised.until(deleting);
    CHECK(moment(deleted["object"]["metadata"]["deletionTimestamp"]) -
              started_at(container(running)) >=
          30s + 2s);
    CHECK(supervised.finish() == 0);
}

TEST_CASE("a pod that has ended by itself stays as it was") {
    const json ended = pod("ended", {shell("c", "exit 2")}, {{"restartPolicy", "Never"}});
    const json lives = pod("lives", {obedient("c")});
    Supervised supervised{ended.dump() + "\n---\n" + lives.dump()};
    bool has_failed = false;
    bool is_up = false;
    supervised.until([&](const json& line) {
        has_failed = has_failed || phase_is("Failed")(line);
        is_up = is_up || ready(true)(line);
        return has_failed && is_up;
    });
    CHECK(supervised.stop() == 1); // it had failed before
    for (const json& line :
         supervised.all([](const json& one) { return one["type"] == "DELETED" || deleting(one); }))
        CHECK(line["object"]["metadata"]["name"] == "lives");
}

TEST_CASE("a container that waits to be restarted is not restarted for the end") {
    Supervised supervised{pod("p", {shell("c", "exit 1")}).dump(), {.scale = "1"}};
    supervised.until(waiting("CrashLoopBackOff"));
    CHECK(supervised.stop() == 0);
    const json last = supervised.lines().back();
    CHECK(last["type"] == "DELETED");
    CHECK(container(last)["state"]["terminated"]["exitCode"] == 1);
    CHECK(container(last)["restartCount"] == 1);
}

TEST_CASE("readiness goes on while a pod ends, liveness does not") {
    json c = service("c", "trap 'rm -f c.up' TERM");
    c["readinessProbe"]["failureThreshold"] = 1;
    c["startupProbe"] = c["readinessProbe"];
    c["startupProbe"]["failureThreshold"] = 1000;
    c["livenessProbe"] = c["readinessProbe"];
    Supervised supervised{pod("p", {c}, {{"terminationGracePeriodSeconds", 20}}).dump()};
    supervised.until(ready(true));
    supervised.program().signal(SIGTERM);
    const json unready = supervised.until(ready(false));
    CHECK(deleting(unready));
    CHECK(container(unready)["state"].contains("running"));
    CHECK(condition(unready, "Ready")["status"] == "False");
    CHECK(supervised.finish() == 0);
    CHECK(supervised.all(event("Unhealthy", "Readiness probe failed")).size() >= 1);
    CHECK(supervised.all(event("Unhealthy", "Liveness")).empty());
    CHECK(supervised.all(event("Killing")).size() == 1);
}

TEST_CASE("the grace period of a probe wins over its pod's") {
    json c = deaf("c");
    const std::string kind = GENERATE("livenessProbe", "startupProbe");
    c[kind] = fails_when_up("c");
    c[kind]["terminationGracePeriodSeconds"] = 3;
    if (kind == "startupProbe")
        c[kind]["exec"]["command"] = {"sh", "-c",
                                      "until test -e c.up; do /bin/sleep 0.01; done; exit 1"};
    Supervised supervised{pod("p", {c}, {{"terminationGracePeriodSeconds", 1000000}}).dump()};
    const json kill = supervised.until(event("Killing"));
    const json ended = supervised.until(terminated);
    CHECK(moment(container(ended)["state"]["terminated"]["finishedAt"]) -
              moment(kill["object"]["lastTimestamp"]) >=
          3s);
    supervised.until(running_after(1));
    supervised.program().signal(SIGTERM);
    supervised.until(deleting);
    CHECK(supervised.stop() == 0);
}

TEST_CASE("when its output has no reader the supervisor ends its pods and says so by its status") {
    Supervised supervised{pod("p", {shell("c", "while :; do echo x; exit 1; done")}).dump(),
                          {.scale = "100"}};
    const json running = supervised.until(running_after(0));
    supervised.program().output().close();
    CHECK(supervised.program().errors().rest() == "");
    CHECK(supervised.program().wait() == 3);
    CHECK_FALSE(process_exists(pid_of(container(running))));
}

TEST_CASE("a pod whose containers have all ended for good is never shown as running") {
    const bool removed = GENERATE(false, true);
    json last = removed ? obedient("b") : shell("b", "exit 3");
    Supervised supervised{
        pod("p", {shell("a", "exit 0"), last}, {{"restartPolicy", "Never"}}).dump()};
    if (removed) {
        supervised.until([](const json& line) {
            return is_pod(line) && container(line, "a")["state"].contains("terminated") &&
                   container(line, "b")["ready"] == true;
        });
        supervised.program().signal(SIGTERM);
    }
    CHECK(supervised.finish() == (removed ? 0 : 1));
    int ended = 0;
    for (const json& line : supervised.all(is_pod)) {
        if (!container(line, "a")["state"].contains("terminated") ||
            !container(line, "b")["state"].contains("terminated"))
            continue;
        ++ended;
        CHECK(line["object"]["status"]["phase"] != "Running");
    }
    CHECK(ended > 0);
}
