#include "manifest/handler_reader.hpp"

#include <chrono>
#include <cstdint>
#include <tuple>
#include <utility>
#include <variant>

#include <probekit/core/actions.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/kubernetes/field_errors.hpp>
#include <probekit/kubernetes/handler.hpp>
#include <probekit/kubernetes/probe_json.hpp>

#include "manifest/json_path.hpp"

namespace supervisor {
namespace {

namespace kubernetes = probekit::kubernetes;
using probekit::ExecAction;
using probekit::GrpcAction;
using probekit::HttpGetAction;
using probekit::TcpSocketAction;

kubernetes::ReadOptions read_options(std::string field, const HandlerContext& context) {
    kubernetes::ReadOptions options{
        .field = std::move(field), .allow_undeclared_port = true, .default_host = context.pod_ip};
    for (const ContainerPort& port : context.container.ports)
        if (!port.name.empty()) options.ports.emplace(port.name, port.number);
    return options;
}

/// Reports the mistakes of a probe or a hook, what this supervisor cannot do, and the fields that
/// are not honoured. Returns why a kubelet could not carry out the handler, empty if it could.
template <class Reading>
std::string report(const Reading& reading, const probekit::ProbeAction& action,
                   const std::string& field, probekit::ConfigErrors& errors,
                   const HandlerContext& context) {
    errors.insert(errors.end(), reading.errors.begin(), reading.errors.end());
    const auto* const get = std::get_if<HttpGetAction>(&action);
    if (get != nullptr && get->scheme == probekit::HttpScheme::https && !speaks_https &&
        !context.simulated)
        errors.push_back(kubernetes::forbidden(field + ".httpGet.scheme", "HTTPS is not built in"));
    if (std::holds_alternative<GrpcAction>(action) && !context.simulated)
        errors.push_back(kubernetes::forbidden(field + ".grpc", "gRPC probes are not built in"));
    for (const std::string& path : reading.ignored) context.notices.push_back({path});
    if (!reading.undeclared_port) return {};
    return "port " + probekit::go_quoted(*reading.undeclared_port) + " not found";
}

/// A command runs with the container's environment and working directory, unless the manifest sets
/// others.
void run_in_container(probekit::ProbeAction& action, const ContainerSpec& container) {
    auto* const exec = std::get_if<ExecAction>(&action);
    if (exec == nullptr) return;
    exec->environment.insert(exec->environment.begin(), container.environment.begin(),
                             container.environment.end());
    if (exec->working_directory.empty()) exec->working_directory = container.working_directory;
}

probekit::Duration sleep_length(std::int64_t seconds, const std::string& field,
                                probekit::ConfigErrors& errors, const HandlerContext& context) {
    const auto most = std::chrono::floor<std::chrono::seconds>(context.grace).count();
    if (seconds >= 0 && seconds <= most) return std::chrono::seconds{seconds};
    errors.push_back(
        kubernetes::invalid(field, seconds,
                            "must be non-negative and less than terminationGracePeriodSeconds (" +
                                std::to_string(most) + ")"));
    return {};
}

/// Whether the budget suffices for the command of an exec probe once its $(VAR) are replaced.
bool can_be_expanded(const Json& probe, const HandlerContext& context) {
    const Json* const command = at(&probe, {"exec", "command"});
    if (command == nullptr || !command->is_array()) return true;
    bool enough = true;
    static const std::string nothing;
    for (const Json& word : *command)
        if (word.is_string())
            std::ignore = kubernetes::expand_variables(
                word.get_ref<const std::string&>(), [&](std::string_view name) {
                    const auto found = context.variables.find(name);
                    if (found != context.variables.end())
                        enough = enough && context.budget.take(found->second.size());
                    return &nothing;
                });
    return enough;
}

} // namespace

std::optional<ContainerProbe> read_container_probe(Fields& container, std::string_view name,
                                                   probekit::ProbeKind kind,
                                                   const HandlerContext& context) {
    const Json* const json = container.find(name);
    if (json == nullptr) return std::nullopt;
    kubernetes::ReadOptions options = read_options(container.path(name), context);
    options.kind = kind;
    if (can_be_expanded(*json, context)) options.variables = context.variables;
    kubernetes::ReadResult read = kubernetes::read_probe(*json, options);
    std::string cannot_ask =
        report(read, read.settings.action, options.field, container.errors(), context);
    run_in_container(read.settings.action, context.container);
    read.settings.options.http.user_agent = probekit::kubelet_user_agent(1, 35);
    return ContainerProbe{std::move(read.settings), std::move(cannot_ask)};
}

std::optional<Hook> read_hook(Fields& lifecycle, std::string_view name,
                              const HandlerContext& context) {
    const Json* const json = lifecycle.object(name);
    if (json == nullptr) return std::nullopt;
    const kubernetes::ReadOptions options = read_options(lifecycle.path(name), context);
    kubernetes::Handler read =
        kubernetes::read_handler(*json, options, kubernetes::HandlerOwner::hook);
    Hook hook{.cannot_ask = report(read, read.action, options.field, lifecycle.errors(), context)};
    if (read.sleep)
        hook.sleep =
            sleep_length(*read.sleep, options.field + ".sleep", lifecycle.errors(), context);
    // The API server still accepts tcpSocket hooks, but no kubelet carries them out.
    if (std::holds_alternative<TcpSocketAction>(read.action))
        hook.cannot_ask = "invalid handler: tcpSocket";
    run_in_container(read.action, context.container);
    read.options.http.user_agent = "kube-lifecycle/1.35";
    hook.settings = {.action = std::move(read.action), .options = std::move(read.options)};
    return hook;
}

} // namespace supervisor
