#include "manifest/handler_reader.hpp"

#include <chrono>
#include <cstdint>
#include <utility>
#include <variant>

#include <probekit/kubernetes/field_errors.hpp>
#include <probekit/kubernetes/ports.hpp>
#include <probekit/kubernetes/probe_json.hpp>

namespace supervisor {
namespace {

namespace kubernetes = probekit::kubernetes;

/// The port's name if the handler has one that the container does not declare. For the API server
/// that is none of its business; a kubelet then fails every time it is to use the handler.
std::optional<std::string> undeclared_port(const Json& handler, const ContainerSpec& container) {
    for (const char* kind : {"exec", "httpGet", "tcpSocket"}) {
        const Json action = handler.is_object() ? handler.value(kind, Json()) : Json();
        if (action.is_null()) continue;
        const Json port = action.is_object() ? action.value("port", Json()) : Json();
        if (!port.is_string()) return std::nullopt;
        const auto name = port.get<std::string>();
        probekit::ConfigErrors errors;
        if (!kubernetes::check_port_name(name, {}, errors)) return std::nullopt;
        for (const ContainerPort& declared : container.ports)
            if (declared.name == name) return std::nullopt;
        return name;
    }
    return std::nullopt;
}

struct Handler {
    kubernetes::ReadResult read = {};
    std::string cannot_ask = {};
};

/// Probes and hooks say what is to be done in the same form, so one reader serves both.
Handler read_handler(const Json& json, const std::string& field, probekit::ProbeKind kind,
                     probekit::ConfigErrors& errors, const HandlerContext& context) {
    kubernetes::ReadOptions options{.kind = kind, .field = field, .default_host = context.pod_ip};
    for (const ContainerPort& port : context.container.ports)
        if (!port.name.empty()) options.ports.emplace(port.name, port.number);
    Handler handler;
    if (const auto name = undeclared_port(json, context.container)) {
        handler.cannot_ask = "port " + probekit::go_quoted(*name) + " not found";
        options.ports.emplace(*name, std::uint16_t{1}); // never used: what cannot be asked is not
    }
    handler.read = kubernetes::read_probe(json, options);
    if (const auto* get = std::get_if<probekit::HttpGetAction>(&handler.read.action))
        if (get->scheme == probekit::HttpScheme::https && !speaks_https)
            handler.read.errors.push_back(
                kubernetes::forbidden(field + ".httpGet.scheme", "HTTPS is not built in"));
    errors.insert(errors.end(), handler.read.errors.begin(), handler.read.errors.end());
    context.ignored.insert(context.ignored.end(), handler.read.ignored.begin(),
                           handler.read.ignored.end());
    return handler;
}

/// Exec runs as if in the container: with its environment and working directory, unless the
/// manifest says otherwise.
void run_in_container(probekit::ExecAction& exec, const ContainerSpec& container) {
    exec.environment.insert(exec.environment.begin(), container.environment.begin(),
                            container.environment.end());
    if (exec.working_directory.empty()) exec.working_directory = container.working_directory;
}

std::optional<SleepAction> read_sleep(const Json& json, const std::string& field,
                                      probekit::ConfigErrors& errors,
                                      const HandlerContext& context) {
    Fields fields{json, field, errors};
    const std::int64_t seconds = fields.int64("seconds").value_or(0);
    const auto most = std::chrono::floor<std::chrono::seconds>(context.grace).count();
    if (seconds < 0 || seconds > most) {
        errors.push_back(kubernetes::invalid(
            field, seconds,
            "must be non-negative and less than terminationGracePeriodSeconds (" +
                std::to_string(most) + ")"));
        return std::nullopt;
    }
    return SleepAction{std::chrono::seconds{seconds}};
}

} // namespace

std::optional<ContainerProbe> read_container_probe(Fields& container, std::string_view name,
                                                   probekit::ProbeKind kind,
                                                   const HandlerContext& context) {
    const Json* json = container.find(name);
    if (json == nullptr) return std::nullopt;
    Handler handler = read_handler(*json, container.path(name), kind, container.errors(), context);
    if (auto* exec = std::get_if<probekit::ExecAction>(&handler.read.action)) {
        exec->command = context.as_written.expand(std::move(exec->command));
        run_in_container(*exec, context.container);
    }
    return ContainerProbe{std::move(handler.read.action), handler.read.spec,
                          std::move(handler.read.expect), std::move(handler.read.unix_socket),
                          std::move(handler.cannot_ask)};
}

std::optional<Hook> read_hook(Fields& lifecycle, std::string_view name,
                              const HandlerContext& context) {
    const Json* json = lifecycle.object(name);
    if (json == nullptr) return std::nullopt;
    const std::string field = lifecycle.path(name);

    // `sleep` is the one handler that probes do not have, and the last in order.
    Json others = *json;
    const Json sleep = others.value("sleep", Json());
    others.erase("sleep");
    bool has_other = false;
    for (const char* kind : {"exec", "httpGet", "tcpSocket"})
        has_other |= !others.value(kind, Json()).is_null();
    if (!sleep.is_null() && !has_other) {
        const auto action = read_sleep(sleep, field + ".sleep", lifecycle.errors(), context);
        return Hook{.action = action.value_or(SleepAction{})};
    }

    Handler handler =
        read_handler(others, field, probekit::ProbeKind::readiness, lifecycle.errors(), context);
    if (!sleep.is_null())
        lifecycle.errors().push_back(
            kubernetes::forbidden(field + ".sleep", "may not specify more than 1 handler type"));
    if (!handler.read.expect.empty())
        context.ignored.push_back(field + ".expect"); // a hook takes any answer
    Hook hook{.unix_socket = std::move(handler.read.unix_socket),
              .cannot_ask = std::move(handler.cannot_ask)};
    if (auto* exec = std::get_if<probekit::ExecAction>(&handler.read.action)) {
        run_in_container(*exec, context.container);
        hook.action = std::move(*exec);
    } else if (auto* get = std::get_if<probekit::HttpGetAction>(&handler.read.action)) {
        hook.action = std::move(*get);
    } else {
        // The API server still takes it, no kubelet carries it out.
        hook.cannot_ask = "invalid handler: tcpSocket";
    }
    return hook;
}

} // namespace supervisor
