#include "run/pod_plan.hpp"

#include <algorithm>

#include <probekit/core/restart.hpp>

namespace supervisor {
namespace {

using Life = ContainerFacts::Life;
using probekit::RestartPolicy;

/// Init containers are looked at from the last one back: the last that has ever been started tells
/// how far the pod has come, whatever became of those before it. Returns whether all are done, so
/// that regular containers may start.
bool plan_init_containers(const PodSpec& pod, const std::vector<ContainerFacts>& containers,
                          PodPlan& plan) {
    const std::size_t count = pod.init_containers.size();
    bool initialized =
        count == 0 ||
        std::any_of(containers.begin() + static_cast<std::ptrdiff_t>(count), containers.end(),
                    [](const ContainerFacts& c) { return c.life != Life::never_started; });
    bool a_later_one_was_started = initialized;
    for (std::size_t i = count; i-- != 0;) {
        const ContainerSpec& spec = pod.init_containers[i];
        const ContainerFacts& container = containers[i];
        if (a_later_one_was_started && !spec.sidecar) continue; // it has long been done
        if (container.life == Life::never_started) {
            if (a_later_one_was_started) plan.start.push_back(i);
            continue;
        }

        const bool failed = container.life == Life::exited && !container.exited_ok && !spec.sidecar;
        if (failed && spec.restart_policy == RestartPolicy::never) {
            plan = PodPlan{.end = true};
            return false;
        }
        const bool done =
            spec.sidecar ? container.started : container.life == Life::exited && !failed;
        if (done && i + 1 == count) initialized = true;
        if (done && i + 1 != count && !a_later_one_was_started) plan.start.push_back(i + 1);
        if (container.probe_failed) plan.kill.push_back(i);
        if (failed || (spec.sidecar && container.life == Life::exited)) plan.start.push_back(i);
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
        const probekit::ExitStatus exit{.code = container.exited_ok ? 0 : 1};
        if (container.life == Life::never_started || container.restart_decided) {
            plan.start.push_back(index);
        } else if (container.life == Life::exited) {
            if (should_restart(pod.containers[i].restart_policy, exit)) plan.start.push_back(index);
        } else if (container.probe_failed) {
            plan.kill.push_back(index);
        } else {
            one_stays = true;
        }
        if (!plan.start.empty() && plan.start.back() == index) one_stays = true;
    }
    // Killed first: whether they are started again is decided once they have ended.
    plan.end = !one_stays && plan.kill.empty();
    if (plan.end) plan.start.clear();
    return plan;
}

} // namespace supervisor
