// Lifecycle hooks: postStart before a container counts as running, preStop before it gets the
// signal to end.
#include <filesystem>
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "pods.hpp"
#include "supervised.hpp"

using namespace scenarios;

namespace {

/// A pod whose container asks `served`, a sidecar that listens on `port`, before it stops.
std::string asks_before_stop(json served, int port, json http_get) {
    served["readinessProbe"] = {{"tcpSocket", {{"port", port}}}, {"periodSeconds", 1}};
    served["restartPolicy"] = "Always"; // a sidecar ends last
    http_get.update({{"port", port}, {"path", "/no-such-page"}});
    json c = obedient("c");
    c["lifecycle"]["preStop"]["httpGet"] = std::move(http_get);
    return pod("p", {c}, {{"initContainers", {served}}}).dump();
}

void ends_after_asking(Supervised& supervised) {
    supervised.until([](const json& line) {
        return is_pod(line) && condition(line, "Ready")["status"] == "True";
    });
    supervised.program().signal(SIGTERM);
    while (supervised.next()) {}
    CHECK(supervised.program().errors().rest().find("GET /no-such-page") != std::string::npos);
    CHECK(supervised.program().wait() == 0);
    CHECK(supervised.all(event("FailedPreStopHook")).empty());
}

} // namespace

TEST_CASE("a container runs when its postStart hook is done, and those behind it wait for that") {
    json first = shell("first", "while :; do /bin/sleep 0.05; done");
    first["lifecycle"]["postStart"] = exec_handler("echo $GREETING > hook; /bin/sleep 0.2");
    first["env"] = json::array({{{"name", "GREETING"}, {"value", "hello"}}});
    first["readinessProbe"] = {{"exec", {{"command", {"true"}}}}, {"timeoutSeconds", 60}};
    const json second = shell("second", "while :; do /bin/sleep 0.05; done");
    Supervised supervised{pod("p", {first, second}).dump()};

    const json started = supervised.until(event("Started"));
    CHECK(started["object"]["involvedObject"]["fieldPath"] == "spec.containers{first}");
    const json running = supervised.until([](const json& line) {
        return is_pod(line) && container(line, "first")["state"].contains("running");
    });
    CHECK(contents(supervised.folder() / "hook") == "hello\n");
    CHECK(container(running, "second")["state"]["waiting"]["reason"] == "ContainerCreating");
    CHECK(running["object"]["status"]["phase"] == "Pending");
    for (const json& line : supervised.all(is_pod))
        if (line != running)
            CHECK(container(line, "first")["state"]["waiting"]["reason"] == "ContainerCreating");

    const json second_started = supervised.until(event("Started"));
    CHECK(second_started["object"]["involvedObject"]["fieldPath"] == "spec.containers{second}");
    CHECK(supervised.stop() == 0);
}

TEST_CASE("a postStart hook that fails kills its container, which is restarted by its policy") {
    json c = obedient("c", 1);
    c["lifecycle"]["postStart"] =
        exec_handler("until test -e c.up; do /bin/sleep 0.01; done; exit 1");
    Supervised supervised{pod("p", {c}).dump(), {.scale = "50"}};
    const json failed = supervised.until(event("FailedPostStartHook"));
    CHECK(failed["object"]["type"] == "Warning");
    CHECK(failed["object"]["message"] == "PostStartHook failed");
    const json kill = supervised.until(event("Killing"));
    CHECK(kill["object"]["message"] == "FailedPostStartHook");
    const json ended = supervised.until(terminated);
    CHECK(container(ended)["state"]["terminated"]["exitCode"] == 1);
    supervised.until(
        [](const json& line) { return is_pod(line) && container(line)["restartCount"] == 1; });
    CHECK(supervised.all(running_after(0)).empty());
    CHECK(supervised.stop() == 0);
}

TEST_CASE("the preStop hook runs before SIGTERM, also when a probe kills") {
    json c = obedient("c", 0, "echo told >> order");
    c["lifecycle"]["preStop"] = exec_handler("echo hook >> order");
    c["livenessProbe"] = fails_when_up("c");
    c["livenessProbe"]["initialDelaySeconds"] = 5;
    Supervised supervised{pod("p", {c}).dump()};
    supervised.until(terminated);
    CHECK(contents(supervised.folder() / "order") == "hook\ntold\n");
    supervised.until(running_after(1));
    CHECK(supervised.stop() == 0);
}

TEST_CASE("who has ended has no preStop hook") {
    json done = shell("done", "exit 0");
    done["lifecycle"]["preStop"] = exec_handler("touch wrong");
    Supervised supervised{pod("p", {done, obedient("c")}, {{"restartPolicy", "OnFailure"}}).dump()};
    supervised.until([](const json& line) {
        return is_pod(line) && container(line, "c")["ready"] == true &&
               container(line, "done")["state"].contains("terminated");
    });
    CHECK(supervised.stop() == 0);
    CHECK_FALSE(std::filesystem::exists(supervised.folder() / "wrong"));
    CHECK(supervised.all(event("Killing")).size() == 1);
}

TEST_CASE("a preStop hook that fails is reported, and changes nothing else") {
    json c = obedient("c");
    c["lifecycle"]["preStop"] = exec_handler("exit 1");
    Supervised supervised{pod("p", {c}).dump()};
    supervised.until(ready(true));
    CHECK(supervised.stop() == 0);
    const auto failures = supervised.all(event("FailedPreStopHook"));
    REQUIRE(failures.size() == 1);
    CHECK(failures[0]["object"]["message"] == "PreStopHook failed");
    CHECK(phase_is("Succeeded")(supervised.lines().back()));
}

