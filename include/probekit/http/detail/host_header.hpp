// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/http/detail/characters.hpp>
#include <probekit/http/detail/punycode.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The Host header for a host: names in ASCII form and without an IPv6 zone. Empty if the host has
/// characters that no host may have, since an altered host could be another one.
template <class = OnUse>
[[nodiscard]] inline std::string host_header(std::string_view host) {
    std::string text = ascii_host(host);
    for (const char c : text) {
        const bool alphanumeric =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alphanumeric &&
            std::string_view{"!$%&'()*+,-.:;=[]_~"}.find(c) == std::string_view::npos)
            return {};
    }
    const std::size_t end = text.rfind(']');
    if (text.starts_with('[') && end != std::string::npos)
        if (const std::size_t zone = text.rfind('%', end); zone != std::string::npos)
            text.erase(zone, end - zone);
    return text;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
