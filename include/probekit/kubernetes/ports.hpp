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

/// Notes what the API server says of a port number that is not from 1 to 65535. True if there was
/// nothing to say.
inline bool check_port_number(std::int64_t port, const std::string& field, ConfigErrors& errors) {
    if (port >= 1 && port <= 65535) return true;
    errors.push_back(invalid(field, port, "must be between 1 and 65535, inclusive"));
    return false;
}

/// Notes every rule of IANA service names that a port's name breaks. True if it breaks none.
inline bool check_port_name(std::string_view name, const std::string& field, ConfigErrors& errors) {
    const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
    const auto is_allowed = [&](char c) {
        return is_letter(c) || (c >= '0' && c <= '9') || c == '-';
    };
    const std::size_t before = errors.size();
    const auto refuse = [&](std::string_view detail) {
        errors.push_back(invalid(field, go_quoted(name), detail));
    };

    if (name.size() > 15) refuse("must be no more than 15 characters");
    if (name.empty() || !std::ranges::all_of(name, is_allowed))
        refuse("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    if (std::ranges::none_of(name, is_letter)) refuse("must contain at least one letter (a-z)");
    if (name.find("--") != std::string_view::npos) refuse("must not contain consecutive hyphens");
    if (name.starts_with('-') || name.ends_with('-')) refuse("must not begin or end with a hyphen");
    return errors.size() == before;
}

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
