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

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/kubernetes/field_errors.hpp>
#include <probekit/kubernetes/field_reader.hpp>
#include <probekit/kubernetes/handler.hpp>
#include <probekit/kubernetes/ports.hpp>
#include <probekit/kubernetes/read_options.hpp>
#include <probekit/kubernetes/variables.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

using kubernetes::FieldReader;

/// What the readers of a probe's parts need to know, and where they list unknown fields.
struct ReadContext {
    const kubernetes::ReadOptions& options;
    std::vector<std::string>& ignored;

    /// Reports the fields that were never asked for. A strict reader never asks for a field that
    /// Kubernetes does not have.
    template <class Json>
    void report_unknown_fields(const FieldReader<Json>& fields) const {
        for (const std::string& name : fields.others()) {
            if (options.strict)
                fields.errors().push_back({fields.path(name), "unknown field"});
            else
                ignored.push_back(fields.path(name));
        }
    }
};

/// Reports what validate() says of an action that satisfies the API server, under the JSON's names
/// of the fields. The port is left out: read_port() has judged it.
template <class Json>
void report_own_rules(const ConfigErrors& errors, const FieldReader<Json>& fields) {
    for (const ConfigError& error : errors) {
        std::string field = error.field;
        if (field == "port") continue;
        if (field.starts_with("headers")) field.replace(0, 1, "httpH");
        if (field == "working_directory") field = "workingDirectory";
        if (field == "unix_socket") field = "unixSocket";
        fields.errors().push_back(kubernetes::forbidden(fields.path(field), error.detail));
    }
}

/// Reads the one handler of a probe or a hook. A second one is an error and is not looked into.
template <class Json>
class HandlerReader {
public:
    using Fields = FieldReader<Json>;

    HandlerReader(const ReadContext& context, kubernetes::Handler& handler)
        : context_(context), handler_(handler) {}

    void read(Fields& owner, kubernetes::HandlerOwner kind) {
        read_kind(owner, "exec", [&](Fields& exec) { return read_exec(exec); });
        read_kind(owner, "httpGet", [&](Fields& get) { return read_http_get(get); });
        read_kind(owner, "tcpSocket", [&](Fields& tcp) { return read_tcp_socket(tcp); });
        if (kind == kubernetes::HandlerOwner::hook)
            read_kind(owner, "sleep", [&](Fields& sleep) { read_sleep(sleep); });
        else
            read_kind(owner, "grpc", [&](Fields& grpc) { return read_grpc(grpc); });
        if (!found_)
            owner.errors().push_back(
                kubernetes::required(owner.path(), "must specify a handler type"));
    }

private:
    template <class Read>
    void read_kind(Fields& owner, std::string_view name, Read read) {
        const Json* const json = owner.find(name);
        if (json == nullptr) return;
        if (std::exchange(found_, true)) {
            owner.errors().push_back(kubernetes::forbidden(
                owner.path(name), "may not specify more than 1 handler type"));
            return;
        }
        Fields fields{*json, owner.path(name), owner.errors()};
        if (json->is_object()) read(fields);
        context_.report_unknown_fields(fields);
    }

    /// `errors_before`: how many errors there were before the action was read. The library's own
    /// rules only count for an action that satisfies the API server.
    template <class Action>
    void keep(Action action, const Fields& fields, std::size_t errors_before,
              std::string_view unix_socket = {}) {
        if (fields.errors().size() == errors_before) {
            ConfigErrors wrong = validate_at(action, unix_socket, true);
            validate_unix_socket(unix_socket, wrong);
            report_own_rules(wrong, fields);
        }
        handler_.action = std::move(action);
    }

    void read_exec(Fields& fields) {
        const std::size_t before = fields.errors().size();
        ExecAction action;
        action.command = fields.texts("command");
        if (action.command.empty() && fields.errors().size() == before)
            fields.errors().push_back(kubernetes::required(fields.path("command")));
        if (const auto& variables = context_.options.variables)
            for (std::string& word : action.command)
                word = kubernetes::expand_variables(word, *variables);
        if (!context_.options.strict) {
            action.environment = fields.texts("environment");
            action.inherit_environment = fields.boolean("inheritEnvironment").value_or(true);
            action.working_directory = fields.text("workingDirectory").value_or("");
        }
        keep(std::move(action), fields, before);
    }

    void read_http_get(Fields& fields) {
        const std::size_t before = fields.errors().size();
        std::string& unix_socket = handler_.options.http.unix_socket;
        HttpGetAction action;
        unix_socket = read_unix_socket(fields);
        if (std::string path = fields.text("path").value_or(""); !path.empty())
            action.path = std::move(path);
        action.port = read_port(fields, unix_socket);
        const std::string scheme = fields.text("scheme").value_or("");
        if (scheme == "HTTPS")
            action.scheme = HttpScheme::https;
        else if (!scheme.empty() && scheme != "HTTP")
            fields.errors().push_back(
                kubernetes::not_supported(fields.path("scheme"), scheme, {"HTTP", "HTTPS"}));
        read_headers(fields, action.headers);
        action.host = read_host(fields);
        handler_.options.http.any_host = true;
        keep(std::move(action), fields, before, unix_socket);
    }

