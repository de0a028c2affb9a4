// The command line, bad manifests, text output, logs.
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "pods.hpp"
#include "supervised.hpp"

using namespace scenarios;

namespace {

const json one_shot = pod("p", {shell("c", "echo out; echo err >&2; printf unfinished")},
                          {{"restartPolicy", "Never"}});

} // namespace

TEST_CASE("everything that is wrong with a manifest is reported, and nothing is started") {
    json bad = pod("p", {shell("c", "touch started"), shell("c", "touch started")},
                   {{"restartPolicy", "Sometimes"}});
    bad["spec"]["containers"][0]["livenessProbe"] = {{"periodSeconds", -1},
                                                     {"httpGet", {{"port", 0}}}};
    Supervised supervised{bad.dump()};
    CHECK(supervised.finish() == 2);
    CHECK(supervised.lines().empty());
    const std::string errors = supervised.program().errors().rest();
    for (const char* one : {"spec.containers[0].livenessProbe.httpGet.port: Invalid value: 0: must "
                            "be between 1 and 65535, inclusive",
                            "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: "
                            "must be greater than or equal to 0",
                            "spec.containers[1].name: Duplicate value: \"c\"",
                            "spec.restartPolicy: Unsupported value: \"Sometimes\""})
        CHECK(errors.find(one) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(supervised.folder() / "started"));
}

TEST_CASE("an image without a command and without a mapping is an error") {
    Supervised supervised{pod("p", {{{"name", "c"}, {"image", "redis"}}}).dump()};
    CHECK(supervised.finish() == 2);
    CHECK(supervised.program().errors().rest().find(
              "spec.containers[0].command: Required value: image \"redis\" has "
              "no --image mapping and the container names no command") != std::string::npos);
}

TEST_CASE("--image says what an image runs, and args are appended") {
    const json c{{"name", "c"}, {"image", "greeter"}, {"args", {"you there"}}};
    Supervised supervised{
        pod("p", {c}, {{"restartPolicy", "Never"}}).dump(),
        {.arguments = {"--image", "greeter=/bin/echo 'hello, '"}, .logs = "prefix"}};
    CHECK(supervised.finish() == 0);
    CHECK(supervised.program().errors().rest() == "[pod/p/c] hello,  you there\n");
}

TEST_CASE("wrong usage is reported, with status 2") {
    const std::string option = GENERATE("--no-such-option", "--time-scale=0", "--output=yaml");
    Supervised supervised{one_shot.dump(), {.arguments = {option}}};
    CHECK(supervised.finish() == 2);
    CHECK_FALSE(supervised.program().errors().rest().empty());
}

TEST_CASE("text is for people") {
    Supervised supervised{pod("web", {shell("c", "exit 1")}, {{"restartPolicy", "Never"}}).dump(),
                          {.json = false}};
    const std::string text = supervised.program().output().rest();
    CHECK(supervised.program().wait() == 1);
    CHECK(text.starts_with("NAME   READY   STATUS              RESTARTS      AGE\n"
                           "web    0/1     ContainerCreating   0             0s\n"
                           "LAST SEEN          TYPE      REASON      OBJECT    MESSAGE\n"
                           "0s                 Normal    Created     Pod/web   Container created\n"
                           "0s                 Normal    Started     Pod/web   Container started\n"
                           "NAME   READY   STATUS              RESTARTS      AGE\n"
                           "web    1/1     Running             0             "));
    CHECK(text.find("\nweb    0/1     Error               0             ") != std::string::npos);
    CHECK(text.find('\x1b') == std::string::npos);
}

TEST_CASE("what containers print goes to standard error, each line with its origin") {
    Supervised supervised{one_shot.dump(), {.logs = "prefix"}};
    CHECK(supervised.finish() == 0);
    CHECK(supervised.program().errors().rest() ==
          "[pod/p/c] out\n[pod/p/c] err\n[pod/p/c] unfinished\n");
}

