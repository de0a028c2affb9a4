// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <variant>

#include <nlohmann/json.hpp>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/core/probe_settings.hpp>
#include <probekit/core/probe_spec.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

inline void write_handler(const ExecAction& action, const ProbeOptions&,
                          nlohmann::ordered_json& probe) {
    nlohmann::ordered_json& out = probe["exec"];
    out["command"] = action.command;
    if (!action.environment.empty()) out["environment"] = action.environment;
    if (!action.inherit_environment) out["inheritEnvironment"] = false;
    if (!action.working_directory.empty()) out["workingDirectory"] = action.working_directory;
}

/// Writes where to connect. A target with a Unix-domain socket may have no port.
inline void write_place(std::uint16_t port, const std::string& unix_socket,
                        nlohmann::ordered_json& out) {
    if (port != 0 || unix_socket.empty()) out["port"] = port;
    if (!unix_socket.empty()) out["unixSocket"] = unix_socket;
}

inline void write_handler(const HttpGetAction& action, const ProbeOptions& options,
                          nlohmann::ordered_json& probe) {
    nlohmann::ordered_json& out = probe["httpGet"];
    out["path"] = action.path.empty() ? "/" : action.path;
    write_place(action.port, options.http.unix_socket, out);
    if (!action.host.empty()) out["host"] = action.host;
    out["scheme"] = action.scheme == HttpScheme::https ? "HTTPS" : "HTTP";
    for (const HttpHeader& header : action.headers)
        out["httpHeaders"].push_back({{"name", header.name}, {"value", header.value}});
}

inline void write_handler(const TcpSocketAction& action, const ProbeOptions& options,
                          nlohmann::ordered_json& probe) {
    nlohmann::ordered_json& out = probe["tcpSocket"];
    write_place(action.port, options.tcp.unix_socket, out);
    if (!action.host.empty()) out["host"] = action.host;
}

inline void write_handler(const GrpcAction& action, const ProbeOptions&,
                          nlohmann::ordered_json& probe) {
    nlohmann::ordered_json& out = probe["grpc"];
    out["port"] = action.port;
    out["service"] = action.service; // the API server writes an empty one too
    if (!action.host.empty()) out["host"] = action.host;
}

/// Writes whole seconds to the field of Kubernetes if it can hold them, else the library's field.
inline void write_span(nlohmann::ordered_json& out, const std::string& name, Duration span,
                       std::int64_t most_seconds) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span);
    if (seconds == span && seconds.count() <= most_seconds)
        out[name + "Seconds"] = seconds.count();
    else
        out[name] = go_duration(span);
}

inline void write_pacing(const Pacing& pacing, nlohmann::ordered_json& probe) {
    if (pacing == Pacing{}) return;
    nlohmann::ordered_json& out = probe["pacing"];
    if (pacing.cadence == Cadence::target_start) out["cadence"] = "targetStart";
    if (pacing.spread != Duration{}) out["spread"] = go_duration(pacing.spread);
    if (pacing.jitter != Duration{}) out["jitter"] = go_duration(pacing.jitter);
    if (pacing.slack) out["slack"] = go_duration(*pacing.slack);
    if (pacing.seed != 0) out["seed"] = pacing.seed;
}

inline void write_spec(const ProbeSpec& spec, nlohmann::ordered_json& out) {
    constexpr std::int64_t int32_max = std::numeric_limits<std::int32_t>::max();
    if (spec.initial_delay != Duration{})
        write_span(out, "initialDelay", spec.initial_delay, int32_max);
    write_span(out, "timeout", spec.timeout, int32_max);
    write_span(out, "period", spec.period, int32_max);
    out["successThreshold"] = spec.success_threshold;
    out["failureThreshold"] = spec.failure_threshold;
    if (spec.error_threshold != 0) out["errorThreshold"] = spec.error_threshold;
    if (spec.error_threshold_local) out["errorThresholdLocal"] = true;
    if (spec.termination_grace_period)
        write_span(out, "terminationGracePeriod", *spec.termination_grace_period,
                   std::numeric_limits<std::int64_t>::max());
    write_pacing(spec.pacing, out);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
