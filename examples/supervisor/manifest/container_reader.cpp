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

#include <unistd.h>

#include <probekit/kubernetes/field_errors.hpp>
#include <probekit/kubernetes/ports.hpp>

#include "manifest/environment.hpp"
#include "manifest/fields.hpp"
#include "manifest/handler_reader.hpp"
#include "manifest/json_path.hpp"
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

std::vector<ContainerPort> read_ports(Fields& container, Notices& notices) {
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
            notices.push_back({port.path("hostPort")});
        const std::string protocol = port.text("protocol").value_or("TCP");
        if (protocol != "TCP" && protocol != "UDP" && protocol != "SCTP" && !protocol.empty())
            errors.push_back(
                not_supported(port.path("protocol"), protocol, {"SCTP", "TCP", "UDP"}));
        report_not_honoured(port, {}, notices);
    });
    return ports;
}

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

/// The entry of metadata.labels or metadata.annotations that `field` names: "metadata.labels['x']".
std::string metadata_entry(const PodSpec& pod, std::string_view field, ExpansionBudget& budget) {
    const std::string_view map = field.starts_with("metadata.labels") ? "labels" : "annotations";
    const std::size_t begin = field.find("['") + 2;
    const Json* const entries = at(&pod.object, {"metadata", map});
    if (entries == nullptr || !budget.take(ExpansionBudget::look * entries->size()))
        return {}; // they are searched one by one
    return text_at(entries, {field.substr(begin, field.rfind("']") - begin)});
}

std::string service_account(const PodSpec& pod) {
    for (const char* field : {"serviceAccountName", "serviceAccount"})
        if (std::string name = text_at(&pod.object, {"spec", field}); !name.empty()) return name;
    return "default";
}

/// The value of the field of the pod.
std::optional<std::string> read_field_ref(Fields field_ref, const PodSpec& pod,
                                          ExpansionBudget& budget) {
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
    else if (field == "metadata.uid")
        return pod.uid;
    else if (field == "spec.nodeName")
        return host_name();
    else if (field == "spec.serviceAccountName")
        return service_account(pod);
    else if (std::ranges::find(supported, field) != supported.end()) // the host's is the pod's
        return pod.pod_ip;
    else if (field.starts_with("metadata.labels['") || field.starts_with("metadata.annotations['"))
        return metadata_entry(pod, field, budget);
    else if (std::ranges::find(elsewhere, field) != elsewhere.end())
        errors.push_back(not_supported(path, field, supported));
    else
        refuse("field label not supported: " + field);
    return std::nullopt;
}

/// Reads what refers to a ConfigMap or a Secret. If it is not there nothing is set, as if it were
/// optional; a notice says so.
const ConfigSources::Values* read_source(Fields& reference, const std::string& kind,
                                         const PodSpec& pod, const ConfigSources& config,
                                         Notices& notices) {
    const std::string name = reference.text("name").value_or("");
    const bool optional = reference.boolean("optional").value_or(false);
    const ConfigSources::Values* const values = config.find(kind, pod.name_space, name);
    if (values == nullptr && !optional)
        notices.push_back({reference.path(), "not set, as no manifest given has this " + kind +
                                                 "; set variables for the supervisor, whose "
                                                 "environment containers inherit"});
    return values;
}

/// The value of one key of a ConfigMap or a Secret.
std::optional<std::string> read_key_ref(Fields reference, const std::string& kind,
                                        const PodSpec& pod, const ConfigSources& config,
                                        Notices& notices) {
    const std::string key = reference.text("key").value_or("");
    if (key.empty()) reference.errors().push_back(required(reference.path("key")));
    const auto* const values = read_source(reference, kind, pod, config, notices);
    if (values == nullptr || key.empty()) return std::nullopt;
    if (const auto found = values->find(key); found != values->end()) return found->second;
    if (!reference.boolean("optional").value_or(false))
        notices.push_back({reference.path(), "not set, as the " + kind + " has no such key"});
    return std::nullopt;
}