TEST_CASE("what containers print is passed on to its last line") {
    Supervised supervised{pod("p", {shell("c", "seq 20000")}, {{"restartPolicy", "Never"}}).dump(),
                          {.logs = "prefix"}};
    std::string expected;
    for (int i = 1; i <= 20000; ++i) expected += "[pod/p/c] " + std::to_string(i) + "\n";
    const bool all_of_it = supervised.program().errors().rest() == expected;
    CHECK(all_of_it);
    CHECK(supervised.finish() == 0);
}

TEST_CASE("what containers print goes nowhere") {
    Supervised supervised{one_shot.dump(), {.logs = "none"}};
    CHECK(supervised.finish() == 0);
    CHECK(supervised.program().errors().rest().empty());
}

TEST_CASE("what containers print goes into files") {
    Supervised supervised{one_shot.dump(), {.logs = "logs/here"}};
    CHECK(supervised.finish() == 0);
    CHECK(supervised.program().errors().rest().empty());
    CHECK(contents(supervised.folder() / "logs/here/default_p/c.log") == "out\nerr\nunfinished");
}

TEST_CASE("the log files of containers that differ in their namespace only are two, and each run "
          "is in them") {
    json a = pod("p", {shell("c", "echo a; test -e again || { touch again; exit 1; }")},
                 {{"restartPolicy", "OnFailure"}});
    json b = pod("p", {shell("c", "seq 20000")}, {{"restartPolicy", "Never"}});
    b["metadata"]["namespace"] = "other";
    Supervised supervised{a.dump() + "\n---\n" + b.dump(), {.logs = "logs"}};
    CHECK(supervised.finish() == 0);
    CHECK(supervised.program().errors().rest().empty());
    CHECK(contents(supervised.folder() / "logs/default_p/c.log") == "a\na\n");
    std::string expected;
    for (int i = 1; i <= 20000; ++i) expected += std::to_string(i) + "\n";
    const bool all_of_it = contents(supervised.folder() / "logs/other_p/c.log") == expected;
    CHECK(all_of_it);
}

TEST_CASE("a log that cannot be opened is said once, and its container runs") {
    const TemporaryFolder folder;
    const std::filesystem::path log = folder.path() / "default_p/c.log";
    std::filesystem::create_directory(log.parent_path());
    REQUIRE(::mkfifo(log.c_str(), 0600) == 0);
    Supervised supervised{pod("p", {shell("c", "echo line; exit 1")}).dump(),
                          {.scale = "1000", .logs = folder.path().string()}};
    supervised.until(running_after(3));
    CHECK(supervised.stop() == 0);
    CHECK(supervised.program().errors().rest() ==
          log.string() + ": not a regular file: what its container prints is not kept\n");
}

TEST_CASE("a log that cannot be written is said once, and is written again as soon as it can be") {
    // No file may be longer than 512 bytes; the container goes on when it is told to.
    const TemporaryFolder folder;
    const std::filesystem::path log = folder.path() / "default_p/c.log";
    json c = obedient("c");
    c["command"][2] = "head -c 600 /dev/zero; until test -e go; do echo more; /bin/sleep 0.02; "
                      "done; echo last; " +
                      c["command"][2].get<std::string>();
    Supervised supervised{pod("p", {c}).dump(),
                          {.logs = folder.path().string(),
                           .wrapper = {"/bin/sh", "-c", "ulimit -f 1; exec \"$@\"", "sh"}}};
    const std::string too_long =
        log.string() + ": File too large: what its container prints is not kept";
    CHECK(supervised.program().errors().line() == too_long);
    // Removed with its folder, it is made again.
    std::filesystem::rename(folder.path() / "default_p", folder.path() / "old");
    std::ofstream{supervised.folder() / "go"} << "";
    supervised.until(ready(true));
    CHECK(supervised.stop() == 0);
    CHECK(contents(folder.path() / "old/c.log").size() <= 512);
    CHECK(contents(log).find("last\n") != std::string::npos);
    CHECK(supervised.program().errors().rest().empty());
}

TEST_CASE("a log directory that cannot be made is wrong usage") {
    Supervised supervised{one_shot.dump(), {.logs = "/dev/null/logs"}};
    CHECK(supervised.finish() == 2);
    CHECK(supervised.lines().empty());
}

