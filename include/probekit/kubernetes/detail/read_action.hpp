// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/error.hpp>
#include <probekit/kubernetes/field_errors.hpp>
#include <probekit/kubernetes/field_reader.hpp>
#include <probekit/kubernetes/grpc_action.hpp>
#include <probekit/kubernetes/ports.hpp>
#include <probekit/kubernetes/read_options.hpp>
#include <probekit/kubernetes/variables.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

using JsonFields = kubernetes::FieldReader<nlohmann::json>;

/// What the readers of a probe's parts are told, and where they list the fields that they do not
/// know.
struct ReadContext {
    const kubernetes::ReadOptions& options;
    std::vector<std::string>& ignored;

    /// Fields that nobody asked for. Where it is strict that was asked for nothing but what
    /// Kubernetes has.
    void note_others(const JsonFields& reader) const {
        for (const std::string& name : reader.others()) {
            if (options.strict)
                reader.errors().push_back({reader.path(name), "unknown field"});
            else
                ignored.push_back(reader.path(name));
        }
    }
};

/// Notes what validate() says of an action that satisfied the API server, its field names made the
/// JSON's.
inline void note_own_rules(const ConfigErrors& errors, const JsonFields& reader) {
    for (const ConfigError& error : errors) {
        std::string field = error.field;
        if (field.starts_with("headers")) field.replace(0, 1, "httpH");
        if (field.starts_with("working_directory")) field = "workingDirectory";
        if (field == "unix_socket") field = "unixSocket";
        reader.errors().push_back(kubernetes::forbidden(reader.path(field), error.detail));
    }
}

/// A Unix-domain socket to connect to instead, which Kubernetes does not have. Empty: none.
[[nodiscard]] inline std::string read_unix_socket(JsonFields& reader, const ReadContext& context) {
    return context.options.strict ? std::string{} : reader.text("unixSocket").value_or("");
}

/// A port as number or name; 0 after any error. Not given counts as 0, as for the API server.
inline std::uint16_t read_port(JsonFields& reader, const ReadContext& context,
                               std::string_view unix_socket) {
    const std::string field = reader.path("port");
    ConfigErrors& errors = reader.errors();
    const nlohmann::json* value = reader.find("port");
    if (value == nullptr && !unix_socket.empty()) return 0; // it has none
    if (value != nullptr && value->is_string()) {
        const auto& name = value->get_ref<const std::string&>();
        if (!kubernetes::check_port_name(name, field, errors)) return 0;
        const auto found = context.options.ports.find(name);
        if (found != context.options.ports.end()) return found->second;
        const std::string shown = go_quoted(name);
        errors.push_back(kubernetes::invalid(field, shown, "port " + shown + " not found"));
        return 0;
    }
    if (value != nullptr && !value->is_number_integer()) {
        errors.push_back(kubernetes::invalid(field, kubernetes::shown(*value),
                                             "must be an integer or a string"));
        return 0;
    }
    std::int32_t number = 0;
    if (value != nullptr) {
        const std::optional<std::int32_t> given = reader.int32("port");
        if (!given) return 0;
        number = *given;
    }
    return kubernetes::check_port_number(number, field, errors) ? static_cast<std::uint16_t>(number)
                                                                : std::uint16_t{0};
}

inline std::string read_host(JsonFields& reader, const ReadContext& context) {
    std::string host = reader.text("host").value_or("");
    return host.empty() ? context.options.default_host : host;
}

inline void read_headers(JsonFields& reader, const ReadContext& context,
                         std::vector<HttpHeader>& headers) {
    // Without an index in the path: so the API server words it.
    const std::string field = reader.path("httpHeaders");
    const auto is_allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-';
    };
    const nlohmann::json* values = reader.array("httpHeaders");
    if (values == nullptr) return;
    for (const nlohmann::json& value : *values) {
        JsonFields header{value, field + "[" + std::to_string(headers.size()) + "]",
                          reader.errors()};
        headers.push_back(
            {.name = header.text("name").value_or(""), .value = header.text("value").value_or("")});
        const std::string& name = headers.back().name;
        if (name.empty() || !std::ranges::all_of(name, is_allowed))
            reader.errors().push_back(
                kubernetes::invalid(field, go_quoted(name),
                                    "a valid HTTP header must consist of alphanumeric characters "
                                    "or '-' (e.g. 'X-Header-Name', regex used "
                                    "for validation is '[-A-Za-z0-9]+')"));
        context.note_others(header);
    }
}

