#include "subject.hpp"

#include <cstddef>
#include <optional>
#include <utility>

#include <probekit/core/error.hpp>

#include "manifest/description.hpp"
#include "manifest/manifest.hpp"
#include "manifest/options.hpp"
#include "manifest/pod_reader.hpp"
#include "manifest/pod_spec.hpp"

namespace timeline {
namespace {

Subject subject(const supervisor::PodSpec& pod, const supervisor::ContainerSpec& container) {
    Subject result{.pod = pod.name, .container = container.name};
    result.settings.restart_policy = container.restart_policy;
    result.settings.termination_grace_period = pod.termination_grace_period;
    const auto add = [&](const char* kind, const auto& probe,
                         std::optional<probekit::ProbeSpec>& spec) {
        if (!probe) return;
        spec = probe->settings.spec;
        result.cannot_ask[static_cast<std::size_t>(probe->settings.spec.kind)] = probe->cannot_ask;
        result.probes.push_back(kind + supervisor::described(*probe));
    };
    add("startup    ", container.startup, result.settings.startup);
    add("liveness   ", container.liveness, result.settings.liveness);
    add("readiness  ", container.readiness, result.settings.readiness);
    return result;
}

void add_containers(Subjects& subjects, const supervisor::PodSpec& pod) {
    for (const supervisor::ContainerSpec& one : pod.init_containers)
        if (one.sidecar) subjects.all.push_back(subject(pod, one));
    for (const supervisor::ContainerSpec& one : pod.containers)
        subjects.all.push_back(subject(pod, one));
}

} // namespace

void add_pod(Subjects& subjects, const Json& pod, const std::string& where) {
    const supervisor::PodReading reading = supervisor::read_pod(pod, {.simulate = true});
    if (reading.errors.empty()) return add_containers(subjects, reading.pod);
    subjects.errors.push_back("The Pod \"" + reading.pod.name + "\" in " + where + " is invalid:");
    for (const probekit::ConfigError& error : reading.errors)
        subjects.errors.push_back(error.message());
}

Subjects read_subjects(const std::vector<std::string>& files) {
    supervisor::Manifests manifests = supervisor::read_manifests(
        {.validate = supervisor::Validation::warn, .simulate = true, .files = files});
    Subjects subjects;
    subjects.errors = std::move(manifests.errors);
    subjects.warnings = std::move(manifests.warnings);
    for (const supervisor::PodSpec& pod : manifests.pods) add_containers(subjects, pod);
    return subjects;
}

} // namespace timeline