TEST_CASE(
    "containers get the supervisor's environment, the manifest's on top, and the time scale") {
    json c = shell("c", "echo $HOST $NAME $PROBEKIT_TIME_SCALE");
    c["env"] = json::array(
        {{{"name", "HOST"}, {"value", "of the manifest"}},
         {{"name", "NAME"}, {"valueFrom", {{"fieldRef", {{"fieldPath", "metadata.name"}}}}}}});
    Supervised supervised{pod("p", {c}, {{"restartPolicy", "Never"}}).dump(),
                          {.scale = "25", .logs = "prefix"}};
    CHECK(supervised.finish() == 0);
    CHECK(supervised.program().errors().rest() == "[pod/p/c] of the manifest p 25\n");
}

TEST_CASE(
    "a command is found as its container finds it: by its own PATH, and from its workingDir") {
    const json by_path{{"name", "by-path"}, {"image", "i"}, {"command", {"tool"}}};
    const json by_folder{{"name", "by-folder"}, {"image", "i"}, {"command", {"./tool"}}};
    const TemporaryFolder folder;
    std::ofstream{folder.path() / "tool"} << "#!/bin/sh\necho found\n";
    std::filesystem::permissions(folder.path() / "tool", std::filesystem::perms::owner_all);
    json p = pod("p", {by_path, by_folder}, {{"restartPolicy", "Never"}});
    p["spec"]["containers"][0]["env"] =
        json::array({{{"name", "PATH"}, {"value", folder.path().string() + ":/usr/bin:/bin"}}});
    p["spec"]["containers"][1]["workingDir"] = folder.path().string();
    Supervised supervised{p.dump(), {.logs = "prefix"}};
    CHECK(supervised.finish() == 0);
    const std::string log = supervised.program().errors().rest();
    CHECK(log.find("[pod/p/by-path] found\n") != std::string::npos);
    CHECK(log.find("[pod/p/by-folder] found\n") != std::string::npos);
}

TEST_CASE("timestamps are in manifest time") {
    Supervised supervised{
        pod("p", {shell("c", "/bin/sleep 0.5")}, {{"restartPolicy", "Never"}}).dump(),
        {.scale = "100"}};
    const json ended = supervised.until(terminated);
    const json state = container(ended)["state"]["terminated"];
    CHECK(moment(state["finishedAt"]) - moment(state["startedAt"]) >=
          20s); // 50 s, had the start been seen at once
    CHECK(supervised.finish() == 0);
}

TEST_CASE("probes that are bound to their container probe after exactly the delay, also after a "
          "restart") {
    json c = obedient("c");
    c["livenessProbe"] = fails_when_up("c");
    c["livenessProbe"]["initialDelaySeconds"] = 7;
    c["livenessProbe"]["periodSeconds"] = 100;
    Supervised supervised{pod("p", {c}).dump(),
                          {.arguments = {"--feature-gates", "ContainerScopedProbes=true"}}};
    for (int restart = 0; restart != 2; ++restart) {
        const json runs = supervised.until(running_after(restart));
        const json failure = supervised.until(event("Unhealthy", "Liveness"));
        const Micros after =
            moment(failure["object"]["lastTimestamp"]) - started_at(container(runs));
        CHECK(after >= 7s);
        CHECK(after < 100s); // on the grid it would have been at 100 s
    }
    CHECK(supervised.stop() == 0);
}

TEST_CASE("probes that are bound to their container probe once when it starts, and not again "
          "because of a restart") {
    // ends some time after the attempt, so that there would be time for another
    json c = shell(
        "c", "while [ ! -e probed ]; do /bin/sleep 0.02; done; rm probed; /bin/sleep 0.3; exit 1");
    c["readinessProbe"] = {{"exec", {{"command", {"/bin/sh", "-c", "touch probed; exit 1"}}}},
                           {"periodSeconds", 10000},
                           {"timeoutSeconds", 1000}};
    Supervised supervised{pod("p", {c}).dump(),
                          {.arguments = {"--feature-gates", "ContainerScopedProbes=true"}}};
    supervised.until(running_after(1));
    supervised.until(waiting("CrashLoopBackOff"));
    const auto failures = supervised.all(event("Unhealthy", "Readiness"));
    REQUIRE_FALSE(failures.empty());
    CHECK(failures.back()["object"]["count"] == 2);
    CHECK(supervised.stop() == 0);
}

