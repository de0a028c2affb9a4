// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <probekit/config.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/http_expectation.hpp>
#include <probekit/http/expectation.hpp>
#include <probekit/http/regex.hpp>
#include <probekit/kubernetes/detail/read_handler.hpp>
#include <probekit/kubernetes/detail/read_spec.hpp>
#include <probekit/kubernetes/field_errors.hpp>
#include <probekit/kubernetes/field_reader.hpp>
#include <probekit/kubernetes/json_expectation.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// 200, "200" or "200-299".
template <class Json>
[[nodiscard]] std::optional<http::StatusRange> read_status(const Json& value) {
    if (const auto number = kubernetes::as_integer<std::int16_t>(value))
        return http::StatusRange{*number};
    if (!value.is_string()) return std::nullopt;
    const auto& text = value.template get_ref<const std::string&>();
    http::StatusRange range;
    const char* const end = text.data() + text.size();
    auto [stopped, error] = std::from_chars(text.data(), end, range.first);
    range.last = range.first;
    if (error == std::errc{} && stopped != end && *stopped == '-') {
        const auto [last_stopped, last_error] = std::from_chars(stopped + 1, end, range.last);
        stopped = last_stopped;
        error = last_error;
    }
    return error == std::errc{} && stopped == end ? std::optional{range} : std::nullopt;
}

template <class Json>
void read_statuses(FieldReader<Json>& reader, http::Expectation& expectation) {
    const Json* const values = reader.array("status");
    if (values == nullptr) return;
    for (std::size_t i = 0; i != values->size(); ++i) {
        if (const auto range = read_status((*values)[i]))
            expectation.statuses.push_back(*range);
        else
            reader.errors().push_back(kubernetes::invalid(
                reader.path(indexed("status", i)), kubernetes::shown((*values)[i]),
                "must be a status like 200, or a range like \"200-299\""));
    }
}

template <class Json>
void read_body_bytes(FieldReader<Json>& reader, std::size_t& bytes) {
    const Json& value = *reader.find("body");
    if (const auto number = kubernetes::as_integer<std::size_t>(value))
        bytes = *number;
    else if (value == "whole")
        bytes = http::whole_body;
    else
        reader.errors().push_back(kubernetes::invalid(reader.path("body"), kubernetes::shown(value),
                                                      "must be a number of bytes or \"whole\""));
}

template <class Json>
[[nodiscard]] http::TextMatch read_match(FieldReader<Json>& reader) {
    if (const auto pointer = reader.text("jsonPointer")) {
        const Json* const value = reader.find("equals");
        return kubernetes::json_at(*pointer,
                                   value == nullptr ? nlohmann::json{} : nlohmann::json(*value));
    }
    if (const auto pattern = reader.text("matches")) return http::regex(*pattern);
    if (const auto part = reader.text("contains"))
        return {.kind = http::TextMatch::Kind::contains, .text = *part};
    if (const auto text = reader.text("equals"))
        return {.kind = http::TextMatch::Kind::equals, .text = *text};
    return {};
}

/// Replaces the names of members in a path by the names of the JSON's fields.
[[nodiscard]] inline std::string json_field(std::string field) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 4> names = {
        {{"statuses", "status"},
         {"body_bytes", "body"},
         {"at_most", "latency"},
         {"alternatives", "anyOf"}}};
    for (const auto& [from, to] : names)
        for (std::size_t at = 0; (at = field.find(from, at)) != std::string::npos; at += to.size())
            field.replace(at, from.size(), to);
    return field;
}

template <class Json>
void read_expectation_list(const Json& list, const std::string& field, const ReadContext& context,
                           ConfigErrors& errors, int levels,
                           std::vector<http::Expectation>& expectations);

template <class Json>
[[nodiscard]] http::Expectation read_expectation(FieldReader<Json>& reader,
                                                 const ReadContext& context, int levels) {
    http::Expectation expectation;
    constexpr std::array<std::pair<std::string_view, ExpectationSubject>, 5> subjects = {
        {{"status", ExpectationSubject::status},
         {"header", ExpectationSubject::header},
         {"body", ExpectationSubject::body},
         {"latency", ExpectationSubject::latency},
         {"anyOf", ExpectationSubject::any_of}}};
    int found = 0;
    for (const auto& [name, subject] : subjects) {
        if (reader.find(name) == nullptr) continue;
        expectation.subject = subject;
        ++found;
    }
    expectation.negated = reader.boolean("not").value_or(false);
    if (found != 1) {
        reader.errors().push_back(kubernetes::forbidden(
            reader.path(), "must have exactly one of status, header, body, latency, anyOf"));
        return expectation;
    }
    switch (expectation.subject) {
    case ExpectationSubject::status: read_statuses(reader, expectation); break;
    case ExpectationSubject::header:
        expectation.header = reader.text("header").value_or("");
        expectation.match = read_match(reader);
        break;
    case ExpectationSubject::body:
        read_body_bytes(reader, expectation.body_bytes);
        expectation.match = read_match(reader);
        break;
    case ExpectationSubject::latency:
        expectation.at_most = read_duration(reader, "latency").value_or(Duration{1});
        break;
    case ExpectationSubject::any_of:
        if (levels == 0)
            reader.errors().push_back(
                kubernetes::forbidden(reader.path("anyOf"), "stands in too many others"));
        else if (const Json* const list = reader.array("anyOf"))
            read_expectation_list(*list, reader.path("anyOf"), context, reader.errors(), levels - 1,
                                  expectation.alternatives);
        break;
    }
    return expectation;
}

template <class Json>
void read_expectation_list(const Json& list, const std::string& field, const ReadContext& context,
                           ConfigErrors& errors, int levels,
                           std::vector<http::Expectation>& expectations) {
    for (const Json& value : list) {
        FieldReader<Json> reader{value, indexed(field, expectations.size()), errors};
        const bool is_reported = !value.is_object() && !value.is_null();
        expectations.push_back(is_reported ? http::Expectation{}
                                           : read_expectation(reader, context, levels));
        context.report_unknown_fields(reader);
    }
}

/// Reads the field `expect` of a probe, which Kubernetes does not have, for HttpOptions::expect.
template <class Json>
void read_expectations(FieldReader<Json>& probe, const ReadContext& context,
                       std::vector<http::Expectation>& expectations) {
    constexpr int most_levels = 8;
    if (context.options.strict) return;
    const Json* const list = probe.array("expect");
    if (list == nullptr) return;
    if (probe.find("httpGet") == nullptr)
        probe.errors().push_back(
            kubernetes::forbidden(probe.path("expect"), "may only be set with httpGet"));
    const std::size_t before = probe.errors().size();
    read_expectation_list(*list, probe.path("expect"), context, probe.errors(), most_levels,
                          expectations);
    if (probe.errors().size() != before) return;
    for (ConfigError& error : http::validate(expectations))
        probe.errors().push_back(
            kubernetes::forbidden(probe.path(json_field(std::move(error.field))), error.detail));
}

} // namespace probekit::inline PROBEKIT_ABI::detail
