// A pod's phase and conditions follow from its containers. The rules are the kubelet's.
#pragma once

#include <vector>

#include "manifest/pod_spec.hpp"
#include "view/pod_status.hpp"

namespace supervisor {

/// How far a pod is from its end. Only one that has ended has a final phase.
enum class PodEnd {
    no,
    by_itself, ///< nothing runs and nothing will be started any more
    removed,   ///< the same, because it was deleted: it then is for its regular containers to
               ///< have failed
};

/// Whether all containers have ended, and none waits to be started again.
[[nodiscard]] bool all_terminated(const PodStatus& status);

[[nodiscard]] PodPhase phase_of(const PodSpec& pod, const PodStatus& status, PodEnd end);

/// Initialized, Ready, ContainersReady, PodScheduled, from the containers and the phase in
/// `status`. A condition that stands as before keeps the time of its last transition.
[[nodiscard]] std::vector<Condition> conditions_of(const PodStatus& status, Timestamp now);

} // namespace supervisor