/// The value that env[].valueFrom refers to, if the supervisor supports it.
std::optional<std::string> read_value_from(Fields& variable, bool has_value, const PodSpec& pod,
                                           PodContext& context, Notices& notices) {
    const Json* json = variable.object("valueFrom");
    if (json == nullptr) return std::nullopt;
    Fields value_from{*json, variable.path("valueFrom"), variable.errors()};
    std::optional<std::string> value;
    std::size_t sources = 0;
    const auto read = [&](const char* name, auto read_reference) {
        const Json* const reference = value_from.object(name);
        if (reference == nullptr) return;
        ++sources;
        value = read_reference(Fields{*reference, value_from.path(name), variable.errors()});
    };
    read("fieldRef",
         [&](Fields fields) { return read_field_ref(std::move(fields), pod, context.budget); });
    for (const auto& [name, kind] :
         {std::pair{"configMapKeyRef", "ConfigMap"}, std::pair{"secretKeyRef", "Secret"}})
        read(name, [&, kind = kind](Fields fields) {
            return read_key_ref(std::move(fields), kind, pod, context.config, notices);
        });
    sources += value_from.others().size();
    if (sources == 1 && !has_value) {
        report_not_honoured(value_from, {}, notices);
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

/// The variables that a whole ConfigMap or Secret holds.
void read_env_from(Fields& from, const PodSpec& pod, PodContext& context, Environment& environment,
                   Notices& notices) {
    const std::string prefix = from.text("prefix").value_or("");
    std::size_t sources = 0;
    for (const auto& [name, kind] :
         {std::pair{"configMapRef", "ConfigMap"}, std::pair{"secretRef", "Secret"}}) {
        const Json* const json = from.object(name);
        if (json == nullptr) continue;
        ++sources;
        Fields reference{*json, from.path(name), from.errors()};
        if (reference.text("name").value_or("").empty())
            from.errors().push_back(required(reference.path("name")));
        const auto* const values = read_source(reference, kind, pod, context.config, notices);
        if (values == nullptr) continue;
        for (const auto& [key, value] : *values) {
            if (!context.budget.take(ExpansionBudget::each)) break;
            ConfigErrors unfit; // as in Kubernetes, such a key is passed over
            validate_env_name(prefix + key, "", unfit);
            validate_no_nul(value, "", unfit);
            if (unfit.empty()) environment.set(prefix + key, value);
        }
    }
    if (sources != 1)
        from.errors().push_back(
            invalid(from.path(), go_quoted(""),
                    sources == 0 ? "must specify one of: `configMapRef` or `secretRef`"
                                 : "may not have more than one field specified at a time"));
    report_not_honoured(from, {}, notices);
}

/// A container's variables have two forms in Kubernetes. The process gets all values, with
/// references to earlier variables expanded. Exec probes expand only plain values, as they are
/// written.
struct Environments {
    Environment resolved;
    Variables as_written = {};
};

Environments read_environment(Fields& container, const PodSpec& pod, double time_scale,
                              PodContext& context, Notices& notices) {
    Environments result{.resolved = Environment{context.budget}};
    std::array<char, 32> scale{};
    const auto end = std::to_chars(scale.data(), scale.data() + scale.size(), time_scale).ptr;
    result.resolved.set("PROBEKIT_TIME_SCALE", std::string(scale.data(), end));
    // Once nothing is left, what else is asked for is not looked at.
    for_each_object(container, "envFrom", [&](Fields& from) {
        if (context.budget.left == 0) return;
        read_env_from(from, pod, context, result.resolved, notices);
    });
    for_each_object(container, "env", [&](Fields& variable) {
        if (context.budget.left == 0) return;
        ConfigErrors& errors = variable.errors();
        const std::string name = variable.text("name").value_or("");
        if (name.empty())
            errors.push_back(required(variable.path("name")));
        else
            validate_env_name(name, variable.path("name"), errors);

        const std::string value = variable.text("value").value_or("");
        validate_no_nul(value, variable.path("value"), errors);
        result.as_written.insert_or_assign(name, value);
        std::optional<std::string> from =
            read_value_from(variable, !value.empty(), pod, context, notices);
        if (from) validate_no_nul(*from, variable.path("valueFrom"), errors);
        if (from)
            result.resolved.set(name, std::move(*from));
        else if (variable.find("valueFrom") == nullptr)
            result.resolved.set(name, result.resolved.expand(value));
        report_not_honoured(variable, {}, notices);
    });
    return result;
}

/// What --image gives for an image: for its whole name, or else without digest, or without tag.
const std::vector<std::string>* command_of(std::string_view image, const Options& options) {
    const std::string_view no_digest = image.substr(0, image.find('@'));
    const std::size_t colon = no_digest.rfind(':');
    // A colon before a slash is that of the registry's port.
    const bool tagged =
        colon != std::string_view::npos && no_digest.find('/', colon) == std::string_view::npos;
    for (const std::string_view name :
         {image, no_digest, tagged ? no_digest.substr(0, colon) : no_digest})
        if (const auto found = options.images.find(name); found != options.images.end())
            return &found->second;
    return nullptr;
}

/// The manifest's command, or else the one that --image gives, followed by the args.
std::vector<std::string> read_command(Fields& container, const std::string& image,
                                      const Options& options) {
    const std::size_t errors_before = container.errors().size();
    std::vector<std::string> command = container.texts("command");
    const std::vector<std::string> args = container.texts("args");
    for (const std::string& word : command)
        validate_no_nul(word, container.path("command"), container.errors());
    for (const std::string& word : args)
        validate_no_nul(word, container.path("args"), container.errors());
    if (command.empty() && !image.empty() && container.errors().size() == errors_before) {
        if (const auto* const mapped = command_of(image, options))
            command = *mapped;
        else if (options.simulate)
            command = {"true"};
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
        report_not_honoured(lifecycle, {}, context.notices);
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

    spec.ports = read_ports(fields, notices_);
    const Environments environments =
        read_environment(fields, pod_, options_.time_scale, context_, notices_);
    spec.environment = environments.resolved.entries();
    spec.command = environments.resolved.expand(std::move(spec.command));

    if (!spec.name.empty() && !names_.insert(spec.name).second)
        errors_.push_back(duplicate(fields.path("name"), spec.name));

    if (init && !spec.sidecar)
        forbid_handlers(fields);
    else
        read_handlers(fields,
                      {.container = spec,
                       .pod_ip = pod_.pod_ip,
                       .variables = environments.as_written,
                       .grace = pod_.termination_grace_period,
                       .notices = notices_,
                       .budget = context_.budget,
                       .simulated = options_.simulate},
                      spec);
    if (context_.budget.left == 0)
        errors_.push_back(
            {fields.path("env"), "Too long: the variables of all pods take more than 64 MiB"});
    if (!init) read_restart_policy(fields, pod_.restart_policy, spec);
    // These fields only matter where images are pulled and containers are made.
    report_not_honoured(fields,
                        {"imagePullPolicy", "terminationMessagePath", "terminationMessagePolicy"},
                        notices_);
    return spec;
}

} // namespace supervisor
