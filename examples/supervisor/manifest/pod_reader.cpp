#include "manifest/pod_reader.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

#include <probekit/kubernetes/field_errors.hpp>

#include "manifest/uuid.hpp"
#include "manifest/validation.hpp"

namespace supervisor {
namespace {

using probekit::go_quoted;
using namespace probekit::kubernetes;

/// A reader for the object in the field `name`.
Fields inner(Fields& outer, std::string_view name, const std::string& path) {
    static const Json nothing;
    const Json* json = outer.find(name);
    return Fields{json == nullptr ? nothing : *json, path, outer.errors()};
}

void read_metadata(Fields metadata, PodSpec& pod) {
    constexpr const char* pod_ip = "probekit.dev/pod-ip";
    probekit::ConfigErrors& errors = metadata.errors();
    pod.name = metadata.text("name").value_or("");
    if (pod.name.empty())
        errors.push_back(required("metadata.name", "name or generateName is required"));
    else
        validate_dns_subdomain(pod.name, "metadata.name", errors);
    if (const std::string name_space = metadata.text("namespace").value_or("");
        !name_space.empty()) {
        validate_dns_label(name_space, "metadata.namespace", errors);
        pod.name_space = name_space;
    }
    if (const Json* labels = metadata.object("labels"))
        validate_labels(*labels, metadata.path("labels"), errors);
    if (const Json* annotations = metadata.object("annotations")) {
        validate_annotations(*annotations, metadata.path("annotations"), errors);
        const Json address = annotations->value(pod_ip, Json());
        if (address.is_string()) {
            pod.pod_ip = address.get<std::string>();
            validate_loopback(pod.pod_ip, metadata.path("annotations") + "[" + pod_ip + "]",
                              errors);
        }
    }
}

void read_grace_period(Fields& spec, PodSpec& pod) {
    const std::optional<std::int64_t> seconds = spec.int64("terminationGracePeriodSeconds");
    if (!seconds) return;
    constexpr std::int64_t most =
        std::chrono::floor<std::chrono::seconds>(probekit::Duration::max()).count();
    if (*seconds > most)
        spec.errors().push_back(invalid(spec.path("terminationGracePeriodSeconds"), *seconds,
                                        "must be less than or equal to " + std::to_string(most)));
    else // Kubernetes takes what is below zero and makes a second of it
        pod.termination_grace_period = std::chrono::seconds{*seconds < 0 ? 1 : *seconds};
}

std::vector<ContainerSpec> read_containers(Fields& spec, std::string_view name,
                                           ContainerReader& reader) {
    std::vector<ContainerSpec> containers;
    const Json* array = spec.array(name);
    if (array == nullptr) return containers;
    for (const Json& item : *array)
        containers.push_back(
            reader.read(item, spec.path(name) + "[" + std::to_string(containers.size()) + "]",
                        name == "initContainers"));
    return containers;
}

/// The API server validates this for pods only, and last.
void validate_images(const std::vector<ContainerSpec>& containers, const std::string& field,
                     probekit::ConfigErrors& errors) {
    constexpr std::string_view white_space = " \t\r\n\v\f";
    std::size_t index = 0;
    for (const ContainerSpec& container : containers) {
        const std::string path = field + "[" + std::to_string(index++) + "].image";
        const std::string& image = container.image;
        if (image.empty()) continue;
        if (white_space.find(image.front()) != std::string_view::npos ||
            white_space.find(image.back()) != std::string_view::npos)
            errors.push_back(
                invalid(path, go_quoted(image), "must not have leading or trailing whitespace"));
    }
}

void read_spec(Fields spec, const Options& options, PodContext& context, PodReading& reading) {
    PodSpec& pod = reading.pod;
    read_grace_period(spec, pod);
    // The containers need the policy, but the API server reports its mistakes after theirs.
    probekit::ConfigErrors policy_errors;
    if (const std::string policy = spec.text("restartPolicy").value_or(""); !policy.empty()) {
        if (const auto known = to_restart_policy(policy))
            pod.restart_policy = *known;
        else
            policy_errors.push_back(not_supported(spec.path("restartPolicy"), policy,
                                                  {"Always", "OnFailure", "Never"}));
    }

    ContainerReader reader{pod, options, context, reading.errors, reading.notices};
    pod.containers = read_containers(spec, "containers", reader);
    if (const Json* containers = spec.find("containers");
        containers == nullptr || containers->empty())
        reading.errors.push_back(required(spec.path("containers")));
    pod.init_containers = read_containers(spec, "initContainers", reader);
    reading.errors.insert(reading.errors.end(), policy_errors.begin(), policy_errors.end());
    validate_images(pod.containers, spec.path("containers"), reading.errors);
    validate_images(pod.init_containers, spec.path("initContainers"), reading.errors);

    // Fields that choose a node, pull images or talk to the cluster mean nothing on one machine
    // without a cluster.
    report_not_honoured(spec,
                        {"affinity", "automountServiceAccountToken", "dnsPolicy",
                         "enableServiceLinks", "imagePullSecrets", "nodeName", "nodeSelector",
                         "preemptionPolicy", "priority", "priorityClassName", "schedulerName",
                         "schedulingGates", "serviceAccount", "serviceAccountName", "tolerations",
                         "topologySpreadConstraints"},
                        reading.notices);
}

} // namespace

PodReading read_pod(const Json& object, const Options& options, PodContext& context,
                    const std::string& path) {
    PodReading reading;
    reading.pod.object = object;
    reading.pod.uid = random_uuid();
    Fields fields{object, "", reading.errors};
    read_metadata(inner(fields, "metadata", path + "metadata"), reading.pod);
    read_spec(inner(fields, "spec", path + "spec"), options, context, reading);
    for (const std::string& name : fields.others())
        if (name != "apiVersion" && name != "kind" && name != "status")
            reading.notices.push_back({path + name});
    return reading;
}

PodReading read_pod(const Json& object, const Options& options) {
    PodContext context;
    return read_pod(object, options, context);
}

} // namespace supervisor