[[nodiscard]] inline ExecAction read_exec(JsonFields& reader, const ReadContext& context) {
    ExecAction action;
    action.command = reader.texts("command");
    if (action.command.empty())
        reader.errors().push_back(kubernetes::required(reader.path("command")));
    if (const auto& variables = context.options.variables)
        for (std::string& word : action.command)
            word = kubernetes::expand_variables(word, *variables);
    if (context.options.strict) return action;
    action.environment = reader.texts("environment");
    action.inherit_environment = reader.boolean("inheritEnvironment").value_or(true);
    action.working_directory = reader.text("workingDirectory").value_or("");
    return action;
}

[[nodiscard]] inline HttpGetAction read_http_get(JsonFields& reader, const ReadContext& context,
                                                 std::string_view unix_socket) {
    HttpGetAction action;
    if (std::string path = reader.text("path").value_or(""); !path.empty())
        action.path = std::move(path);
    action.port = read_port(reader, context, unix_socket);
    const std::string scheme = reader.text("scheme").value_or("");
    if (scheme == "HTTPS")
        action.scheme = HttpScheme::https;
    else if (!scheme.empty() && scheme != "HTTP")
        reader.errors().push_back(
            kubernetes::not_supported(reader.path("scheme"), scheme, {"HTTP", "HTTPS"}));
    read_headers(reader, context, action.headers);
    action.host = read_host(reader, context);
    return action;
}

[[nodiscard]] inline TcpSocketAction read_tcp_socket(JsonFields& reader, const ReadContext& context,
                                                     std::string_view unix_socket) {
    TcpSocketAction action;
    action.port = read_port(reader, context, unix_socket);
    action.host = read_host(reader, context);
    return action;
}

/// Known, so that its mistakes are named too, but no probe of this library can be made of it.
[[nodiscard]] inline kubernetes::GrpcAction read_grpc(JsonFields& reader) {
    kubernetes::GrpcAction action;
    const std::size_t before = reader.errors().size();
    const std::int32_t port = reader.int32("port").value_or(0);
    if (reader.errors().size() == before &&
        kubernetes::check_port_number(port, reader.path("port"), reader.errors()))
        action.port = static_cast<std::uint16_t>(port);
    action.service = reader.text("service").value_or("");
    reader.errors().push_back(kubernetes::forbidden(reader.path(), "gRPC probes are not built in"));
    return action;
}

/// The handler of a Probe: exactly one of exec, httpGet, tcpSocket and grpc. A second one is not
/// looked into.
inline void read_action(JsonFields& reader, const ReadContext& context, ProbeAction& action,
                        std::string& unix_socket, std::optional<kubernetes::GrpcAction>& grpc) {
    bool taken = false;
    const auto handler = [&](std::string_view name, auto read) {
        const nlohmann::json* found = reader.find(name);
        if (found == nullptr) return;
        if (std::exchange(taken, true)) {
            reader.errors().push_back(kubernetes::forbidden(
                reader.path(name), "may not specify more than 1 handler type"));
            return;
        }
        JsonFields fields{*found, reader.path(name), reader.errors()};
        if (found->is_object()) read(fields);
        context.note_others(fields);
    };
    handler("exec", [&](JsonFields& fields) {
        const std::size_t before = fields.errors().size();
        ExecAction exec = read_exec(fields, context);
        if (fields.errors().size() == before) note_own_rules(validate(exec), fields);
        action = std::move(exec);
    });
    const auto dialled = [&](auto read) {
        return [&, read](JsonFields& fields) {
            const std::size_t before = fields.errors().size();
            unix_socket = read_unix_socket(fields, context);
            auto read_one = read(fields, context, unix_socket);
            ConfigErrors wrong = validate_at(read_one, unix_socket);
            validate_unix_socket(unix_socket, wrong);
            if (fields.errors().size() == before) note_own_rules(wrong, fields);
            action = std::move(read_one);
        };
    };
    handler("httpGet", dialled(read_http_get));
    handler("tcpSocket", dialled(read_tcp_socket));
    handler("grpc", [&grpc](JsonFields& fields) { grpc = read_grpc(fields); });
    if (!taken)
        reader.errors().push_back(
            kubernetes::required(reader.path(), "must specify a handler type"));
}

} // namespace probekit::inline PROBEKIT_ABI::detail
