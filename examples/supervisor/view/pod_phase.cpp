#include "view/pod_phase.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace supervisor {
namespace {

/// How many containers are in which state.
struct Tally {
    int initializing = 0; ///< init containers that are not done yet
    int failed_init = 0;  ///< init containers whose last run failed
    int waiting = 0;      ///< never started
    int stopped = 0;      ///< regular containers only: sidecars do not count
    int succeeded = 0;    ///< of these
};

/// The exit that counts: of the present state, or while it waits to be started again, the one
/// before.
const Terminated* last_exit(const ContainerStatus& container) {
    if (const auto* terminated = std::get_if<Terminated>(&container.state)) return terminated;
    const bool waits = std::holds_alternative<Waiting>(container.state);
    return waits && container.last_state ? &*container.last_state : nullptr;
}

/// Once a regular container has run, the pod counts as initialized for good: a sidecar may be
/// restarting.
bool has_initialized(const PodStatus& status) {
    return std::any_of(
        status.containers.begin(), status.containers.end(), [](const ContainerStatus& container) {
            return !std::holds_alternative<Waiting>(container.state) || container.last_state;
        });
}

Tally tally(const PodStatus& status) {
    Tally count;
    for (const ContainerStatus& init : status.init_containers) {
        const Terminated* exit = last_exit(init);
        if (init.sidecar) {
            if (!exit && !init.started && !has_initialized(status)) ++count.initializing;
        } else if (!exit) {
            ++count.initializing;
        } else if (exit->exit_code != 0) {
            ++count.failed_init;
        }
    }
    for (const ContainerStatus& container : status.containers) {
        if (const Terminated* exit = last_exit(container)) {
            ++count.stopped;
            if (exit->exit_code == 0) ++count.succeeded;
        } else if (!std::holds_alternative<Running>(container.state)) {
            ++count.waiting;
        }
    }
    return count;
}

/// "[web db]": a list as Go prints it.
std::string listed(const std::vector<std::string>& names) {
    std::string text = "[";
    for (const std::string& name : names) {
        if (text.size() > 1) text += ' ';
        text += name;
    }
    return text + "]";
}

Condition initialized(const PodStatus& status) {
    std::vector<std::string> incomplete;
    for (const ContainerStatus& init : status.init_containers)
        if (!(init.sidecar ? init.started : init.ready)) incomplete.push_back(init.name);

    if (status.phase == PodPhase::succeeded)
        return {.type = "Initialized", .status = true, .reason = "PodCompleted"};
    if (incomplete.empty() || has_initialized(status))
        return {.type = "Initialized", .status = true};
    return {.type = "Initialized",
            .reason = "ContainersNotInitialized",
            .message = "containers with incomplete status: " + listed(incomplete)};
}

Condition containers_ready(const PodStatus& status) {
    if (status.phase == PodPhase::succeeded)
        return {.type = "ContainersReady", .reason = "PodCompleted"};
    if (status.phase == PodPhase::failed) return {.type = "ContainersReady", .reason = "PodFailed"};

    std::vector<std::string> unready;
    for (const ContainerStatus& init : status.init_containers)
        if (init.sidecar && !init.ready) unready.push_back(init.name);
    for (const ContainerStatus& container : status.containers)
        if (!container.ready) unready.push_back(container.name);
    if (unready.empty()) return {.type = "ContainersReady", .status = true};
    return {.type = "ContainersReady",
            .reason = "ContainersNotReady",
            .message = "containers with unready status: " + listed(unready)};
}

} // namespace

bool all_terminated(const PodStatus& status) {
    const auto ended = [](const ContainerStatus& one) {
        return std::holds_alternative<Terminated>(one.state);
    };
    return std::ranges::all_of(status.init_containers, ended) &&
           std::ranges::all_of(status.containers, ended);
}

PodPhase phase_of(const PodSpec& pod, const PodStatus& status, PodEnd end) {
    const Tally count = tally(status);
    if (end == PodEnd::no) {
        const bool pending = count.initializing > 0 || count.failed_init > 0 || count.waiting > 0;
        return pending ? PodPhase::pending : PodPhase::running;
    }
    const bool never = pod.restart_policy == probekit::RestartPolicy::never;
    const bool init_failed = end == PodEnd::by_itself && never && count.failed_init > 0;
    return init_failed || count.succeeded < count.stopped ? PodPhase::failed : PodPhase::succeeded;
}

std::vector<Condition> conditions_of(const PodStatus& status, Timestamp now) {
    Condition ready = containers_ready(status);
    ready.type = "Ready";
    std::vector<Condition> conditions{initialized(status), std::move(ready),
                                      containers_ready(status),
                                      Condition{.type = "PodScheduled", .status = true}};
    for (Condition& condition : conditions) {
        const auto before =
            std::find_if(status.conditions.begin(), status.conditions.end(),
                         [&](const Condition& old) { return old.type == condition.type; });
        const bool stands = before != status.conditions.end() && before->status == condition.status;
        condition.last_transition = stands ? before->last_transition : now;
    }
    return conditions;
}

} // namespace supervisor
