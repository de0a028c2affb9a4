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

// The words in which a Kubernetes API server says what is wrong with a field: "<field>: <kind>[:
// <value>][: <detail>]".
namespace probekit::inline PROBEKIT_ABI::kubernetes {

/// A string as Go's %q prints it, for values in messages.

/// A field that must be given was not.
[[nodiscard]] inline ConfigError required(std::string field, std::string_view detail = {}) {
    std::string text = "Required value";
    if (!detail.empty()) text.append(": ").append(detail);
    return {std::move(field), std::move(text)};
}

/// `value` as it is to be shown: strings go_quoted(), numbers plain.
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

/// `value` is none of the strings there are; they are listed in the order given.
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

/// The field may not be given here at all.
[[nodiscard]] inline ConfigError forbidden(std::string field, std::string_view detail) {
    return {std::move(field), std::string{"Forbidden: "}.append(detail)};
}

/// The value has been used before where each may be used once.
[[nodiscard]] inline ConfigError duplicate(std::string field, std::string_view value) {
    return {std::move(field), "Duplicate value: " + go_quoted(value)};
}

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