TEST_CASE("--dry-run says what would run, and runs nothing") {
    json c = shell("c", "touch started");
    c["livenessProbe"] = {{"exec", {{"command", {"test", "-e", "x"}}}}, {"periodSeconds", 5}};
    Supervised supervised{pod("p", {c}).dump(), {.arguments = {"--dry-run"}}};
    std::string output;
    while (const auto line = supervised.program().output().line()) output += *line + "\n";
    CHECK(supervised.program().wait() == 0);
    CHECK(output.starts_with("pod/p: Pod \"p\" in "));
    CHECK(output.find("\n  container c: ") != std::string::npos);
    CHECK(output.find("touch started") != std::string::npos);
    CHECK(output.find("    liveness   exec [test -e x] delay=0s timeout=1s period=5s #success=1 "
                      "#failure=3\n") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(supervised.folder() / "started"));
}

TEST_CASE("what a manifest says cannot reach the terminal as a control character") {
    const std::string evil = "esc \x1b[2J del \x7f c1 \xc2\x9b"
                             "2J rtl \xe2\x80\xae"
                             "abc";
    json bad = pod("p", {shell("c", "touch started"), shell("d", "x")});
    const int where = GENERATE(0, 1, 2, 3, 4, 5);
    if (where == 0) bad["kind"] = evil;
    if (where == 1) bad[evil] = 1;
    if (where == 2) bad["metadata"]["name"] = evil;
    if (where == 3) bad["spec"]["restartPolicy"] = evil;
    if (where == 4) bad["spec"]["containers"][0][evil] = {{evil, evil}};
    if (where == 5) bad["spec"]["containers"][0]["livenessProbe"] = {{"exec", evil}};
    Supervised supervised{bad.dump()};
    CHECK(supervised.finish() == 2);
    const std::string errors = supervised.program().errors().rest();
    CHECK(errors.find("esc ") != std::string::npos);
    for (const char* raw : {"\x1b", "\x7f", "\xc2\x9b", "\xe2\x80\xae"})
        CHECK(errors.find(raw) == std::string::npos);
}

TEST_CASE("at the bounds of all numbers the supervisor starts, probes, restarts and ends") {
    constexpr int most = 2147483647;
    json c = shell("c", "touch c.up; while :; do /bin/sleep 0.05; done");
    for (const char* probe : {"startupProbe", "livenessProbe", "readinessProbe"})
        c[probe] = {{"exec", {{"command", {"true"}}}},
                    {"initialDelaySeconds", most},
                    {"periodSeconds", most},
                    {"timeoutSeconds", most},
                    {"failureThreshold", most}};
    c["livenessProbe"]["terminationGracePeriodSeconds"] = 9223372036;
    c["readinessProbe"]["successThreshold"] = most;
    const json p =
        pod("p", {c, shell("ends", "exit 1")}, {{"terminationGracePeriodSeconds", 9223372036}});
    const std::string scale = GENERATE("0.001", "1000000");
    Supervised supervised{p.dump(), {.scale = scale, .arguments = {"--duration", "876000h"}}};
    // Slowly it waits to be started again, fast it has been already.
    supervised.until([](const json& line) {
        return is_pod(line) && container(line, "c")["state"].contains("running") &&
               (container(line, "ends")["restartCount"] > 1 ||
                container(line, "ends")["lastState"].contains("terminated"));
    });
    CHECK(supervised.stop() == 0);
    const json& last = supervised.lines().back();
    CHECK(last["type"] == "DELETED");
    // The latest moment that there is.
    CHECK(last["object"]["metadata"]["deletionTimestamp"] == "2262-04-11T23:47:16.854775Z");
    CHECK(last["object"]["metadata"]["deletionGracePeriodSeconds"] == 9223372036);
}
