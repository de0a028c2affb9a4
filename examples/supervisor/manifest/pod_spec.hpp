// What a manifest requests, resolved as far as possible before anything runs. These are plain
// values that the rest of the supervisor never changes. All durations are the manifest's own;
// ManifestClock says how long one takes in real time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <probekit/core/duration.hpp>
#include <probekit/core/probe_settings.hpp>
#include <probekit/core/restart.hpp>

namespace supervisor {

using Json = nlohmann::ordered_json; // fields are printed in the order in which the user wrote them

/// A startup, liveness or readiness probe, ready to be made: port names are numbers, an empty host
/// is the pod's address, an exec command has its $(VAR) expanded and the container's environment
/// and working directory.
struct ContainerProbe {
    probekit::ProbeSettings settings = {};
    /// Not empty: the API server accepts the probe but a kubelet can never carry it out (`port
    /// "nope" not found`). Then each attempt is a prober error with this text, which changes no
    /// state, and `settings` must not be made into a probe.
    std::string cannot_ask = {};
};

/// A lifecycle hook. As in Kubernetes it has no timeout of its own, and an exec command's $(VAR)
/// stays as written; it has the container's environment and working directory.
struct Hook {
    std::optional<probekit::Duration> sleep = {}; ///< given: the hook is nothing but this wait
    probekit::ProbeSettings settings = {};        ///< exec or httpGet; the spec means nothing
    std::string cannot_ask = {}; ///< as ContainerProbe::cannot_ask: the hook fails with this text
};

struct ContainerPort {
    std::string name = {}; ///< may be empty
    std::uint16_t number = 0;
};

struct ContainerSpec {
    std::string name = {};
    std::string image = {};
    /// Program and arguments, complete: --image applied, args appended, $(VAR) expanded. Never
    /// empty.
    std::vector<std::string> command = {};
    /// "NAME=value" of the manifest, resolved, each name once, and PROBEKIT_TIME_SCALE. These are
    /// added to the supervisor's own environment, and replace its variables of the same name.
    std::vector<std::string> environment = {};
    std::string working_directory = {}; ///< empty: the supervisor's own
    std::vector<ContainerPort> ports = {};

    std::optional<ContainerProbe> startup = {};
    std::optional<ContainerProbe> liveness = {};
    std::optional<ContainerProbe> readiness = {};
    std::optional<Hook> post_start = {};
    std::optional<Hook> pre_stop = {};

    /// The policy of this container: `always` for a sidecar, else the pod's. An init container of a
    /// pod with `always` has `on_failure`, because it is done once it has succeeded.
    probekit::RestartPolicy restart_policy = probekit::RestartPolicy::always;
    bool init = false; ///< stands in initContainers
    bool sidecar =
        false; ///< an init container with restartPolicy Always; then `init` is true as well

    /// The fieldPath of its events: `spec.containers{web}` or `spec.initContainers{web}`.
    [[nodiscard]] std::string field_path() const {
        return std::string{init ? "spec.initContainers{" : "spec.containers{"} + name + "}";
    }
};

struct PodSpec {
    std::string name = {};
    std::string name_space = "default"; ///< metadata.namespace
    std::string uid = {};               ///< a new one
    std::string origin = {};            ///< what it is made from: `Deployment "web" in web.yaml`
    std::string pod_ip = "127.0.0.1";   ///< annotation probekit.dev/pod-ip, a loopback address
    probekit::RestartPolicy restart_policy = probekit::RestartPolicy::always;
    probekit::Duration termination_grace_period =
        std::chrono::seconds{30};                    ///< zero: SIGKILL at once
    std::vector<ContainerSpec> init_containers = {}; ///< in starting order; includes sidecars
    std::vector<ContainerSpec> containers = {};      ///< at least one

    /// The Pod object as the user gave it: metadata.labels, metadata.annotations and spec are
    /// printed from here.
    Json object = {};
};

} // namespace supervisor
