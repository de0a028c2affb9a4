#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "supervisor_pods.hpp"
#include "view/pod_phase.hpp"

using namespace supervisor;
using namespace supervisor::test;
using probekit::RestartPolicy;

namespace {

const Condition& condition(const std::vector<Condition>& conditions, const std::string& type) {
    const auto found = std::find_if(conditions.begin(), conditions.end(),
                                    [&](auto& one) { return one.type == type; });
    REQUIRE(found != conditions.end());
    return *found;
}

} // namespace

TEST_CASE("the phase of a pod that lives follows from its containers") {
    struct Row {
        std::string what;
        std::vector<ContainerStatus> init;
        std::vector<ContainerStatus> regular;
        PodPhase phase;
    };
    const Row row = GENERATE(values<Row>({
        {"nothing started", {}, {waiting("a"), waiting("b")}, PodPhase::pending},
        {"one still to be started", {}, {running("a"), waiting("b")}, PodPhase::pending},
        {"all running", {}, {running("a"), running("b")}, PodPhase::running},
        {"one has ended", {}, {running("a"), exited("b", 1)}, PodPhase::running},
        {"all have ended, for the moment", {}, {exited("a", 1)}, PodPhase::running},
        {"waits to be started again", {}, {backing_off("a", 1)}, PodPhase::running},
        {"init at work", {running("i")}, {waiting("a", "PodInitializing")}, PodPhase::pending},
        {"init failed", {exited("i", 1)}, {waiting("a", "PodInitializing")}, PodPhase::pending},
        {"init waits to be started again",
         {backing_off("i", 1)},
         {waiting("a")},
         PodPhase::pending},
        {"init done", {completed_init("i")}, {running("a")}, PodPhase::running},
        {"init done, next to come",
         {completed_init("i"), waiting("j")},
         {waiting("a")},
         PodPhase::pending},
        {"sidecar not started", {as_sidecar(waiting("s"))}, {waiting("a")}, PodPhase::pending},
        {"sidecar restarts after initialization",
         {as_sidecar(exited("s", 1))},
         {running("a")},
         PodPhase::running},
        {"sidecar anew after initialization",
         {as_sidecar(waiting("s"))},
         {running("a")},
         PodPhase::running},
        {"only the sidecar runs", {as_sidecar(running("s"))}, {exited("a", 0)}, PodPhase::running},
    }));
    CAPTURE(row.what);
    const PodStatus status{.init_containers = row.init, .containers = row.regular};
    CHECK(phase_of(PodSpec{}, status, PodEnd::no) == row.phase);
}

TEST_CASE("the phase of a pod that has ended is its regular containers' verdict") {
    struct Row {
        std::string what;
        RestartPolicy policy;
        PodEnd end;
        std::vector<ContainerStatus> init;
        std::vector<ContainerStatus> regular;
        PodPhase phase;
    };
    const Row row = GENERATE(values<Row>({
        {"all well",
         RestartPolicy::never,
         PodEnd::by_itself,
         {},
         {exited("a", 0), exited("b", 0)},
         PodPhase::succeeded},
        {"one failed",
         RestartPolicy::never,
         PodEnd::by_itself,
         {},
         {exited("a", 0), exited("b", 2)},
         PodPhase::failed},
        {"stopped while restarting",
         RestartPolicy::always,
         PodEnd::removed,
         {},
         {backing_off("a", 1)},
         PodPhase::failed},
        {"sidecars do not count",
         RestartPolicy::always,
         PodEnd::removed,
         {as_sidecar(exited("s", 137))},
         {exited("a", 0)},
         PodPhase::succeeded},
        {"init failed for good",
         RestartPolicy::never,
         PodEnd::by_itself,
         {exited("i", 1)},
         {waiting("a")},
         PodPhase::failed},
        {"removed while initializing",
         RestartPolicy::never,
         PodEnd::removed,
         {exited("i", 143)},
         {waiting("a")},
         PodPhase::succeeded},
    }));
    CAPTURE(row.what);
    PodSpec pod;
    pod.restart_policy = row.policy;
    const PodStatus status{.init_containers = row.init, .containers = row.regular};
    CHECK(phase_of(pod, status, row.end) == row.phase);
}

TEST_CASE("conditions say what is missing, in the kubelet's words") {
    PodStatus status{
        .init_containers = {waiting("i1", "PodInitializing"), waiting("i2", "PodInitializing")},
        .containers = {waiting("a", "PodInitializing"), waiting("b", "PodInitializing")}};
    status.conditions = conditions_of(status, at(0s));

    REQUIRE(status.conditions.size() == 4);
    CHECK(condition(status.conditions, "PodScheduled").status);
    const Condition& initialized = condition(status.conditions, "Initialized");
    CHECK_FALSE(initialized.status);
    CHECK(initialized.reason == "ContainersNotInitialized");
    CHECK(initialized.message == "containers with incomplete status: [i1 i2]");
    for (const std::string type : {"Ready", "ContainersReady"}) {
        const Condition& ready = condition(status.conditions, type);
        CHECK_FALSE(ready.status);
        CHECK(ready.reason == "ContainersNotReady");
        CHECK(ready.message == "containers with unready status: [a b]");
    }
}

TEST_CASE("a pod is ready when all regular containers and all sidecars are") {
    PodStatus status{.phase = PodPhase::running,
                     .init_containers = {completed_init("i"), as_sidecar(running("s", false))},
                     .containers = {running("a")}};
    CHECK(condition(conditions_of(status, at(0s)), "Ready").message ==
          "containers with unready status: [s]");
    CHECK(condition(conditions_of(status, at(0s)), "Initialized").status);
    status.init_containers[1].ready = true;
    CHECK(condition(conditions_of(status, at(0s)), "Ready").status);
}

TEST_CASE("a pod that was initialized stays so while a sidecar restarts") {
    const PodStatus status{.init_containers = {as_sidecar(exited("s", 1))},
                           .containers = {running("a")}};
    CHECK(condition(conditions_of(status, at(0s)), "Initialized").status);
}

TEST_CASE("an ended pod is not ready, and says why") {
    PodStatus status{.phase = PodPhase::succeeded, .containers = {exited("a", 0)}};
    CHECK(condition(conditions_of(status, at(0s)), "Ready").reason == "PodCompleted");
    CHECK(condition(conditions_of(status, at(0s)), "Initialized").status);
    status.phase = PodPhase::failed;
    CHECK(condition(conditions_of(status, at(0s)), "Ready").reason == "PodFailed");
    CHECK_FALSE(condition(conditions_of(status, at(0s)), "ContainersReady").status);
}

TEST_CASE("a condition remembers when it last changed, whatever its reason does") {
    PodStatus status{.containers = {waiting("a"), waiting("b")}};
    status.conditions = conditions_of(status, at(0s));
    status.containers[0] = running("a");
    status.conditions = conditions_of(status, at(5s));
    CHECK(condition(status.conditions, "Ready").last_transition == at(0s));
    CHECK(condition(status.conditions, "Ready").message == "containers with unready status: [b]");

    status.containers[1] = running("b");
    status.conditions = conditions_of(status, at(6s));
    CHECK(condition(status.conditions, "Ready").last_transition == at(6s));
    CHECK(condition(status.conditions, "PodScheduled").last_transition == at(0s));
}
