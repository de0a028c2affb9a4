// Init containers run one after the other; sidecars stay, and end last.
#include <csignal>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "pods.hpp"
#include "supervised.hpp"

using namespace scenarios;

namespace {

json as_sidecar(json container) {
    container["restartPolicy"] = "Always";
    return container;
}

auto state_of(std::string name, std::string state) {
    return [name, state](const json& line) {
        return is_pod(line) && container(line, name)["state"].contains(state);
    };
}

} // namespace

TEST_CASE("init containers run in order, and regular ones after all of them") {
    const json spec{
        {"initContainers", {shell("one", "echo one >> order"), shell("two", "echo two >> order")}},
        {"restartPolicy", "Never"}};
    Supervised supervised{pod("p", {shell("c", "echo c >> order")}, spec).dump()};
    const json first = supervised.until(is_pod);
    CHECK(first["type"] == "ADDED");
    CHECK(first["object"]["status"]["phase"] == "Pending");
    for (const char* name : {"one", "two", "c"})
        CHECK(container(first, name)["state"]["waiting"]["reason"] == "PodInitializing");
    CHECK(condition(first, "Initialized")["reason"] == "ContainersNotInitialized");
    CHECK(condition(first, "Initialized")["message"] ==
          "containers with incomplete status: [one two]");

    const json runs = supervised.until(state_of("one", "running"));
    CHECK(container(runs, "one")["started"] == true);
    CHECK(container(runs, "one")["ready"] == false);
    CHECK(container(runs, "two")["state"].contains("waiting"));
    const json done = supervised.until(state_of("one", "terminated"));
    CHECK(container(done, "one")["ready"] == true);

    const json last = supervised.until(phase_is("Succeeded"));
    CHECK(condition(last, "Initialized")["status"] == "True");
    CHECK(container(last, "two")["ready"] == true);
    CHECK(supervised.finish() == 0);
    CHECK(contents(supervised.folder() / "order") == "one\ntwo\nc\n");
    CHECK(supervised.all(event("Started")).at(0)["object"]["involvedObject"]["fieldPath"] ==
          "spec.initContainers{one}");
}

TEST_CASE("an init container that fails is tried again, and keeps the others waiting") {
    const json spec{{"initContainers", {shell("bad", "exit 1"), shell("next", "exit 0")}}};
    Supervised supervised{pod("p", {shell("c", "exit 0")}, spec).dump(), {.scale = "50"}};
    const json third = supervised.until([](const json& line) {
        return is_pod(line) && container(line, "bad")["restartCount"] == 3;
    });
    CHECK(third["object"]["status"]["phase"] == "Pending");
    CHECK(supervised.stop() == 0);
    for (const json& line : supervised.all(is_pod)) {
        CHECK(container(line, "next")["state"]["waiting"]["reason"] == "PodInitializing");
        CHECK(container(line, "c")["state"]["waiting"]["reason"] == "PodInitializing");
    }
    CHECK(supervised
              .all(event("BackOff", "Back-off restarting failed container bad in pod p_default("))
              .size() >= 2);
}

TEST_CASE("with policy Never an init container that fails ends the pod") {
    const json spec{{"initContainers", {shell("bad", "exit 1")}}, {"restartPolicy", "Never"}};
    Supervised supervised{pod("p", {shell("c", "exit 0")}, spec).dump()};
    const json failed = supervised.until(phase_is("Failed"));
    CHECK(container(failed, "c")["state"].contains("waiting"));
    CHECK(condition(failed, "Initialized")["status"] == "False");
    CHECK(supervised.finish() == 1);
}

TEST_CASE(
    "a sidecar lets the next start when its startup probe has passed, and goes on beside it") {
    json sidecar = as_sidecar(obedient("side"));
    sidecar["startupProbe"] = sidecar["readinessProbe"];
    const json spec{{"initContainers", {sidecar, shell("init", "test -e side.up")}}};
    Supervised supervised{pod("p", {obedient("c")}, spec).dump()};
    const json runs = supervised.until(state_of("side", "running"));
    CHECK(container(runs, "side")["started"] == false);
    const json next = supervised.until(state_of("init", "running"));
    CHECK(container(next, "side")["started"] == true);
    const json all = supervised.until([](const json& line) {
        return is_pod(line) && condition(line, "Ready")["status"] == "True";
    });
    CHECK(container(all, "side")["ready"] == true);
    CHECK(container(all, "side")["state"].contains("running"));
    CHECK(supervised.stop() == 0);
}