    void read_tcp_socket(Fields& fields) {
        const std::size_t before = fields.errors().size();
        std::string& unix_socket = handler_.options.tcp.unix_socket;
        TcpSocketAction action;
        unix_socket = read_unix_socket(fields);
        action.port = read_port(fields, unix_socket);
        action.host = read_host(fields);
        handler_.options.tcp.any_host = true;
        keep(std::move(action), fields, before, unix_socket);
    }

    /// Kubernetes gives it neither a named port nor a host: it goes to the pod's address.
    void read_grpc(Fields& fields) {
        const std::size_t before = fields.errors().size();
        GrpcAction action;
        const std::int32_t port = fields.int32("port").value_or(0);
        if (fields.errors().size() == before &&
            kubernetes::validate_port_number(port, fields.path("port"), fields.errors()))
            action.port = static_cast<std::uint16_t>(port);
        action.service = fields.text("service").value_or("");
        action.host = context_.options.strict ? context_.options.default_host : read_host(fields);
        keep(std::move(action), fields, before);
    }

    void read_sleep(Fields& fields) { handler_.sleep = fields.int64("seconds").value_or(0); }

    /// A Unix-domain socket to connect to instead, which Kubernetes does not have. Empty: none.
    [[nodiscard]] std::string read_unix_socket(Fields& fields) const {
        return context_.options.strict ? std::string{} : fields.text("unixSocket").value_or("");
    }

    /// 0 after any error, and where there is a Unix-domain socket instead. Without one, a port that
    /// is not given counts as 0, as for the API server.
    [[nodiscard]] std::uint16_t read_port(Fields& fields, std::string_view unix_socket) {
        const Json* const value = fields.find("port");
        if (value == nullptr && !unix_socket.empty()) return 0;
        if (value != nullptr && value->is_string())
            return read_port_name(fields, value->template get_ref<const std::string&>());
        if (value != nullptr && !value->is_number_integer()) {
            fields.errors().push_back(kubernetes::invalid(
                fields.path("port"), kubernetes::shown(*value), "must be an integer or a string"));
            return 0;
        }
        std::int32_t number = 0;
        if (value != nullptr) {
            const std::optional<std::int32_t> given = fields.int32("port");
            if (!given) return 0;
            number = *given;
        }
        return kubernetes::validate_port_number(number, fields.path("port"), fields.errors())
                   ? static_cast<std::uint16_t>(number)
                   : std::uint16_t{0};
    }

    [[nodiscard]] std::uint16_t read_port_name(Fields& fields, const std::string& name) {
        const std::string field = fields.path("port");
        if (!kubernetes::validate_port_name(name, field, fields.errors())) return 0;
        const auto declared = context_.options.ports.find(name);
        if (declared != context_.options.ports.end()) return declared->second;
        handler_.undeclared_port = name;
        if (!context_.options.allow_undeclared_port) {
            const std::string shown = go_quoted(name);
            fields.errors().push_back(
                kubernetes::invalid(field, shown, "port " + shown + " not found"));
        }
        return 0;
    }

    [[nodiscard]] std::string read_host(Fields& fields) const {
        std::string host = fields.text("host").value_or("");
        return host.empty() ? context_.options.default_host : host;
    }

    void read_headers(Fields& fields, std::vector<HttpHeader>& headers) const {
        // The API server's error has no index in its path.
        const std::string field = fields.path("httpHeaders");
        const auto is_allowed = [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '-';
        };
        const Json* const values = fields.array("httpHeaders");
        if (values == nullptr) return;
        for (const Json& value : *values) {
            Fields header{value, indexed(field, headers.size()), fields.errors()};
            headers.push_back({.name = header.text("name").value_or(""),
                               .value = header.text("value").value_or("")});
            const std::string& name = headers.back().name;
            if (name.empty() || !std::ranges::all_of(name, is_allowed))
                fields.errors().push_back(kubernetes::invalid(
                    field, go_quoted(name),
                    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. "
                    "'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')"));
            context_.report_unknown_fields(header);
        }
    }

    const ReadContext& context_;
    kubernetes::Handler& handler_;
    bool found_ = false;
};

template <class Json>
void read_handler(FieldReader<Json>& owner, kubernetes::HandlerOwner kind,
                  const ReadContext& context, kubernetes::Handler& handler) {
    HandlerReader<Json>{context, handler}.read(owner, kind);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
