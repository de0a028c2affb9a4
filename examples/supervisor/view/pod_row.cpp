#include "view/pod_row.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "view/age.hpp"

namespace supervisor {
namespace {

bool condition_holds(const PodStatus& status, std::string_view type) {
    return std::any_of(
        status.conditions.begin(), status.conditions.end(),
        [&](const Condition& condition) { return condition.type == type && condition.status; });
}

void count_restarts(PodRow& row, const ContainerStatus& container) {
    row.restarts += container.restart_count;
    if (container.last_state)
        row.last_restart =
            std::max(row.last_restart.value_or(Timestamp{}), container.last_state->finished_at);
}

/// The first init container that is not done, or their number. It speaks for all: those behind it
/// do not count.
std::size_t first_at_work(const std::vector<ContainerStatus>& init_containers) {
    const auto is_done = [](const ContainerStatus& init) {
        const auto* terminated = std::get_if<Terminated>(&init.state);
        return (terminated && terminated->exit_code == 0) || (init.sidecar && init.started);
    };
    return static_cast<std::size_t>(std::ranges::find_if_not(init_containers, is_done) -
                                    init_containers.begin());
}

/// What STATUS says while the init container at `index` is at work.
std::string init_status(const std::vector<ContainerStatus>& init_containers, std::size_t index) {
    const ContainerStatus& init = init_containers[index];
    if (const auto* terminated = std::get_if<Terminated>(&init.state))
        return "Init:" + terminated->reason;
    const auto* waiting = std::get_if<Waiting>(&init.state);
    if (waiting && waiting->reason != "PodInitializing") return "Init:" + waiting->reason;
    return "Init:" + std::to_string(index) + "/" + std::to_string(init_containers.size());
}

/// The first container that is not simply running speaks for all; if there is none, `text` stands.
std::string regular_status(const PodStatus& status, std::string text) {
    bool one_runs = false;
    for (auto container = status.containers.rbegin(); container != status.containers.rend();
         ++container) {
        if (const auto* waiting = std::get_if<Waiting>(&container->state))
            text = waiting->reason;
        else if (const auto* terminated = std::get_if<Terminated>(&container->state))
            text = terminated->reason;
        else if (container->ready)
            one_runs = true;
    }
    if (text == "Completed" && one_runs)
        return condition_holds(status, "Ready") ? "Running" : "NotReady";
    return text;
}

} // namespace

PodRow row_of(const PodView& pod) {
    const PodStatus& status = pod.status;
    PodRow row{.name = pod.spec.name, .created = pod.created, .ip = pod.spec.pod_ip};
    const std::vector<ContainerStatus>& init_containers = status.init_containers;
    const std::size_t at_work = first_at_work(init_containers);
    const bool all_done = at_work == init_containers.size();
    const bool initialized = all_done || condition_holds(status, "Initialized");

    std::size_t ready = 0;
    std::size_t total = status.containers.size();
    for (std::size_t i = 0; i != init_containers.size(); ++i) {
        const ContainerStatus& init = init_containers[i];
        if (init.sidecar) ++total;
        if (init.sidecar && init.ready && i < at_work) ++ready;
        // Once the pod is initialized, what its other init containers went through is history.
        if (i <= at_work && (init.sidecar || !initialized)) count_restarts(row, init);
    }
    if (initialized) {
        for (const ContainerStatus& container : status.containers) {
            count_restarts(row, container);
            if (container.ready) ++ready;
        }
    }
    if (row.restarts == 0) row.last_restart.reset();
    row.ready = std::to_string(ready) + "/" + std::to_string(total);
    row.status =
        all_done ? std::string{to_string(status.phase)} : init_status(init_containers, at_work);
    if (initialized) row.status = regular_status(status, std::move(row.status));
    if (pod.deletion && !is_terminal(status.phase)) row.status = "Terminating";
    return row;
}

std::string PodRow::restarts_text(Timestamp now) const {
    std::string text = std::to_string(restarts);
    if (last_restart) text += " (" + age_text(now - *last_restart) + " ago)";
    return text;
}

std::string PodRow::age(Timestamp now) const { return age_text(now - created); }

} // namespace supervisor
