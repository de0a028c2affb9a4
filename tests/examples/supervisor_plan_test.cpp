#include <cstddef>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/core/container_fsm.hpp>

#include "run/pod_plan.hpp"

using namespace supervisor;
using probekit::RestartPolicy;

namespace {

/// What a container has been through so far.
enum class History { none, starting_up, runs, sick, never_came_up, done, failed, killed };
using enum History;

/// What its machine makes of that with such a policy.
ContainerFacts facts_of(History history, RestartPolicy policy) {
    using namespace probekit::event;
    constexpr probekit::TimePoint now{};
    probekit::ContainerFsm fsm{{.restart_policy = policy}};
    if (history != none) fsm.step(Started{}, now);
    if (history == killed) fsm.step(ProbeFailed{}, now);
    if (history == done || history == killed) fsm.step(Ended{}, now);
    if (history == failed) fsm.step(Ended{{.code = 1}}, now);
    return {.state = fsm.state(),
            .started = history == runs || history == sick,
            .probe_failed = history == sick || history == never_came_up,
            .exited_ok = history == done || history == killed};
}

/// "i" is an init container, "s" a sidecar, "c" a regular container.
PodSpec pod_of(const std::string& kinds, RestartPolicy policy) {
    PodSpec pod;
    pod.restart_policy = policy;
    for (const char kind : kinds) {
        ContainerSpec container;
        container.init = kind != 'c';
        container.sidecar = kind == 's';
        container.restart_policy = policy;
        if (kind == 's') container.restart_policy = RestartPolicy::always;
        if (kind == 'i' && policy == RestartPolicy::always)
            container.restart_policy = RestartPolicy::on_failure;
        (container.init ? pod.init_containers : pod.containers).push_back(container);
    }
    return pod;
}

struct Row {
    std::string kinds;
    RestartPolicy policy;
    std::vector<History> histories;
    PodPlan plan;
};

constexpr auto always = RestartPolicy::always;
constexpr auto on_failure = RestartPolicy::on_failure;
constexpr auto never = RestartPolicy::never;

void check(const Row& row) {
    CAPTURE(row.kinds, row.policy);
    const PodSpec pod = pod_of(row.kinds, row.policy);
    std::vector<ContainerFacts> facts;
    for (const auto& containers : {pod.init_containers, pod.containers})
        for (const ContainerSpec& container : containers)
            facts.push_back(facts_of(row.histories[facts.size()], container.restart_policy));
    const PodPlan plan = plan_pod(pod, facts);
    CHECK(plan.kill == row.plan.kill);
    CHECK(plan.start == row.plan.start);
    CHECK(plan.end == row.plan.end);
}

} // namespace

TEST_CASE("regular containers are started together and restarted by policy") {
    check(GENERATE(values<Row>({
        {"cc", always, {none, none}, {.start = {0, 1}}},
        {"cc", always, {runs, runs}, {}},
        {"cc", always, {runs, done}, {.start = {1}}},
        {"cc", always, {failed, runs}, {.start = {0}}},
        {"cc", on_failure, {done, runs}, {}},
        {"cc", on_failure, {failed, runs}, {.start = {0}}},
        {"cc", never, {failed, runs}, {}},
    })));
}

TEST_CASE("a pod ends when nothing is to be started any more") {
    check(GENERATE(values<Row>({
        {"cc", on_failure, {done, done}, {.end = true}},
        {"cc", on_failure, {done, failed}, {.start = {1}}},
        {"cc", never, {done, failed}, {.end = true}},
        {"sc", never, {runs, failed}, {.end = true}}, // the sidecar is to be stopped
        {"sc", never, {failed, done}, {.end = true}}, // and not started again
    })));
}

TEST_CASE("a container whose probe has failed is killed, and started again unless the policy "
          "is Never") {
    check(GENERATE(values<Row>({
        {"cc", always, {sick, runs}, {.kill = {0}}},
        {"cc", always, {never_came_up, runs}, {.kill = {0}}},
        {"c", never, {sick}, {.kill = {0}}},         // the pod ends once it has ended
        {"c", on_failure, {killed}, {.start = {0}}}, // even though it exited with 0
        {"c", never, {killed}, {.end = true}},
        {"c", on_failure, {done}, {.end = true}},
    })));
}

