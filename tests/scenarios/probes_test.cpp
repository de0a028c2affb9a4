// What Kubernetes' users know of probes. Many pods at a time: what must not happen to one has the
// time of the others to happen.
#include <algorithm>
#include <set>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "loopback.hpp"
#include "pods.hpp"
#include "supervised.hpp"

using namespace scenarios;

namespace {

const std::string forever = "while :; do /bin/sleep 0.05; done";

json exec_probe(const std::string& script, json settings = json::object()) {
    json probe{{"exec", {{"command", {"/bin/sh", "-c", script}}}},
               {"periodSeconds", 2},
               {"timeoutSeconds", 60}};
    probe.update(settings);
    return probe;
}

json with(json container, const std::string& field, json value) {
    container[field] = std::move(value);
    return container;
}

auto of(const std::string& name) {
    return [name](const json& line) {
        const json& object = line["object"];
        return (is_pod(line) ? object["metadata"]["name"] : object["involvedObject"]["name"]) ==
               name;
    };
}

template <class A, class B>
auto both(A a, B b) {
    return [=](const json& line) { return a(line) && b(line); };
}

std::set<std::string> messages(const Supervised& supervised, const std::string& pod,
                               const std::string& reason) {
    std::set<std::string> result;
    for (const json& line : supervised.all(both(of(pod), event(reason))))
        result.insert(line["object"]["message"]);
    return result;
}

bool was_ever(const Supervised& supervised, const std::string& pod, const std::string& fact) {
    const auto lines = supervised.all(both(of(pod), is_pod));
    return std::any_of(lines.begin(), lines.end(),
                       [&](const json& line) { return container(line)[fact] == true; });
}

} // namespace

TEST_CASE("probes that pass, that fail, and that cannot be carried out") {
    const json fails_at_once = exec_probe("exit 1", {{"failureThreshold", 1}});
    json pending = with(shell("c", forever), "livenessProbe", fails_at_once);
    pending["startupProbe"] = exec_probe("exit 1", {{"failureThreshold", 1000}});
    json prompt =
        with(shell("c", forever), "readinessProbe", exec_probe("true", {{"periodSeconds", 10000}}));
    prompt["startupProbe"] =
        exec_probe("test -e prompt.probed && exit 0; touch prompt.probed; exit 1");
    json undeclared =
        with(shell("c", forever), "livenessProbe",
             {{"tcpSocket", {{"port", "nah"}}}, {"periodSeconds", 2}, {"failureThreshold", 1}});
    undeclared["readinessProbe"] = {{"httpGet", {{"port", "elsewhere"}}}, {"periodSeconds", 2}};
    json other = shell("other", forever);
    other["ports"] = json::array({{{"name", "elsewhere"}, {"containerPort", 1}}});

    json pods = json::array();
    pods.push_back(pod("steady", {with(shell("c", forever), "livenessProbe", exec_probe("true"))}));
    pods.push_back(pod("pending", {pending}));
    pods.push_back(pod("prompt", {prompt}));
    pods.push_back(
        pod("late", {with(shell("c", forever), "readinessProbe",
                          {{"exec", {{"command", {"/bin/sleep", "60"}}}}, {"periodSeconds", 2}})}));
    pods.push_back(pod("undeclared", {undeclared, other}));
    pods.push_back(pod("nowhere", {with(shell("c", forever), "livenessProbe",
                                        {{"exec", {{"command", {"no-such-program"}}}},
                                         {"periodSeconds", 2},
                                         {"timeoutSeconds", 60},
                                         {"failureThreshold", 1}})}));
    Supervised supervised{json{{"apiVersion", "v1"}, {"kind", "List"}, {"items", pods}}.dump()};

    const json ready_at = supervised.until(both(of("prompt"), ready(true)));
    for (const char* name : {"pending", "late"})
        supervised.until([name](const json& line) {
            return of(name)(line) && event("Unhealthy")(line) && line["object"]["count"] >= 4;
        });
    CHECK(supervised.stop() == 0);

    // Its readiness is probed with the success of startup, long before its period is over.
    CHECK(moment(condition(ready_at, "Ready")["lastTransitionTime"]) -
              started_at(container(ready_at)) <
          1000s);

    const std::string late =
        "Readiness probe failed: command timed out: \"/bin/sleep 60\" timed out after 1s";
    CHECK(messages(supervised, "late", "Unhealthy") == std::set<std::string>{late});
    CHECK(messages(supervised, "pending", "Unhealthy") ==
          std::set<std::string>{"Startup probe failed: "});
    // A port's name counts within its own container.
    CHECK(
        messages(supervised, "undeclared", "Unhealthy") ==
        std::set<std::string>{
            "Liveness probe errored and resulted in unknown state: port \"nah\" not found",
            "Readiness probe errored and resulted in unknown state: port \"elsewhere\" not found"});
    CHECK(messages(supervised, "steady", "Unhealthy").empty());
    for (const char* name : {"pending", "late", "undeclared"})
        CHECK_FALSE(was_ever(supervised, name, "ready"));
    for (const char* name : {"steady", "prompt", "nowhere"})
        CHECK(was_ever(supervised, name, "ready"));
    for (const json& one : pods) {
        const std::string name = one["metadata"]["name"];
        INFO(name);
        CHECK(messages(supervised, name, "Killing").contains("Stopping container c"));
        CHECK(supervised.all(both(of(name), running_after(1))).empty());
    }
}

