// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <probekit/config.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/probe_settings.hpp>
#include <probekit/kubernetes/detail/read_expectations.hpp>
#include <probekit/kubernetes/detail/read_handler.hpp>
#include <probekit/kubernetes/detail/read_spec.hpp>
#include <probekit/kubernetes/detail/write_expectations.hpp>
#include <probekit/kubernetes/detail/write_probe.hpp>
#include <probekit/kubernetes/field_reader.hpp>
#include <probekit/kubernetes/handler.hpp>
#include <probekit/kubernetes/parse_json.hpp>
#include <probekit/kubernetes/read_options.hpp>

namespace probekit::inline PROBEKIT_ABI::kubernetes {

/// What read_probe() made of a JSON value. True if nothing was wrong; else `errors` lists all
/// mistakes, and `settings` hold what could be understood.
struct ReadResult {
    /// Holds only the options that JSON can say: see Handler::options.
    ProbeSettings settings = {};
    std::optional<std::string> undeclared_port = {}; ///< as Handler::undeclared_port
    /// In the API server's order and words. `field` is ReadOptions::field followed by
    /// ".httpGet.port" or the like, so message() is "spec.containers[0].livenessProbe.httpGet.port:
    /// Invalid value: 0: must be between 1 and 65535, inclusive".
    ConfigErrors errors = {};
    std::vector<std::string> ignored = {}; ///< as Handler::ignored

    [[nodiscard]] explicit operator bool() const noexcept { return errors.empty(); }
};

/// Reads a Kubernetes Probe object: exec, httpGet, tcpSocket or grpc and the timing fields, with
/// Kubernetes' defaults (there, 0 and null count as not given) and rules. What this library needs
/// beyond those rules is reported in the same form: a port name that ReadOptions::ports does not
/// have, a header that would break the request. Never throws for what the JSON says.
/// \code
/// // given: const nlohmann::json& container
/// const kubernetes::ReadResult read = kubernetes::read_probe(
///     container["livenessProbe"], {.kind = ProbeKind::liveness, .ports = {{"web", 8080}}});
/// for (const ConfigError& error : read.errors) std::cerr << error.message() << '\n';
/// if (!read) return;
/// ProbeWorker worker{make_probe(io.get_executor(), read.settings), read.settings.spec};
/// \endcode
///
/// Unless ReadOptions::strict is set, it also understands fields that Kubernetes does not have:
///
/// - `initialDelay`, `timeout`, `period`, `terminationGracePeriod`: durations as Go writes them
///   ("250ms"), instead of the field in seconds;
/// - `errorThreshold` (without it 0: never) and `errorThresholdLocal`, as in ProbeSpec;
/// - `pacing: {cadence: grid|targetStart, spread, jitter, slack, seed}`;
/// - `exec: {environment, inheritEnvironment, workingDirectory}`;
/// - `httpGet`, `tcpSocket`: `{unixSocket}`, a path, or "@name" for an abstract socket. The port
///   may then be left out;
/// - `grpc: {host}`;
/// - `expect`, beside httpGet: a list of what the response has to be. Each element is an object
///   with "not", if it is to be negated, and one of `status: [200, "300-399"]`, `latency: 200ms`,
///   `anyOf: [...]`, `header: X-Name`, `body: bytes` or `body: whole`. The last two stand alone (it
///   is there) or with one of equals, contains, matches (a regular expression), or jsonPointer and
///   equals (any JSON).
///
/// `Json`: nlohmann::json or nlohmann::ordered_json.
template <class Json>
[[nodiscard]] ReadResult read_probe(const Json& probe, const ReadOptions& options = {}) {
    Handler handler;
    ProbeSpec spec;
    FieldReader<Json> fields{probe, options.field, handler.errors};
    const detail::ReadContext context{options, handler.ignored};
    detail::read_handler(fields, HandlerOwner::probe, context, handler);
    detail::read_spec(fields, context, spec);
    detail::read_expectations(fields, context, handler.options.http.expect);
    context.report_unknown_fields(fields);
    return {.settings = {.action = std::move(handler.action),
                         .options = std::move(handler.options),
                         .spec = spec},
            .undeclared_port = std::move(handler.undeclared_port),
            .errors = std::move(handler.errors),
            .ignored = std::move(handler.ignored)};
}

/// Reads the handler alone, of a lifecycle hook or of a Probe whose timing does not matter. Rules
/// and fields are those of read_probe(). Timing fields, and `expect` for a hook, count as unknown.
/// \code
/// // given: const nlohmann::json& lifecycle, std::vector<AnyProbe>& hooks
/// const kubernetes::Handler read = kubernetes::read_handler(
///     lifecycle["preStop"], {.field = "preStop"}, kubernetes::HandlerOwner::hook);
/// for (const std::string& field : read.ignored) std::cerr << field << ": not honoured\n";
/// if (read && !read.sleep)
///     hooks.push_back(make_probe(io.get_executor(), read.action, read.options));
/// \endcode
template <class Json>
[[nodiscard]] Handler read_handler(const Json& object, const ReadOptions& options = {},
                                   HandlerOwner owner = HandlerOwner::probe) {
    Handler handler;
    FieldReader<Json> fields{object, options.field, handler.errors};
    const detail::ReadContext context{options, handler.ignored};
    detail::read_handler(fields, owner, context, handler);
    if (owner == HandlerOwner::probe)
        detail::read_expectations(fields, context, handler.options.http.expect);
    context.report_unknown_fields(fields);
    return handler;
}

/// read_probe() from JSON text. What parse_json() reports comes first among the errors.
[[nodiscard]] inline ReadResult parse_probe(std::string_view text,
                                            const ReadOptions& options = {}) {
    ConfigErrors errors;
    const auto probe = parse_json(text, options.field, errors);
    if (!probe) return {.errors = std::move(errors)};
    ReadResult result = read_probe(*probe, options);
    result.errors.insert(result.errors.begin(), errors.begin(), errors.end());
    return result;
}

/// The Kubernetes Probe object for a probe's settings, as the API server shows it: defaults written
/// out, fields in its order. What Kubernetes cannot say stands in the fields named at read_probe(),
/// which gives back the same values. It writes only the options named at Handler::options.
///
/// The settings must be valid, and texts UTF-8. A host filled in from ReadOptions::default_host is
/// written as any other. A matcher of your own cannot be written.
/// \code
/// const ProbeSettings settings{.action = TcpSocketAction{.port = 80}};
/// std::cout << kubernetes::write_probe(settings).dump(2) << '\n';
/// \endcode
[[nodiscard]] inline nlohmann::ordered_json write_probe(const ProbeSettings& settings) {
    nlohmann::ordered_json probe = nlohmann::ordered_json::object();
    std::visit([&](const auto& action) { detail::write_handler(action, settings.options, probe); },
               settings.action);
    if (std::holds_alternative<HttpGetAction>(settings.action) &&
        !settings.options.http.expect.empty())
        probe["expect"] = detail::written(settings.options.http.expect);
    detail::write_spec(settings.spec, probe);
    return probe;
}

[[nodiscard]] inline nlohmann::ordered_json write_probe(const ProbeAction& action,
                                                        const ProbeSpec& spec = {}) {
    return write_probe({.action = action, .spec = spec});
}

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
