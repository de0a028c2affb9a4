// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/http_expectation.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/kubernetes/detail/parse_json.hpp>
#include <probekit/kubernetes/detail/read_action.hpp>
#include <probekit/kubernetes/detail/read_expectations.hpp>
#include <probekit/kubernetes/detail/read_spec.hpp>
#include <probekit/kubernetes/detail/write_expectations.hpp>
#include <probekit/kubernetes/detail/write_probe.hpp>
#include <probekit/kubernetes/field_reader.hpp>
#include <probekit/kubernetes/grpc_action.hpp>
#include <probekit/kubernetes/read_options.hpp>

namespace probekit::inline PROBEKIT_ABI::kubernetes {

/// What read_probe() made of a JSON value. True if there was nothing wrong; else `errors` says
/// everything that was, and action and spec hold what could be understood.
struct ReadResult {
    ProbeAction action = {};
    ProbeSpec spec = {};
    /// In the API server's order and words. `field` is ReadOptions::field followed by
    /// ".httpGet.port" or the like, so message() is "spec.containers[0].livenessProbe.httpGet.port:
    /// Invalid value: 0: must be between 1 and 65535, inclusive".
    ConfigErrors errors = {};
    /// Full paths of the fields that are not known and were passed over; with ReadOptions::strict
    /// they are errors.
    std::vector<std::string> ignored = {};
    /// Of an httpGet probe, beyond what Kubernetes can say: for HttpOptions::expect.
    std::vector<http::Expectation> expect = {};
    /// Of an httpGet or tcpSocket probe: for HttpOptions::unix_socket or TcpOptions::unix_socket.
    std::string unix_socket = {};
    /// The settings of a grpc probe. There is always an error with it, since no such probe is built
    /// in.
    std::optional<GrpcAction> grpc = {};

    [[nodiscard]] explicit operator bool() const noexcept { return errors.empty(); }
};

/// Reads a Kubernetes Probe object: exec, httpGet, tcpSocket and the timing fields, with
/// Kubernetes' defaults (0 and null count as not given there) and rules. What this library needs
/// beyond those, it refuses in the same form: a port name that ReadOptions::ports does not have, a
/// header that would break the request, grpc, which is not built in. Where ReadOptions::strict is
/// not set it also understands fields that Kubernetes does not have:
///   initialDelay, timeout, period, terminationGracePeriod   durations as Go writes them ("250ms"),
///   instead of the field in seconds pacing: {cadence: grid|targetStart, spread, jitter, seed}
///   exec: {environment, inheritEnvironment, workingDirectory}
///   httpGet, tcpSocket: {unixSocket}: a path, or "@name" for an abstract one; port may then be
///   left out expect, beside httpGet: a list of what its answer has to be, each an object with
///   "not", if it must not be so, and one of
///     status: [200, "300-399"]   latency: 200ms   anyOf: [...]   header: X-Name   body: bytes, or
///     whole the last two with nothing more (it is there) or one of equals, contains, matches (a
///     regular expression), or jsonPointer and equals (any JSON)
/// Never throws for what the JSON says.
[[nodiscard]] inline ReadResult read_probe(const nlohmann::json& probe,
                                           const ReadOptions& options = {}) {
    ReadResult result;
    FieldReader<nlohmann::json> reader{probe, options.field, result.errors};
    const detail::ReadContext context{options, result.ignored};
    detail::read_action(reader, context, result.action, result.unix_socket, result.grpc);
    detail::read_spec(reader, context, result.spec);
    detail::read_expectations(reader, context, result.expect);
    context.note_others(reader);
    return result;
}

/// The same from JSON text. What is wrong with the text itself is an error too, at its field: no
/// JSON ("is not valid JSON: parse error at line 1, column 5: ..."), a name given twice in one
/// object ("duplicate field"), too many levels.
[[nodiscard]] inline ReadResult parse_probe(std::string_view text,
                                            const ReadOptions& options = {}) {
    ConfigErrors errors;
    detail::JsonText json{options.field, errors};
    if (!json.parse(text)) return {.errors = std::move(errors)};
    ReadResult result = read_probe(json.value(), options);
    result.errors.insert(result.errors.begin(), errors.begin(), errors.end());
    return result;
}

/// The Kubernetes Probe object for an action and a spec, as the API server shows it: defaults
/// written out, fields in its order. What Kubernetes cannot say stands in the fields named at
/// read_probe(), which gives back the same values. All must be valid (`validate`), and texts UTF-8;
/// a host filled in from ReadOptions::default_host is written as any other. Matchers of one's own
/// cannot be written.
[[nodiscard]] inline nlohmann::ordered_json write_probe(
    const ProbeAction& action, const ProbeSpec& spec,
    const std::vector<http::Expectation>& expect = {}, const std::string& unix_socket = {}) {
    nlohmann::ordered_json probe = nlohmann::ordered_json::object();
    detail::write_action(action, unix_socket, probe);
    if (!expect.empty()) probe["expect"] = detail::written(expect);
    detail::write_spec(spec, probe);
    return probe;
}

[[nodiscard]] inline nlohmann::ordered_json write_probe(const GrpcAction& action,
                                                        const ProbeSpec& spec) {
    nlohmann::ordered_json probe = nlohmann::ordered_json::object();
    detail::write_handler(action, probe);
    detail::write_spec(spec, probe);
    return probe;
}

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
