#include <optional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "supervisor_pods.hpp"
#include "view/pod_phase.hpp"
#include "view/pod_row.hpp"

using namespace supervisor;
using namespace supervisor::test;

namespace {

PodRow row_for(std::vector<ContainerStatus> init, std::vector<ContainerStatus> regular,
               bool deleting = false, std::optional<PodPhase> phase = std::nullopt) {
    PodSpec spec;
    spec.name = "web";
    const std::string uid = "u1";
    PodStatus status{.init_containers = std::move(init), .containers = std::move(regular)};
    status.phase = phase.value_or(phase_of(spec, status, PodEnd::no));
    status.conditions = conditions_of(status, at(0s));
    std::optional<Deletion> deletion;
    if (deleting) deletion = Deletion{.timestamp = at(30s), .grace = 30s};
    return row_of({.spec = spec,
                   .uid = uid,
                   .created = at(0s),
                   .deletion = deletion,
                   .status = std::move(status)});
}

ContainerStatus restarted(ContainerStatus status, int times) {
    status.restart_count = times;
    status.last_state = ended_with(1);
    return status;
}

} // namespace

TEST_CASE("STATUS and READY are those of kubectl") {
    struct Row {
        std::vector<ContainerStatus> init;
        std::vector<ContainerStatus> regular;
        std::string ready;
        std::string status;
    };
    const Row row = GENERATE(values<Row>({
        {{}, {waiting("a")}, "0/1", "ContainerCreating"},
        {{}, {running("a")}, "1/1", "Running"},
        {{}, {running("a", false)}, "0/1", "Running"},
        {{}, {running("a"), running("b", false)}, "1/2", "Running"},
        {{}, {exited("a", 0)}, "0/1", "Completed"},
        {{}, {exited("a", 3)}, "0/1", "Error"},
        {{}, {backing_off("a", 1)}, "0/1", "CrashLoopBackOff"},
        {{}, {exited("a", 0), running("b")}, "1/2", "NotReady"},
        {{}, {exited("a", 2), exited("b", 0)}, "0/2", "Error"}, // the first container speaks last
        {{}, {exited("a", 0), exited("b", 2)}, "0/2", "Completed"},
        {{}, {running("a"), exited("b", 2)}, "1/2", "Error"},
        {{waiting("i", "PodInitializing"), waiting("j", "PodInitializing")},
         {waiting("a", "PodInitializing")},
         "0/1",
         "Init:0/2"},
        {{running("i", false), waiting("j", "PodInitializing")},
         {waiting("a", "PodInitializing")},
         "0/1",
         "Init:0/2"},
        {{completed_init("i"), running("j", false)},
         {waiting("a", "PodInitializing")},
         "0/1",
         "Init:1/2"},
        {{exited("i", 1)}, {waiting("a", "PodInitializing")}, "0/1", "Init:Error"},
        {{backing_off("i", 1)}, {waiting("a", "PodInitializing")}, "0/1", "Init:CrashLoopBackOff"},
        {{completed_init("i")}, {waiting("a", "PodInitializing")}, "0/1", "PodInitializing"},
        {{completed_init("i")}, {running("a")}, "1/1", "Running"},
        {{as_sidecar(running("s"))}, {running("a")}, "2/2", "Running"},
        {{as_sidecar(running("s", false))}, {running("a")}, "1/2", "Running"},
        {{as_sidecar(running("s"))}, {waiting("a", "PodInitializing")}, "1/2", "PodInitializing"},
        // A sidecar that does not run speaks for the pod, and hides those behind it, though it is
        // initialized for good.
        {{as_sidecar(exited("s", 1))}, {running("a")}, "1/2", "Init:Error"},
        {{as_sidecar(backing_off("s", 1)), as_sidecar(running("t"))},
         {running("a")},
         "1/3",
         "Init:CrashLoopBackOff"},
        {{as_sidecar(running("s")), as_sidecar(backing_off("t", 1))},
         {running("a")},
         "2/3",
         "Init:CrashLoopBackOff"},
        {{as_sidecar(backing_off("s", 1))}, {exited("a", 1)}, "0/2", "Error"},
        {{as_sidecar(exited("s", 0)), as_sidecar(running("t"))}, {running("a")}, "2/3", "Running"},
        {{as_sidecar(running("s"))}, {exited("a", 0)}, "1/2", "Completed"},
    }));
    const PodRow shown = row_for(row.init, row.regular);
    CHECK(shown.ready == row.ready);
    CHECK(shown.status == row.status);
}

TEST_CASE("a pod that is being deleted is Terminating until its phase is final") {
    CHECK(row_for({}, {running("a")}, true).status == "Terminating");
    CHECK(row_for({}, {exited("a", 143)}, true, PodPhase::failed).status == "Error");
    CHECK(row_for({}, {exited("a", 0)}, true, PodPhase::succeeded).status == "Completed");
}

TEST_CASE("RESTARTS counts the containers that matter and says when the last was") {
    CHECK(row_for({}, {running("a")}).restarts_text(at(60s)) == "0");
    CHECK(row_for({}, {restarted(running("a"), 1)}).restarts_text(at(15s)) == "1 (5s ago)");
    CHECK(row_for({}, {restarted(running("a"), 1), restarted(running("b"), 2)})
              .restarts_text(at(20s)) == "3 (10s ago)");
    // a first exit that waits to be restarted is no restart yet
    CHECK(row_for({}, {backing_off("a", 1, 0)}).restarts_text(at(20s)) == "0");
    // init containers count while they are at work, sidecars always
    CHECK(row_for({restarted(running("i", false), 4)}, {waiting("a")}).restarts == 4);
    CHECK(row_for({restarted(completed_init("i"), 4)}, {running("a")}).restarts == 0);
    CHECK(row_for({as_sidecar(restarted(running("s"), 4))}, {running("a")}).restarts == 4);
    const ContainerStatus down = as_sidecar(backing_off("s", 1, 3));
    const ContainerStatus behind = as_sidecar(restarted(running("t"), 4));
    CHECK(row_for({down, behind}, {restarted(running("a"), 2)}).restarts == 5);
}

TEST_CASE("AGE counts from the pod's creation") {
    CHECK(row_for({}, {running("a")}).age(at(127s)) == "2m7s");
}
