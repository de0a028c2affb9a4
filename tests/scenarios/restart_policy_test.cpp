// What happens to a container that has ended, by itself or because a probe wanted it.
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "pods.hpp"
#include "supervised.hpp"

using namespace scenarios;

TEST_CASE("policy Always restarts whatever the exit status") {
    const std::string status = GENERATE("0", "3");
    Supervised supervised{pod("p", {shell("c", "exit " + status)}).dump(), {.scale = "50"}};
    supervised.until(running_after(0));
    const json ended = supervised.until(terminated);
    CHECK(container(ended)["state"]["terminated"]["exitCode"] == std::stoi(status));
    CHECK(container(ended)["state"]["terminated"]["reason"] ==
          (status == "0" ? "Completed" : "Error"));
    const json restarted = supervised.until(running_after(1));
    CHECK(container(restarted)["lastState"]["terminated"] ==
          container(ended)["state"]["terminated"]);
    supervised.until(waiting("CrashLoopBackOff"));
    supervised.until(running_after(2));
    CHECK(supervised.stop() == 0);
}

TEST_CASE("policy OnFailure restarts until it succeeds, and then the pod has succeeded") {
    const std::string script = "echo run >> runs; test $(wc -l < runs) -ge 3";
    Supervised supervised{pod("p", {shell("c", script)}, {{"restartPolicy", "OnFailure"}}).dump(),
                          {.scale = "50"}};
    const json succeeded = supervised.until(phase_is("Succeeded"));
    CHECK(container(succeeded)["restartCount"] == 2);
    CHECK(container(succeeded)["state"]["terminated"]["exitCode"] == 0);
    CHECK(container(succeeded)["ready"] == false);
    CHECK(condition(succeeded, "Ready")["reason"] == "PodCompleted");
    CHECK(supervised.finish() == 0);                        // by itself
    CHECK(supervised.lines().back()["type"] == "MODIFIED"); // it has not been deleted
}

TEST_CASE("policy Never leaves it, and a failure is the pod's and the supervisor's") {
    Supervised supervised{
        pod("p", {shell("a", "exit 0"), shell("b", "exit 7")}, {{"restartPolicy", "Never"}})
            .dump()};
    const json failed = supervised.until(phase_is("Failed"));
    CHECK(container(failed, "a")["restartCount"] == 0);
    CHECK(container(failed, "b")["state"]["terminated"]["exitCode"] == 7);
    CHECK(supervised.finish() == 1);
}

TEST_CASE("policy Never with success everywhere") {
    Supervised supervised{pod("p", {shell("a", "exit 0")}, {{"restartPolicy", "Never"}}).dump()};
    supervised.until(phase_is("Succeeded"));
    CHECK(supervised.finish() == 0);
}

TEST_CASE("one container that has ended for good does not end the pod") {
    Supervised supervised{
        pod("p", {shell("a", "exit 0"), obedient("b")}, {{"restartPolicy", "OnFailure"}}).dump()};
    supervised.until([](const json& line) {
        return is_pod(line) && container(line, "a")["state"].contains("terminated") &&
               container(line, "b")["ready"] == true;
    });
    CHECK(supervised.all(phase_is("Succeeded")).empty());
    CHECK(supervised.stop() == 0);
    CHECK(phase_is("Succeeded")(supervised.lines().back()));
}

TEST_CASE("what a probe has killed is restarted with OnFailure, even if it ends well") {
    json killed = obedient("c", 0);
    killed["livenessProbe"] = fails_when_up("c");
    Supervised supervised{pod("p", {killed}, {{"restartPolicy", "OnFailure"}}).dump()};
    const json restarted = supervised.until(running_after(1));
    CHECK(container(restarted)["lastState"]["terminated"]["exitCode"] == 0);
    CHECK(supervised.stop() == 0);
}

TEST_CASE("what a probe has killed stays down with Never") {
    json killed = obedient("c", 5);
    killed["livenessProbe"] = fails_when_up("c");
    Supervised supervised{pod("p", {killed}, {{"restartPolicy", "Never"}}).dump()};
    const json kill = supervised.until(event("Killing"));
    CHECK(kill["object"]["message"] == "Container c failed liveness probe");
    const json failed = supervised.until(phase_is("Failed"));
    CHECK(container(failed)["state"]["terminated"]["exitCode"] == 5);
    CHECK(supervised.finish() == 1);
}

TEST_CASE("a command that is not there: StartError, and back-off as ever") {
    Supervised supervised{
        pod("p", {{{"name", "c"}, {"image", "x"}, {"command", {"no-such-command"}}}}).dump(),
        {.scale = "50"}};
    const json failed = supervised.until(event("Failed"));
    CHECK(failed["object"]["type"] == "Warning");
    CHECK(failed["object"]["message"] ==
          "Error: exec: \"no-such-command\": executable file not found in $PATH");

    const json ended = supervised.until(terminated);
    const json state = container(ended)["state"]["terminated"];
    CHECK(state["exitCode"] == 128);
    CHECK(state["reason"] == "StartError");
    CHECK(state["startedAt"] == "1970-01-01T00:00:00Z");
    supervised.until(waiting("CrashLoopBackOff"));
    supervised.until(
        [](const json& line) { return is_pod(line) && container(line)["restartCount"] == 2; });
    CHECK(supervised.stop() == 0);
    CHECK(phase_is("Failed")(supervised.lines().back()));
}

TEST_CASE("delays double, and are printed as Go prints them") {
    Supervised supervised{pod("p", {shell("c", "exit 1")}).dump(), {.scale = "100"}};
    for (const std::string delay : {"10s", "20s", "40s", "1m20s", "2m40s"}) {
        const json waits = supervised.until(waiting("CrashLoopBackOff"));
        CHECK(container(waits)["state"]["waiting"]["message"].get<std::string>().starts_with(
            "back-off " + delay + " restarting"));
        CHECK(pid_of(container(waits)["lastState"]["terminated"]) >
              0); // of one that was soon over, too
        supervised.until([](const json& line) {
            return is_pod(line) && container(line)["state"].contains("running");
        });
    }
    CHECK(supervised.stop() == 0);
}

TEST_CASE("killed by a probe again and again it is left waiting for what is left of the delay") {
    json killed = obedient("c");
    killed["livenessProbe"] = fails_when_up("c");
    killed["livenessProbe"]["periodSeconds"] = 15;
    killed["livenessProbe"]["initialDelaySeconds"] = 15;
    Supervised supervised{pod("p", {killed}).dump(), {.scale = "50"}};
    // delays 0, 10 and 20 s count from the exit before, so the first that is felt is 20 s after 15
    // s of running
    const json waits = supervised.until(waiting("CrashLoopBackOff"));
    CHECK(container(waits)["restartCount"] >=
          3); // a slow machine takes longer than the delay, and feels the next
    CHECK(supervised.stop() == 0);
}

TEST_CASE("a signal is shown as a shell shows it") {
    Supervised supervised{
        pod("p", {shell("c", "kill -KILL $$$$")}, {{"restartPolicy", "Never"}}).dump()};
    const json failed = supervised.until(phase_is("Failed"));
    CHECK(container(failed)["state"]["terminated"]["exitCode"] == 137);
    CHECK(container(failed)["state"]["terminated"]["signal"] == 9);
    CHECK(supervised.finish() == 1);
}
