#include "view/pod_row.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "view/age.hpp"

namespace supervisor {
namespace {

bool condition_holds(const PodStatus& status, std::string_view type) {
    return std::any_of(status.conditions.begin(), status.conditions.end(),
                       [&](const Condition& condition) { return condition.type == type && condition.status; });
}

void count_restarts(PodRow& row, const ContainerStatus& container) {
    row.restarts += container.restart_count;
    if (container.last_state)
        row.last_restart = std::max(row.last_restart.value_or(Timestamp{}), container.last_state->finished_at);
}

/// What STATUS says while init containers are at work; nothing once they are done.
std::optional<std::string> init_status(const std::vector<ContainerStatus>& init_containers) {
    for (std::size_t i = 0; i != init_containers.size(); ++i) {
        const ContainerStatus& init = init_containers[i];
        const auto* terminated = std::get_if<Terminated>(&init.state);
        if (terminated && terminated->exit_code == 0) continue;
        if (init.sidecar && init.started) continue;
        if (terminated) return "Init:" + terminated->reason;
        const auto* waiting = std::get_if<Waiting>(&init.state);
        if (waiting && waiting->reason != "PodInitializing") return "Init:" + waiting->reason;
        return "Init:" + std::to_string(i) + "/" + std::to_string(init_containers.size());
    }
    return std::nullopt;
}

/// The first container that is not simply running speaks for all.
std::string regular_status(const PodStatus& status) {
    std::string text{to_string(status.phase)};
    bool one_runs = false;
    for (auto container = status.containers.rbegin(); container != status.containers.rend(); ++container) {
        if (const auto* waiting = std::get_if<Waiting>(&container->state))
            text = waiting->reason;
        else if (const auto* terminated = std::get_if<Terminated>(&container->state))
            text = terminated->reason;
        else if (container->ready)
            one_runs = true;
    }
    if (text == "Completed" && one_runs) return condition_holds(status, "Ready") ? "Running" : "NotReady";
    return text;
}

} // namespace

PodRow row_of(const PodView& pod) {
    const PodStatus& status = pod.status;
    PodRow row{.name = pod.spec.name, .created = pod.created, .ip = pod.spec.pod_ip};
    const std::optional<std::string> initializing = init_status(status.init_containers);
    const bool initialized = !initializing || condition_holds(status, "Initialized");

    std::size_t ready = 0;
    std::size_t total = status.containers.size();
    for (const ContainerStatus& init : status.init_containers) {
        if (init.sidecar) {
            ++total;
            if (init.ready) ++ready;
        }
        // Once the pod is initialized, what its init containers went through is history.
        if (init.sidecar || !initialized) count_restarts(row, init);
    }
    if (initialized) {
        for (const ContainerStatus& container : status.containers) {
            count_restarts(row, container);
            if (container.ready) ++ready;
        }
    }
    if (row.restarts == 0) row.last_restart.reset();
    row.ready = std::to_string(ready) + "/" + std::to_string(total);
    if (pod.deletion && !is_terminal(status.phase))
        row.status = "Terminating";
    else
        row.status = initialized ? regular_status(status) : *initializing;
    return row;
}

std::string PodRow::restarts_text(Timestamp now) const {
    std::string text = std::to_string(restarts);
    if (last_restart) text += " (" + age_text(now - *last_restart) + " ago)";
    return text;
}

std::string PodRow::age(Timestamp now) const { return age_text(now - created); }

} // namespace supervisor
