// The rows of liveness probes: what fails is killed and started again, what is well is left alone.
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "supervised.hpp"

using namespace scenarios;

namespace {

/// Three failures with this message, then the kill, then the restart.
void expect_restart_after_three_failures(Supervised& supervised, const std::string& message,
                                         const std::string& name) {
    const json restarted = supervised.until(running_after(1));
    const auto failures = supervised.all(event("Unhealthy", message));
    REQUIRE(failures.size() == 3);
    CHECK(failures[0]["type"] == "ADDED");
    CHECK(failures[2]["type"] == "MODIFIED");
    CHECK(failures[2]["object"]["count"] == 3);
    CHECK(failures[2]["object"]["type"] == "Warning");
    CHECK(failures[2]["object"]["involvedObject"]["fieldPath"] == "spec.containers{" + name + "}");

    const auto kills = supervised.all(
        event("Killing", "Container " + name + " failed liveness probe, will be restarted"));
    REQUIRE(kills.size() == 1);
    CHECK(moment(kills[0]["object"]["lastTimestamp"]) >=
          moment(failures[2]["object"]["lastTimestamp"]));
    CHECK(started_at(container(restarted)) >= moment(kills[0]["object"]["lastTimestamp"]));
    CHECK(container(restarted)["lastState"]["terminated"]["exitCode"] == 143);
    CHECK(container(restarted)["lastState"]["terminated"]["reason"] == "Error");
}

/// Nothing happens for half a minute, and the end is orderly.
json expect_peace(Supervised& supervised) {
    supervised.until(running_after(0));
    CHECK(supervised.finish() == 0);
    CHECK(supervised.all(event("Unhealthy")).empty());
    CHECK(supervised.all(running_after(1)).empty());
    CHECK(supervised.lines().back()["type"] == "DELETED");
    return supervised.lines().back();
}

} // namespace

TEST_CASE("liveness-exec-pod") {
    Supervised supervised{Example{"liveness-exec-pod"}.text(), {.scale = "5"}};
    const json first = supervised.until(running_after(0));
    const json second = supervised.until(running_after(1));
    const json third = supervised.until(running_after(2));

    // the file goes at 3 s, and three failures three seconds apart are found; those at 3 s may be
    // one of them
    CHECK(started_at(container(second)) - started_at(container(first)) >= 9s);
    CHECK(started_at(container(third)) - started_at(container(second)) >= 8s);
    CHECK(supervised.all(event("Unhealthy", "Liveness probe failed: ")).size() >= 6);
    CHECK(supervised
              .all(event("Killing", "Container liveness failed liveness probe, will be restarted"))
              .size() == 2);
    CHECK(container(first)["containerID"] != container(second)["containerID"]);
    CHECK(supervised.stop() == 0);
}

TEST_CASE("liveness-exec-pod as process 1, which does not heed SIGTERM") {
    Supervised supervised{Example{"liveness-exec-pod"}.text(),
                          {.scale = "20", .arguments = {"--pid-namespace"}}};
    const json first = supervised.until(running_after(0));
    const json second = supervised.until(running_after(1));

    CHECK(started_at(container(second)) - started_at(container(first)) >=
          39s); // nine, and the grace period
    CHECK(container(second)["lastState"]["terminated"]["exitCode"] == 137);
    supervised.program().signal(SIGTERM);
    supervised.until(
        [](const json& line) { return line["object"]["metadata"].contains("deletionTimestamp"); });
    CHECK(supervised.stop() == 0); // impatient
}

TEST_CASE("liveness-exec-demo") {
    Supervised supervised{Example{"liveness-exec-demo"}.text(), {.scale = "5"}};
    const json first = supervised.until(running_after(0));
    const json second = supervised.until(running_after(1));
    CHECK(started_at(container(second)) - started_at(container(first)) >=
          15s); // attempts at 5, 10 and 15 s
    CHECK(supervised.all(event("Unhealthy", "Liveness probe ")).size() == 3);
    CHECK(supervised.stop() == 0);
}

TEST_CASE("liveness-httpget-fail") {
    Supervised supervised{Example{"liveness-httpget-fail"}.text(), {.scale = "2"}};
    expect_restart_after_three_failures(
        supervised, "Liveness probe failed: HTTP probe failed with statuscode: 404", "demo");
    CHECK(supervised.stop() == 0);
}

TEST_CASE("liveness-httpget-ok") {
    Supervised supervised{Example{"liveness-httpget-ok"}.text(),
                          {.scale = "2", .arguments = {"--duration", "30s"}, .logs = "prefix"}};
    const json last = expect_peace(supervised);
    const std::string log = supervised.program().errors().rest();
    // attempts at 6, 9, ... 27 s
    std::size_t gets = 0;
    for (std::size_t at = 0;
         (at = log.find("[pod/liveness-httpget-ok/demo] ", at)) != std::string::npos; ++at)
        if (log.find("GET /hostname", at) < log.find('\n', at)) ++gets;
    CHECK(gets >= 6);
    CHECK(gets <= 9);
    CHECK(container(last)["restartCount"] == 0);
}

TEST_CASE("liveness-tcp-fail") {
    const Example example{"liveness-tcp-fail"};
    Supervised supervised{example.text(), {.scale = "5"}};
    const std::string address = "127.0.0.1:" + example.port("18183");
    expect_restart_after_three_failures(
        supervised, "Liveness probe failed: dial tcp " + address + ": connect: connection refused",
        "demo");
    CHECK(supervised.stop() == 0);
}

TEST_CASE("liveness-tcp-ok") {
    Supervised supervised{Example{"liveness-tcp-ok"}.text(), {.arguments = {"--duration", "30s"}}};
    expect_peace(supervised);
}

TEST_CASE("none-configured") {
    Supervised supervised{Example{"none-configured"}.text(), {.arguments = {"--duration", "30s"}}};
    const json running = supervised.until(running_after(0));
    CHECK(container(running)["ready"] == true);
    CHECK(container(running)["started"] == true);
    CHECK(condition(running, "Ready")["status"] == "True");
    CHECK(supervised.finish() == 0);
    CHECK(supervised.all(event("Unhealthy")).empty());
}
