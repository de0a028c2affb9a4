#include "run/pod_plan.hpp"

#include <algorithm>

namespace supervisor {
namespace {

using State = probekit::ContainerState;

/// Init containers are gone through from the last one back: the last that has ever been started
/// shows how far the pod has come, whatever became of those before it. Returns whether all are
/// done, so that regular containers may start.
bool plan_init_containers(const PodSpec& pod, const std::vector<ContainerFacts>& containers,
                          PodPlan& plan) {
    const std::size_t count = pod.init_containers.size();
    bool initialized =
        count == 0 ||
        std::any_of(containers.begin() + static_cast<std::ptrdiff_t>(count), containers.end(),
                    [](const ContainerFacts& c) { return c.state != State::idle; });
    bool a_later_one_was_started = initialized;
    for (std::size_t i = count; i-- != 0;) {
        const ContainerSpec& spec = pod.init_containers[i];
        const ContainerFacts& container = containers[i];
        if (a_later_one_was_started && !spec.sidecar) continue; // it has long been done
        if (container.state == State::idle) {
            if (a_later_one_was_started) plan.start.push_back(i);
            continue;
        }

        const bool over = container.state == State::over;
        if (over && !container.exited_ok) {
            plan = PodPlan{.end = true};
            return false;
        }
        const bool done = spec.sidecar ? container.started : over;
        if (done && i + 1 == count) initialized = true;
        if (done && i + 1 != count && !a_later_one_was_started) plan.start.push_back(i + 1);
        if (container.probe_failed) plan.kill.push_back(i);
        if (container.state == State::waiting) plan.start.push_back(i);
        a_later_one_was_started = true;
    }
    if (!a_later_one_was_started) plan.start.push_back(0);
    std::reverse(plan.start.begin(), plan.start.end());
    return initialized;
}

} // namespace

PodPlan plan_pod(const PodSpec& pod, const std::vector<ContainerFacts>& containers) {
    PodPlan plan;
    if (!plan_init_containers(pod, containers, plan)) return plan;

    bool one_stays = false;
    for (std::size_t i = 0; i != pod.containers.size(); ++i) {
        const std::size_t index = pod.init_containers.size() + i;
        const ContainerFacts& container = containers[index];
        switch (container.state) {
        case State::idle:
        case State::waiting: plan.start.push_back(index); break;
        case State::running:
        case State::ending:
            if (container.probe_failed) plan.kill.push_back(index);
            break;
        case State::over: continue;
        }
        one_stays = one_stays || !container.probe_failed;
    }
    // Killed first: whether they are started again is decided once they have ended.
    plan.end = !one_stays && plan.kill.empty();
    if (plan.end) plan.start.clear();
    return plan;
}

} // namespace supervisor