TEST_CASE(
    "what is not ready is probed when its pod is synchronised, as when another container ends") {
    const json patient = with(shell("patient", forever), "readinessProbe",
                              exec_probe("test -e done; result=$?; touch probed; exit $result",
                                         {{"periodSeconds", 10000}}));
    const json other = shell("other", "until test -e probed; do /bin/sleep 0.02; done; touch done");
    Supervised supervised{pod("p", {patient, other}, {{"restartPolicy", "OnFailure"}}).dump()};
    // By its period alone that would be in three hours.
    supervised.until([](const json& line) {
        return is_pod(line) && container(line, "patient")["ready"] == true;
    });
    CHECK(supervised.all(event("Unhealthy")).size() == 1);
    CHECK(supervised.stop() == 0);
}

TEST_CASE("while a pod ends its startup and liveness probes are silent, and readiness says that it "
          "is over") {
    json c = service("c", "trap 'rm c.up' TERM");
    c["livenessProbe"] = exec_probe("test -e c.up", {{"failureThreshold", 1000}});
    c["readinessProbe"]["failureThreshold"] = 1;
    json starting = shell("starting", forever);
    starting["startupProbe"] = exec_probe("exit 1", {{"failureThreshold", 1000}});
    Supervised supervised{pod("p", {c, starting}, {{"terminationGracePeriodSeconds", 20}}).dump()};
    supervised.until(
        [](const json& line) { return is_pod(line) && container(line, "c")["ready"] == true; });
    supervised.program().signal(SIGTERM);
    supervised.until(
        [](const json& line) { return line["object"]["metadata"].contains("deletionTimestamp"); });
    const std::size_t before = supervised.lines().size();
    const json unready = supervised.until(
        [](const json& line) { return is_pod(line) && container(line, "c")["ready"] == false; });
    CHECK(container(unready, "c")["state"].contains("running"));
    CHECK(condition(unready, "ContainersReady")["message"].get<std::string>().find("c") !=
          std::string::npos);
    CHECK(supervised.finish() == 0);
    for (std::size_t i = before; i != supervised.lines().size(); ++i) {
        if (!event("Unhealthy")(supervised.lines()[i])) continue;
        CHECK(
            supervised.lines()[i]["object"]["message"].get<std::string>().starts_with("Readiness"));
    }
}

#if SUPERVISOR_SPEAKS_HTTPS
TEST_CASE("scheme HTTPS is spoken") {
    const tools::BoundPort shut;
    const json probe{{"httpGet", {{"port", shut.number()}, {"scheme", "HTTPS"}}},
                     {"timeoutSeconds", 60}};
    Supervised supervised{pod("p", {with(shell("c", forever), "readinessProbe", probe)}).dump()};
    const std::string address = "127.0.0.1:" + std::to_string(shut.number());
    CHECK(supervised.until(event("Unhealthy"))["object"]["message"] ==
          "Readiness probe failed: Get \"https://" + address + "/\": dial tcp " + address +
              ": connect: connection refused");
    CHECK(supervised.stop() == 0);
}
#endif
