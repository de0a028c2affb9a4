// A pod's phase and conditions follow from its containers. The rules are the kubelet's.
#pragma once

#include <vector>

#include "pod_spec.hpp"
#include "view/pod_status.hpp"

namespace supervisor {

/// `ended`: nothing runs and nothing will be started any more. Until then a phase is never final.
[[nodiscard]] PodPhase phase_of(const PodSpec& pod, const PodStatus& status, bool ended);

/// Initialized, Ready, ContainersReady, PodScheduled, from the containers and the phase in `status`. A condition that
/// stands as before keeps the time of its last transition.
[[nodiscard]] std::vector<Condition> conditions_of(const PodStatus& status, Timestamp now);

} // namespace supervisor
