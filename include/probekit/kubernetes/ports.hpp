// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <probekit/config.hpp>
#include <probekit/core/error.hpp>
#include <probekit/kubernetes/field_errors.hpp>

namespace probekit::inline PROBEKIT_ABI::kubernetes {

/// Reports a port number that is not from 1 to 65535, in the API server's words. Returns whether
/// the number is valid.
inline bool validate_port_number(std::int64_t port, const std::string& field,
                                 ConfigErrors& errors) {
    if (port >= 1 && port <= 65535) return true;
    errors.push_back(invalid(field, port, "must be between 1 and 65535, inclusive"));
    return false;
}

/// Reports each rule of IANA service names that the name of a port breaks, in the API server's
/// words. Returns whether the name is valid.
/// \code
/// ConfigErrors errors;
/// kubernetes::validate_port_name("metrics-", "spec.ports[0].name", errors);
/// for (const ConfigError& error : errors) std::cerr << error.message() << '\n';
/// \endcode
inline bool validate_port_name(std::string_view name, const std::string& field,
                               ConfigErrors& errors) {
    const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
    const auto is_allowed = [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
    };
    const std::size_t before = errors.size();
    const auto report = [&](std::string_view detail) {
        errors.push_back(invalid(field, go_quoted(name), detail));
    };

    if (name.size() > 15) report("must be no more than 15 characters");
    if (name.empty() || !std::ranges::all_of(name, is_allowed))
        report("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    if (std::ranges::none_of(name, is_letter)) report("must contain at least one letter (a-z)");
    if (name.find("--") != std::string_view::npos) report("must not contain consecutive hyphens");
    if (name.starts_with('-') || name.ends_with('-')) report("must not begin or end with a hyphen");
    return errors.size() == before;
}

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
