#include "subject.hpp"

#include <cstddef>
#include <optional>
#include <utility>
#include <variant>

#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/go_text.hpp>

#include "manifest/document.hpp"
#include "manifest/options.hpp"
#include "manifest/pod_reader.hpp"
#include "manifest/pod_spec.hpp"
#include "read_text.hpp"

namespace timeline {
namespace {

using probekit::go_duration;
using probekit::ProbeKind;

constexpr std::size_t max_manifest_size = 16 * 1024 * 1024;

// ---- how `kubectl describe` shows a probe ----

std::string words(const std::vector<std::string>& command) {
    std::string text;
    for (const std::string& word : command) text += (text.empty() ? "" : " ") + word;
    return text;
}

struct Described {
    std::string operator()(const probekit::ExecAction& action) const {
        return "exec [" + words(action.command) + "]";
    }
    std::string operator()(const probekit::TcpSocketAction& action) const {
        return "tcp-socket " + action.host + ":" + std::to_string(action.port);
    }
    std::string operator()(const probekit::HttpGetAction& action) const {
        const char* scheme = action.scheme == probekit::HttpScheme::https ? "https://" : "http://";
        return "http-get " + (scheme + action.host) + ":" + std::to_string(action.port) +
               action.path;
    }
    std::string operator()(const probekit::GrpcAction& action) const {
        return "grpc " + action.host + ":" + std::to_string(action.port) + " " + action.service;
    }
};

std::string described(const char* kind, const supervisor::ContainerProbe& probe) {
    const probekit::ProbeSpec& spec = probe.settings.spec;
    return kind + std::visit(Described{}, probe.settings.action) +
           " delay=" + go_duration(spec.initial_delay) + " timeout=" + go_duration(spec.timeout) +
           " period=" + go_duration(spec.period) +
           " #success=" + std::to_string(spec.success_threshold) +
           " #failure=" + std::to_string(spec.failure_threshold) +
           (probe.cannot_ask.empty() ? "" : " (" + probe.cannot_ask + ")");
}

// ---- from objects to containers ----

Subject subject(const supervisor::PodSpec& pod, const supervisor::ContainerSpec& container) {
    Subject result{.pod = pod.name, .container = container.name};
    result.settings.restart_policy = container.restart_policy;
    result.settings.termination_grace_period = pod.termination_grace_period;
    const auto add = [&](const char* kind, const auto& probe,
                         std::optional<probekit::ProbeSpec>& spec) {
        if (!probe) return;
        spec = probe->settings.spec;
        result.cannot_ask[static_cast<std::size_t>(probe->settings.spec.kind)] = probe->cannot_ask;
        result.probes.push_back(described(kind, *probe));
    };
    add("startup    ", container.startup, result.settings.startup);
    add("liveness   ", container.liveness, result.settings.liveness);
    add("readiness  ", container.readiness, result.settings.readiness);
    return result;
}

/// Nothing is run, so that any image will do.
supervisor::Options options_for(const Json& pod) {
    supervisor::Options options;
    const Json spec = pod.value("spec", Json::object());
    for (const char* field : {"initContainers", "containers"}) {
        if (!spec.is_object() || !spec.contains(field) || !spec[field].is_array()) continue;
        for (const Json& container : spec[field])
            if (container.is_object() && container.contains("image") &&
                container["image"].is_string())
                options.images[container["image"].get<std::string>()] = {"true"};
    }
    return options;
}

void add_pod(Subjects& subjects, const Json& pod, const std::string& where) {
    const supervisor::PodReading reading = supervisor::read_pod(pod, options_for(pod));
    if (!reading.errors.empty()) {
        subjects.errors.push_back("The Pod \"" + reading.pod.name + "\" in " + where +
                                  " is invalid:");
        for (const probekit::ConfigError& error : reading.errors)
            subjects.errors.push_back(error.message());
        return;
    }
    for (const supervisor::ContainerSpec& one : reading.pod.init_containers)
        if (one.sidecar) subjects.all.push_back(subject(reading.pod, one));
    for (const supervisor::ContainerSpec& one : reading.pod.containers)
        subjects.all.push_back(subject(reading.pod, one));
}

/// The pod that a Deployment, a StatefulSet ... makes many of, named as its maker.
Json pod_of_template(const Json& object) {
    Json pod = object["spec"]["template"];
    pod["apiVersion"] = "v1";
    pod["kind"] = "Pod";
    if (!pod.contains("metadata") || !pod["metadata"].is_object()) pod["metadata"] = Json::object();
    if (object.contains("metadata") && object["metadata"].is_object() &&
        object["metadata"].contains("name"))
        pod["metadata"]["name"] = object["metadata"]["name"];
    return pod;
}

bool has_template(const Json& object) {
    return object.contains("spec") && object["spec"].is_object() &&
           object["spec"].contains("template") && object["spec"]["template"].is_object();
}

} // namespace

void add_subjects(Subjects& subjects, const Json& object, const std::string& where) {
    const auto wrong = [&](const std::string& what) {
        subjects.errors.push_back(where + ": " + what);
    };
    if (!object.is_object()) return wrong("not an object");
    const Json kind = object.value("kind", Json());
    if (kind == "Pod") return add_pod(subjects, object, where);
    if (object.contains("items") && object["items"].is_array()) {
        for (Json item : object["items"]) {
            // Within a PodList everything is a Pod without having to say so.
            if (kind == "PodList" && item.is_object())
                item.update({{"apiVersion", "v1"}, {"kind", "Pod"}});
            if (item.is_object() && item.contains("items")) return wrong("a List within a List");
            add_subjects(subjects, item, where);
        }
        return;
    }
    if (has_template(object)) return add_pod(subjects, pod_of_template(object), where);
    wrong(kind.is_string() ? "a " + kind.get<std::string>() + " has no containers"
                           : "Object 'Kind' is missing");
}

Subjects read_subjects(const std::vector<std::string>& files) {
    Subjects subjects;
    for (const std::string& file : files) {
        const std::string where = file == "-" ? "standard input" : file;
        const auto text = read_text(file, max_manifest_size);
        if (!text) {
            subjects.errors.push_back(where + ": cannot be read, or is too long");
            continue;
        }
        try {
            const supervisor::Documents documents = supervisor::parse_documents(*text);
            for (const std::string& duplicate : documents.duplicates)
                subjects.errors.push_back(where + ": " + duplicate);
            for (const supervisor::Document& document : documents.all)
                add_subjects(subjects, document.value, where);
        } catch (const supervisor::DocumentError& error) {
            subjects.errors.push_back(where + ": " + error.what());
        }
    }
    if (subjects.errors.empty() && subjects.all.empty())
        subjects.errors.emplace_back("no containers in the manifests given");
    return subjects;
}

} // namespace timeline
