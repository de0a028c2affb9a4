// What a pod does next: which containers to kill and which to start. The decisions of a kubelet's
// pod sync, without the doing, so that they can be tested as a table.
#pragma once

#include <cstddef>
#include <vector>

#include <probekit/core/container_fsm.hpp>

#include "manifest/pod_spec.hpp"

namespace supervisor {

/// What the plan needs to know of one container. None of them is just being started or killed: a
/// pod finishes one step before it plans the next.
struct ContainerFacts {
    probekit::ContainerState state = probekit::ContainerState::idle; ///< of its machine
    bool started = false;      ///< runs, and its startup probe, if any, has passed
    bool probe_failed = false; ///< runs, and is to be killed for its liveness or startup probe
    bool exited_ok = false;    ///< its last run ended with exit status 0
};

/// Containers are numbered as they stand in the pod, init containers first.
struct PodPlan {
    std::vector<std::size_t> kill = {};
    std::vector<std::size_t> start = {}; ///< in this order
    bool end = false;                    ///< all is done or lost: what still runs is to be stopped

    friend bool operator==(const PodPlan&, const PodPlan&) = default;
};

[[nodiscard]] PodPlan plan_pod(const PodSpec& pod, const std::vector<ContainerFacts>& containers);

} // namespace supervisor
