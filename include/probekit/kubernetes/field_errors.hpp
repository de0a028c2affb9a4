// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/go_text.hpp>

// Errors of fields in the words of a Kubernetes API server. message() is
// "<field>: <kind>[: <value>][: <detail>]".
namespace probekit::inline PROBEKIT_ABI::kubernetes {

/// A string as Go's %q prints it, for values in messages.

/// A field is missing that must be given.
/// \code
/// ConfigErrors errors{kubernetes::required("spec.containers", "must have at least one")};
/// \endcode
[[nodiscard]] inline ConfigError required(std::string field, std::string_view detail = {}) {
    std::string text = "Required value";
    if (!detail.empty()) text.append(": ").append(detail);
    return {std::move(field), std::move(text)};
}

/// A value breaks a rule. `value` is shown as it is: pass strings through go_quoted().
/// \code
/// ConfigErrors errors{kubernetes::invalid("spec.port", 0, "must be between 1 and 65535")};
/// \endcode
[[nodiscard]] inline ConfigError invalid(std::string field, std::string_view value,
                                         std::string_view detail) {
    std::string text = "Invalid value: ";
    text.append(value).append(": ").append(detail);
    return {std::move(field), std::move(text)};
}

[[nodiscard]] inline ConfigError invalid(std::string field, std::int64_t value,
                                         std::string_view detail) {
    return invalid(std::move(field), std::to_string(value), detail);
}

/// `value` is not one of the `supported` strings, which are listed in the given order.
/// \code
/// ConfigErrors errors{kubernetes::not_supported("spec.scheme", "ftp", {"HTTP", "HTTPS"})};
/// \endcode
[[nodiscard]] inline ConfigError not_supported(std::string field, std::string_view value,
                                               std::initializer_list<std::string_view> supported) {
    std::string text = "Unsupported value: " + go_quoted(value);
    std::string_view before = ": supported values: ";
    for (const std::string_view one : supported) {
        text.append(before).append(go_quoted(one));
        before = ", ";
    }
    return {std::move(field), std::move(text)};
}

/// The field must not be given here.
/// \code
/// ConfigErrors errors{kubernetes::forbidden("spec.tcpSocket", "may not be set with httpGet")};
/// \endcode
[[nodiscard]] inline ConfigError forbidden(std::string field, std::string_view detail) {
    return {std::move(field), std::string{"Forbidden: "}.append(detail)};
}

/// A value was used before in a list where each value may be used once.
/// \code
/// ConfigErrors errors{kubernetes::duplicate("spec.ports[1].name", "http")};
/// \endcode
[[nodiscard]] inline ConfigError duplicate(std::string field, std::string_view value) {
    return {std::move(field), "Duplicate value: " + go_quoted(value)};
}

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
