// What is known of a running pod, as plain values: filled by the runners, printed by the outputs.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "manifest/manifest_clock.hpp"
#include "manifest/pod_spec.hpp"

namespace supervisor {

struct Waiting {
    std::string reason = {};
    std::string message = {};

    friend bool operator==(const Waiting&, const Waiting&) = default;
};

struct Running {
    Timestamp started_at = {};

    friend bool operator==(const Running&, const Running&) = default;
};

struct Terminated {
    int exit_code = 0;
    int signal = 0; ///< 0: it was not ended by one
    std::string reason = {};
    std::string message = {};
    Timestamp started_at = {};
    Timestamp finished_at = {};
    std::string container_id = {};

    friend bool operator==(const Terminated&, const Terminated&) = default;
};

using ContainerState = std::variant<Waiting, Running, Terminated>;

struct ContainerStatus {
    std::string name = {};
    std::string image = {};
    std::string container_id = {}; ///< of the last process that was started; empty if none ever was
    bool sidecar = false;
    bool ready = false;
    bool started = false;
    int restart_count = 0;
    ContainerState state = Waiting{};
    std::optional<Terminated> last_state = {};

    friend bool operator==(const ContainerStatus&, const ContainerStatus&) = default;
};

/// A pod's phase, in Kubernetes' words.
enum class PodPhase { pending, running, succeeded, failed };

[[nodiscard]] constexpr std::string_view to_string(PodPhase phase) noexcept {
    switch (phase) {
    case PodPhase::pending: return "Pending";
    case PodPhase::running: return "Running";
    case PodPhase::succeeded: return "Succeeded";
    case PodPhase::failed: break;
    }
    return "Failed";
}

[[nodiscard]] constexpr bool is_terminal(PodPhase phase) noexcept {
    return phase == PodPhase::succeeded || phase == PodPhase::failed;
}

struct Condition {
    std::string type = {};
    bool status = false;
    std::string reason = {};
    std::string message = {};
    Timestamp last_transition = {}; ///< when `status` last changed

    friend bool operator==(const Condition&, const Condition&) = default;
};

struct PodStatus {
    PodPhase phase = PodPhase::pending;
    std::vector<Condition> conditions = {};
    std::vector<ContainerStatus> init_containers = {};
    std::vector<ContainerStatus> containers = {};

    friend bool operator==(const PodStatus&, const PodStatus&) = default;
};

/// A request to end a pod.
struct Deletion {
    Timestamp timestamp = {}; ///< the request plus the grace period, as Kubernetes has it
    probekit::Duration grace = {};

    friend bool operator==(const Deletion&, const Deletion&) = default;
};

/// All there is to print of a pod.
struct PodView {
    const PodSpec& spec;
    const std::string& uid;
    Timestamp created;
    std::optional<Deletion> deletion;
    PodStatus status;
};

} // namespace supervisor
