#include "manifest/container_reader.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <set>
#include <utility>

#include <probekit/kubernetes/field_errors.hpp>
#include <probekit/kubernetes/ports.hpp>

#include "manifest/environment.hpp"
#include "manifest/fields.hpp"
#include "manifest/handler_reader.hpp"
#include "manifest/validation.hpp"

namespace supervisor {
namespace {

using probekit::ConfigErrors;
using probekit::go_quoted;
using probekit::ProbeKind;
using probekit::RestartPolicy;
using namespace probekit::kubernetes;

/// Calls `each(fields)` for every object in an array field.
template <class Each>
void for_each_object(Fields& fields, std::string_view name, Each each) {
    const Json* array = fields.array(name);
    if (array == nullptr) return;
    std::size_t index = 0;
    for (const Json& item : *array) {
        Fields item_fields{item, fields.path(name) + "[" + std::to_string(index++) + "]",
                           fields.errors()};
        each(item_fields);
    }
}

std::vector<ContainerPort> read_ports(Fields& container, std::vector<std::string>& ignored) {
    std::vector<ContainerPort> ports;
    std::set<std::string> names;
    for_each_object(container, "ports", [&](Fields& port) {
        ConfigErrors& errors = port.errors();
        const std::string name = port.text("name").value_or("");
        if (!name.empty() && validate_port_name(name, port.path("name"), errors) &&
            !names.insert(name).second)
            errors.push_back(duplicate(port.path("name"), name));

        const std::size_t before = errors.size();
        const std::int32_t number = port.int32("containerPort").value_or(0);
        if (errors.size() == before && number == 0)
            errors.push_back(required(port.path("containerPort")));
        else if (errors.size() == before &&
                 validate_port_number(number, port.path("containerPort"), errors))
            ports.push_back({name, static_cast<std::uint16_t>(number)});

        // The process listens on this machine. A different host port would need forwarding.
        const std::int32_t host_port = port.int32("hostPort").value_or(0);
        if (host_port != 0 && validate_port_number(host_port, port.path("hostPort"), errors) &&
            host_port != number)
            ignored.push_back(port.path("hostPort"));
        const std::string protocol = port.text("protocol").value_or("TCP");
        if (protocol != "TCP" && protocol != "UDP" && protocol != "SCTP" && !protocol.empty())
            errors.push_back(
                not_supported(port.path("protocol"), protocol, {"SCTP", "TCP", "UDP"}));
        report_not_honoured(port, {}, ignored);
    });
    return ports;
}

/// The value of the field of the pod, if the supervisor supports it.
std::optional<std::string> read_field_ref(Fields field_ref, const PodSpec& pod,
                                          std::vector<std::string>& ignored) {
    const std::string version = field_ref.text("apiVersion").value_or("");
    const std::string field = field_ref.text("fieldPath").value_or("");
    const std::string path = field_ref.path("fieldPath");
    ConfigErrors& errors = field_ref.errors();
    const auto refuse = [&](const std::string& why) {
        errors.push_back(invalid(path, go_quoted(field), "error converting fieldPath: " + why));
    };
    static const std::initializer_list<std::string_view> supported = {"metadata.name",
                                                                      "metadata.namespace",
                                                                      "metadata.uid",
                                                                      "spec.nodeName",
                                                                      "spec.serviceAccountName",
                                                                      "status.hostIP",
                                                                      "status.hostIPs",
                                                                      "status.podIP",
                                                                      "status.podIPs"};
    // A variable cannot refer to these, or only to one of their keys.
    constexpr std::array<std::string_view, 5> elsewhere = {"metadata.annotations",
                                                           "metadata.labels", "spec.restartPolicy",
                                                           "spec.schedulerName", "status.phase"};
    if (field.empty())
        errors.push_back(required(path));
    else if (!version.empty() && version != "v1")
        refuse("unsupported pod version: " + version);
    else if (field == "metadata.name")
        return pod.name;
    else if (field == "metadata.namespace")
        return pod.name_space;
    else if (field == "status.podIP")
        return pod.pod_ip;
    else if (field.starts_with("metadata.labels['") ||
             field.starts_with("metadata.annotations['") ||
             std::ranges::find(supported, field) != supported.end())
        ignored.push_back(path);
    else if (std::ranges::find(elsewhere, field) != elsewhere.end())
        errors.push_back(not_supported(path, field, supported));
    else
        refuse("field label not supported: " + field);
    return std::nullopt;
}

/// The value that env[].valueFrom refers to, if the supervisor supports it.
std::optional<std::string> read_value_from(Fields& variable, bool has_value, const PodSpec& pod,
                                           std::vector<std::string>& ignored) {
    const Json* json = variable.object("valueFrom");
    if (json == nullptr) return std::nullopt;
    Fields value_from{*json, variable.path("valueFrom"), variable.errors()};
    const Json* reference = value_from.object("fieldRef");
    const std::size_t sources = value_from.others().size() + (reference != nullptr ? 1 : 0);
    std::optional<std::string> value;
    if (reference != nullptr)
        value = read_field_ref({*reference, value_from.path("fieldRef"), variable.errors()}, pod,
                               ignored);
    if (sources == 1 && !has_value) {
        report_not_honoured(value_from, {}, ignored);
        return value;
    }
    value_from.errors().push_back(
        invalid(value_from.path(), go_quoted(""),
                sources == 0 ? "must specify one of: `fieldRef`, `resourceFieldRef`, "
                               "`configMapKeyRef`, `secretKeyRef` or "
                               "`fileKeyRef`"
                : has_value  ? "may not be specified when `value` is not empty"
                             : "may not have more than one field specified at a time"));
    return std::nullopt;
}

/// A container's variables have two forms in Kubernetes. The process gets all values, with
/// references to earlier variables expanded. Exec probes expand only plain values, as they are
/// written.
struct Environments {
    Environment resolved = {};
    Variables as_written = {};
};

Environments read_environment(Fields& container, const PodSpec& pod, double time_scale,
                              std::vector<std::string>& ignored) {
    Environments result;
    std::array<char, 32> scale{};
    const auto end = std::to_chars(scale.data(), scale.data() + scale.size(), time_scale).ptr;
    result.resolved.set("PROBEKIT_TIME_SCALE", std::string(scale.data(), end));
    for_each_object(container, "env", [&](Fields& variable) {
        ConfigErrors& errors = variable.errors();
        const std::string name = variable.text("name").value_or("");
        if (name.empty())
            errors.push_back(required(variable.path("name")));
        else
            validate_env_name(name, variable.path("name"), errors);

        const std::string value = variable.text("value").value_or("");
        validate_no_nul(value, variable.path("value"), errors);
        result.as_written.insert_or_assign(name, value);
        std::optional<std::string> from = read_value_from(variable, !value.empty(), pod, ignored);
        if (from)
            result.resolved.set(name, std::move(*from));
        else if (variable.find("valueFrom") == nullptr)
            result.resolved.set(name, result.resolved.expand(value));
        report_not_honoured(variable, {}, ignored);
    });
    return result;
}

/// The manifest's command, or else the one that --image gives, followed by the args.
std::vector<std::string> read_command(Fields& container, const std::string& image,
                                      const Options& options) {
    std::vector<std::string> command = container.texts("command");
    const std::vector<std::string> args = container.texts("args");
    for (const std::string& word : command)
        validate_no_nul(word, container.path("command"), container.errors());
    for (const std::string& word : args)
        validate_no_nul(word, container.path("args"), container.errors());
    if (command.empty() && !image.empty()) {
        const auto mapped = options.images.find(image);
        if (mapped != options.images.end())
            command = mapped->second;
        else
            container.errors().push_back(
                required(container.path("command"), "image " + go_quoted(image) +
                                                        " has no --image mapping and the "
                                                        "container names no command"));
    }
    command.insert(command.end(), args.begin(), args.end());
    return command;
}

/// The container's own policy overrides the pod's. An init container that has succeeded is done, so
/// without a policy of its own it is restarted only after a failure.
void read_restart_policy(Fields& container, RestartPolicy of_pod, ContainerSpec& spec) {
    const std::optional<std::string> text = container.text("restartPolicy");
    const std::optional<RestartPolicy> own = text ? to_restart_policy(*text) : std::nullopt;
    if (text && !own)
        container.errors().push_back(not_supported(container.path("restartPolicy"), *text,
                                                   {"Always", "Never", "OnFailure"}));
    const RestartPolicy inherited =
        spec.init && of_pod == RestartPolicy::always ? RestartPolicy::on_failure : of_pod;
    spec.restart_policy = own.value_or(inherited);
    spec.sidecar = spec.init && own == RestartPolicy::always;
}

void forbid_handlers(Fields& container) {
    for (const char* name : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"})
        if (container.find(name) != nullptr)
            container.errors().push_back(
                forbidden(container.path(name),
                          "may not be set for init containers without restartPolicy=Always"));
}

void read_handlers(Fields& container, const HandlerContext& context, ContainerSpec& spec) {
    if (const Json* json = container.object("lifecycle")) {
        Fields lifecycle{*json, container.path("lifecycle"), container.errors()};
        spec.post_start = read_hook(lifecycle, "postStart", context);
        spec.pre_stop = read_hook(lifecycle, "preStop", context);
        report_not_honoured(lifecycle, {}, context.ignored);
    }
    spec.liveness = read_container_probe(container, "livenessProbe", ProbeKind::liveness, context);
    spec.readiness =
        read_container_probe(container, "readinessProbe", ProbeKind::readiness, context);
    spec.startup = read_container_probe(container, "startupProbe", ProbeKind::startup, context);
}

} // namespace

std::optional<RestartPolicy> to_restart_policy(std::string_view text) {
    if (text == "Always") return RestartPolicy::always;
    if (text == "OnFailure") return RestartPolicy::on_failure;
    if (text == "Never") return RestartPolicy::never;
    return std::nullopt;
}

ContainerSpec ContainerReader::read(const Json& json, const std::string& field, bool init) {
    Fields fields{json, field, errors_};
    ContainerSpec spec;
    spec.init = init;
    // The API server validates the policy of an init container first, and that of others last.
    if (init) read_restart_policy(fields, pod_.restart_policy, spec);
    spec.name = fields.text("name").value_or("");
    if (spec.name.empty())
        errors_.push_back(required(fields.path("name")));
    else
        validate_dns_label(spec.name, fields.path("name"), errors_);

    spec.image = fields.text("image").value_or("");
    if (spec.image.empty()) errors_.push_back(required(fields.path("image")));
    spec.command = read_command(fields, spec.image, options_);
    spec.working_directory = fields.text("workingDir").value_or("");
    validate_no_nul(spec.working_directory, fields.path("workingDir"), errors_);

    spec.ports = read_ports(fields, ignored_);
    const Environments environments = read_environment(fields, pod_, options_.time_scale, ignored_);
    spec.environment = environments.resolved.entries();
    spec.command = environments.resolved.expand(std::move(spec.command));

    if (std::ranges::find(names_, spec.name) != names_.end())
        errors_.push_back(duplicate(fields.path("name"), spec.name));
    else if (!spec.name.empty())
        names_.push_back(spec.name);

    if (init && !spec.sidecar)
        forbid_handlers(fields);
    else
        read_handlers(fields,
                      {.container = spec,
                       .pod_ip = pod_.pod_ip,
                       .variables = environments.as_written,
                       .grace = pod_.termination_grace_period,
                       .ignored = ignored_},
                      spec);
    if (!init) read_restart_policy(fields, pod_.restart_policy, spec);
    // These fields only matter where images are pulled and containers are made.
    report_not_honoured(fields,
                        {"imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy"},
                        ignored_);
    return spec;
}

} // namespace supervisor