TEST_CASE("a preStop hook that hangs takes the whole grace period, and two seconds are left") {
    json c = obedient("c", 4);
    c["lifecycle"]["preStop"] = exec_handler("echo $$ > hook; exec /bin/sleep 1000");
    Supervised supervised{pod("p", {c}, {{"terminationGracePeriodSeconds", 3}}).dump()};
    supervised.until(ready(true));
    supervised.program().signal(SIGTERM);
    const json kill = supervised.until(event("Killing"));
    const json ended = supervised.until(terminated);
    CHECK(container(ended)["state"]["terminated"]["exitCode"] ==
          4); // it got SIGTERM, and had time to obey
    CHECK(moment(container(ended)["state"]["terminated"]["finishedAt"]) -
              moment(kill["object"]["lastTimestamp"]) >=
          3s);
    CHECK(supervised.finish() == 0);
    CHECK_FALSE(process_lives(std::stoi(contents(supervised.folder() / "hook"))));
}

TEST_CASE("sidecars whose hooks have ended get their turns at once, the last one first") {
    const bool by_itself = GENERATE(true, false);
    json sidecars = json::array();
    for (const std::string name : {"a", "b", "d"}) {
        json one = obedient(name, 0, "echo " + name + " >> order");
        one["restartPolicy"] = "Always";
        one["lifecycle"]["preStop"] = exec_handler("echo " + name + " >> hooks");
        sidecars.push_back(one);
    }
    // Each is ready, so that its trap is set, before the regular container ends.
    json c = by_itself ? shell("c", "until test -e a.up -a -e b.up -a -e d.up; do "
                                    "/bin/sleep 0.01; done")
                       : obedient("c", 0, "echo c >> order");
    Supervised supervised{pod("p", {c},
                              {{"initContainers", sidecars},
                               {"restartPolicy", "Never"},
                               {"terminationGracePeriodSeconds", 1000000}})
                              .dump(),
                          {.scale = "1"}};
    if (by_itself) {
        CHECK(supervised.finish() == 0);
    } else {
        supervised.until([](const json& line) {
            return is_pod(line) && condition(line, "Ready")["status"] == "True";
        });
        CHECK(supervised.stop() == 0);
    }
    CHECK(contents(supervised.folder() / "order") == (by_itself ? "d\nb\na\n" : "c\nd\nb\na\n"));
    CHECK(contents(supervised.folder() / "hooks").size() == 6);
    CHECK(phase_is("Succeeded")(supervised.lines().back()));
}

TEST_CASE("a second signal does not wait for a hook") {
    json c = obedient("c");
    c["lifecycle"]["preStop"] = exec_handler("exec /bin/sleep 1000");
    Supervised supervised{pod("p", {c}, {{"terminationGracePeriodSeconds", 1000000}}).dump(),
                          {.scale = "1"}};
    supervised.until(ready(true));
    supervised.program().signal(SIGTERM);
    supervised.until(event("Killing"));
    CHECK(supervised.stop() == 0);
}

TEST_CASE("a hook that sleeps only waits") {
    json c = obedient("c");
    c["lifecycle"]["preStop"] = {{"sleep", {{"seconds", 5}}}};
    Supervised supervised{pod("p", {c}).dump()};
    supervised.until(ready(true));
    supervised.program().signal(SIGTERM);
    const json kill = supervised.until(event("Killing"));
    const json ended = supervised.until(terminated);
    CHECK(moment(container(ended)["state"]["terminated"]["finishedAt"]) -
              moment(kill["object"]["lastTimestamp"]) >=
          5s);
    CHECK(supervised.finish() == 0);
}

TEST_CASE("an HTTP hook is content with any answer") {
    const Example example{"none-configured"}; // demo_app on a port of its own
    json served = json::parse(R"({"name": "demo", "image": "demo-app"})");
    served["args"] = {"-p", std::to_string(example.listening())};
    Supervised supervised{asks_before_stop(served, example.listening(), json::object()),
                          {.logs = "prefix"}};
    ends_after_asking(supervised);
}

TEST_CASE("a hook for HTTPS that meets plain HTTP is carried out by HTTP, and an event says so") {
    if (!SUPERVISOR_SPEAKS_HTTPS) SKIP("the supervisor was built without TLS");
    if (!std::filesystem::exists("/usr/bin/python3")) SKIP("there is no Python to serve");
    const Example example{"none-configured"}; // a port of its own
    json served = json::parse(R"({"name": "demo", "image": "none"})");
    served["command"] = {"/usr/bin/python3", "-m",        "http.server",
                         "--bind",           "127.0.0.1", std::to_string(example.listening())};
    Supervised supervised{asks_before_stop(served, example.listening(), json{{"scheme", "HTTPS"}}),
                          {.logs = "prefix"}};
    ends_after_asking(supervised);
    const auto fallbacks = supervised.all(event("LifecycleHTTPFallback"));
    REQUIRE(fallbacks.size() == 1);
    CHECK(fallbacks[0]["object"]["type"] == "Warning");
    CHECK(fallbacks[0]["object"]["message"] ==
          "request to HTTPS lifecycle hook 127.0.0.1:" + std::to_string(example.listening()) +
              " got HTTP response, retry with HTTP succeeded");
    CHECK_FALSE(fallbacks[0]["object"]["involvedObject"].contains("fieldPath"));
}
