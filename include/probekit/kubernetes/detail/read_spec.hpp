// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <probekit/config.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/kubernetes/detail/read_handler.hpp>
#include <probekit/kubernetes/duration.hpp>
#include <probekit/kubernetes/field_errors.hpp>
#include <probekit/kubernetes/field_reader.hpp>
#include <probekit/kubernetes/read_options.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A duration ("250ms"), for fields that Kubernetes does not have.
template <class Json>
std::optional<Duration> read_duration(FieldReader<Json>& reader, std::string_view name) {
    const std::optional<std::string> text = reader.text(name);
    if (!text) return std::nullopt;
    const std::optional<Duration> duration = kubernetes::parse_duration(*text);
    if (!duration)
        reader.errors().push_back(kubernetes::invalid(
            reader.path(name), go_quoted(*text), "must be a duration like 1s, 250ms or 1m30s"));
    return duration;
}

/// A number that must not be negative. As in Kubernetes, 0 means the default.
template <class Json>
int read_count(FieldReader<Json>& reader, std::string_view name, int when_zero) {
    const std::int32_t value = reader.int32(name).value_or(0);
    if (value < 0)
        reader.errors().push_back(
            kubernetes::invalid(reader.path(name), value, "must be greater than or equal to 0"));
    return value == 0 ? when_zero : value;
}

/// Reads `NAMESeconds`, or the library's own `NAME` with a finer duration.
template <class Json>
void read_span(FieldReader<Json>& reader, const ReadContext& context, std::string_view name,
               Duration& span) {
    const std::string in_seconds = std::string{name} + "Seconds";
    const bool has_seconds = reader.find(in_seconds) != nullptr;
    const int seconds = read_count(reader, in_seconds, 0);
    if (seconds > 0) span = std::chrono::seconds{seconds};
    if (context.options.strict || reader.find(name) == nullptr) return;
    if (has_seconds)
        reader.errors().push_back(
            kubernetes::forbidden(reader.path(name), "may not be set together with " + in_seconds));
    else
        span = read_duration(reader, name).value_or(span);
}

template <class Json>
void read_grace(FieldReader<Json>& reader, const ReadContext& context, ProbeSpec& spec) {
    constexpr std::string_view in_seconds = "terminationGracePeriodSeconds";
    constexpr std::int64_t most = std::chrono::floor<std::chrono::seconds>(Duration::max()).count();
    const std::optional<std::int64_t> seconds = reader.int64(in_seconds);
    if (seconds && *seconds <= 0)
        reader.errors().push_back(
            kubernetes::invalid(reader.path(in_seconds), *seconds, "must be greater than 0"));
    else if (seconds && *seconds > most)
        reader.errors().push_back(
            kubernetes::invalid(reader.path(in_seconds), *seconds,
                                "must be less than or equal to " + std::to_string(most)));
    else if (seconds)
        spec.termination_grace_period = std::chrono::seconds{*seconds};
    if (context.options.strict) return;
    constexpr std::string_view finer = "terminationGracePeriod";
    if (reader.find(finer) != nullptr && reader.find(in_seconds) != nullptr)
        reader.errors().push_back(kubernetes::forbidden(
            reader.path(finer), "may not be set together with terminationGracePeriodSeconds"));
    else if (const std::optional<Duration> grace = read_duration(reader, finer))
        spec.termination_grace_period = grace;
}

template <class Json>
void read_pacing(FieldReader<Json>& probe, const ReadContext& context, Pacing& pacing) {
    const Json* found = probe.object("pacing");
    if (found == nullptr) return;
    FieldReader<Json> reader{*found, probe.path("pacing"), probe.errors()};
    const std::string cadence = reader.text("cadence").value_or("grid");
    if (cadence == "targetStart")
        pacing.cadence = Cadence::target_start;
    else if (cadence != "grid")
        reader.errors().push_back(
            kubernetes::not_supported(reader.path("cadence"), cadence, {"grid", "targetStart"}));
    pacing.spread = read_duration(reader, "spread").value_or(Duration{});
    pacing.jitter = read_duration(reader, "jitter").value_or(Duration{});
    pacing.slack = read_duration(reader, "slack");
    if (const Json* seed = reader.find("seed")) {
        if (const auto value = kubernetes::as_integer<std::uint64_t>(*seed))
            pacing.seed = *value;
        else
            reader.errors().push_back(kubernetes::invalid(reader.path("seed"),
                                                          kubernetes::shown(*seed),
                                                          "must be a 64 bit integer without sign"));
    }
    context.report_unknown_fields(reader);
}

/// Reports the library's own rules for a spec, under the JSON's names of the fields.
template <class Json>
void report_own_rules(const ProbeSpec& spec, const FieldReader<Json>& reader) {
    for (const ConfigError& error : validate(spec)) {
        std::string field = error.field;
        if (field == "termination_grace_period") field = "terminationGracePeriod";
        if (field == "error_threshold") field = "errorThreshold";
        reader.errors().push_back(kubernetes::forbidden(reader.path(field), error.detail));
    }
}

/// Reads the timing fields in the order in which the API server validates them.
template <class Json>
void read_spec(FieldReader<Json>& reader, const ReadContext& context, ProbeSpec& spec) {
    const std::size_t before = reader.errors().size();
    spec.kind = context.options.kind;
    read_span(reader, context, "initialDelay", spec.initial_delay);
    read_span(reader, context, "timeout", spec.timeout);
    read_span(reader, context, "period", spec.period);
    spec.success_threshold = read_count(reader, "successThreshold", 1);
    spec.failure_threshold = read_count(reader, "failureThreshold", 3);
    spec.error_threshold = 0; // Kubernetes' rule
    read_grace(reader, context, spec);
    if (context.options.kind == ProbeKind::readiness) {
        if (const Json* grace = reader.find("terminationGracePeriodSeconds"))
            reader.errors().push_back(kubernetes::invalid(
                reader.path("terminationGracePeriodSeconds"), kubernetes::shown(*grace),
                "must not be set for readinessProbes"));
    } else if (spec.success_threshold != 1) {
        reader.errors().push_back(kubernetes::invalid(reader.path("successThreshold"),
                                                      spec.success_threshold, "must be 1"));
    }
    if (context.options.strict) return;
    spec.error_threshold = read_count(reader, "errorThreshold", 0);
    spec.error_threshold_local = reader.boolean("errorThresholdLocal").value_or(false);
    read_pacing(reader, context, spec.pacing);
    if (reader.errors().size() == before) report_own_rules(spec, reader);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