TEST_CASE("a sidecar that ends is started again, whatever the pod's policy") {
    const json spec{{"initContainers", {as_sidecar(shell("side", "exit 0"))}},
                    {"restartPolicy", "Never"}};
    Supervised supervised{pod("p", {obedient("c")}, spec).dump(), {.scale = "50"}};
    const json again = supervised.until([](const json& line) {
        return is_pod(line) && container(line, "side")["restartCount"] == 2;
    });
    CHECK(container(again, "c")["restartCount"] == 0);
    CHECK(supervised.stop() == 0);
}

TEST_CASE("sidecars end after the regular containers, the last first") {
    const json spec{{"initContainers",
                     {as_sidecar(obedient("s1", 0, "echo s1 >> order")),
                      as_sidecar(obedient("s2", 9, "echo s2 >> order"))}}};
    Supervised supervised{
        pod("p", {obedient("c", 0, "/bin/sleep 0.1; echo c >> order")}, spec).dump()};
    supervised.until([](const json& line) {
        return is_pod(line) && condition(line, "Ready")["status"] == "True";
    });
    CHECK(supervised.stop() == 0);
    CHECK(contents(supervised.folder() / "order") == "c\ns2\ns1\n");
    CHECK(phase_is("Succeeded")(supervised.lines().back())); // sidecars do not count
    CHECK(supervised.all(event("Killing", "Stopping container")).size() == 3);
}

TEST_CASE("the grace period is one for all: who had to wait for its turn has two seconds left") {
    const json spec{{"initContainers", {as_sidecar(deaf("side"))}},
                    {"terminationGracePeriodSeconds", 300}};
    Supervised supervised{pod("p", {deaf("c")}, spec).dump(), {.scale = "50"}};
    supervised.until([](const json& line) {
        return is_pod(line) && condition(line, "Ready")["status"] == "True";
    });
    CHECK(supervised.stop() == 0);
    const json& end = supervised.lines().back();
    const Micros killing =
        moment(supervised.all(event("Killing")).front()["object"]["lastTimestamp"]);
    const auto end_of = [&](const char* name) {
        return moment(container(end, name)["state"]["terminated"]["finishedAt"]);
    };
    CHECK(end_of("c") - killing >= 300s);
    CHECK(end_of("side") - killing >= 302s);
    CHECK(end_of("side") - killing < 600s); // and not another three hundred
}

TEST_CASE("when the regular containers are done the sidecars are stopped, and the pod has ended") {
    const json spec{{"initContainers", {as_sidecar(obedient("side", 1))}},
                    {"restartPolicy", "OnFailure"}};
    json c = shell("c", "until test -e side.up; do /bin/sleep 0.01; done");
    Supervised supervised{pod("p", {c}, spec).dump()};
    const json succeeded = supervised.until(phase_is("Succeeded"));
    CHECK(container(succeeded, "side")["state"]["terminated"]["exitCode"] == 1);
    CHECK(supervised.finish() == 0);
    CHECK(supervised.all(event("Killing", "Stopping container side")).size() == 1);
}

TEST_CASE("a sidecar whose probe fails is killed and started again") {
    json sidecar = as_sidecar(obedient("side"));
    sidecar["livenessProbe"] = fails_when_up("side");
    const json spec{{"initContainers", {sidecar}}};
    Supervised supervised{pod("p", {obedient("c")}, spec).dump()};
    const json kill = supervised.until(event("Killing"));
    CHECK(kill["object"]["message"] == "Init container side failed liveness probe");
    CHECK(kill["object"]["involvedObject"]["fieldPath"] == "spec.initContainers{side}");
    const json again = supervised.until([](const json& line) {
        return is_pod(line) && container(line, "side")["restartCount"] == 1;
    });
    CHECK(container(again, "c")["restartCount"] == 0);
    CHECK(supervised.stop() == 0);
}