TEST_CASE("init containers run one after the other, before all else") {
    check(GENERATE(values<Row>({
        {"iic", always, {none, none, none}, {.start = {0}}},
        {"iic", always, {runs, none, none}, {}},
        {"iic", always, {done, none, none}, {.start = {1}}},
        {"iic", always, {done, runs, none}, {}},
        {"iic", always, {done, done, none}, {.start = {2}}},
        {"iic", always, {done, done, runs}, {}},
        {"iic", always, {done, done, failed}, {.start = {2}}},
    })));
}

TEST_CASE("an init container that fails is tried again, or ends the pod with policy Never") {
    check(GENERATE(values<Row>({
        {"iic", always, {failed, none, none}, {.start = {0}}},
        {"iic", on_failure, {done, failed, none}, {.start = {1}}},
        {"iic", never, {failed, none, none}, {.end = true}},
        {"sic", never, {runs, failed, none}, {.end = true}},
    })));
}

TEST_CASE(
    "a sidecar holds up the next until it has started, and is started again whenever it ends") {
    check(GENERATE(values<Row>({
        {"sic", always, {none, none, none}, {.start = {0}}},
        {"sic", always, {starting_up, none, none}, {}},
        {"sic", always, {runs, none, none}, {.start = {1}}},
        {"sic", always, {runs, done, none}, {.start = {2}}},
        {"isc", always, {done, starting_up, none}, {}},
        {"isc", always, {done, runs, none}, {.start = {2}}},
        {"sic", always, {done, none, none}, {.start = {0}}}, // ended before it had started for good
        {"sic", always, {failed, runs, none}, {.start = {0}}}, // while the next init container runs
        {"sic", never, {failed, runs, none}, {.start = {0}}},  // also with policy Never
        {"ssc", always, {failed, failed, runs}, {.start = {0, 1}}}, // in their order
        {"ssc", always, {runs, starting_up, none}, {}},
    })));
}

TEST_CASE("a sick sidecar is killed, whether or not the pod has come up") {
    check(GENERATE(values<Row>({
        {"sc", always, {never_came_up, none}, {.kill = {0}}},
        {"sc", always, {sick, runs}, {.kill = {0}}},
        {"sic", always, {sick, none, none}, {.kill = {0}, .start = {1}}}, // its liveness does not
                                                                          // hold up the next
    })));
}

TEST_CASE("what has been initialized stays so") {
    check(GENERATE(values<Row>({
        {"iisc", always, {done, done, failed, runs}, {.start = {2}}},
        {"iisc", always, {done, done, failed, failed}, {.start = {2, 3}}},
        {"sc", always, {starting_up, failed}, {.start = {1}}}, // a sidecar that starts anew holds
                                                               // up nothing
    })));
}

// Whoever has nothing to do waits for something that will come by itself: the end, or the first
// success, of a container that runs. A pod that waited for anything else would wait for ever.
TEST_CASE("a pod without a next step has a container whose change it waits for") {
    const std::vector<History> all{none,          starting_up, runs,   sick,
                                   never_came_up, done,        failed, killed};
    const auto policy = GENERATE(always, on_failure, never);
    const std::string kinds = GENERATE("c", "cc", "ic", "sc", "iic", "sic", "isc", "ssc", "scc");
    const PodSpec pod = pod_of(kinds, policy);
    std::vector<std::size_t> picked(kinds.size());
    for (bool more = true; more;) {
        std::vector<ContainerFacts> facts;
        for (const auto& containers : {pod.init_containers, pod.containers})
            for (const ContainerSpec& container : containers)
                facts.push_back(facts_of(all[picked[facts.size()]], container.restart_policy));
        const PodPlan plan = plan_pod(pod, facts);
        bool one_will_change = false;
        for (std::size_t i = 0; i != facts.size(); ++i) {
            const bool is_sidecar = kinds[i] == 's';
            const bool has_started = is_sidecar && facts[i].started;
            if (facts[i].state == probekit::ContainerState::running && !has_started)
                one_will_change = true;
        }
        const bool acts = plan.end || !plan.kill.empty() || !plan.start.empty();
        if (!acts && !one_will_change) FAIL_CHECK(kinds << " stands still");
        if (plan.end && !plan.start.empty()) FAIL_CHECK(kinds << " ends and starts");
        more = false;
        for (std::size_t i = 0; i != picked.size() && !more; ++i) {
            picked[i] = (picked[i] + 1) % all.size();
            more = picked[i] != 0;
        }
    }
}
