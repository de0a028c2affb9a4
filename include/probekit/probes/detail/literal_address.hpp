// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <asio/ip/address.hpp>
#include <asio/ip/address_v4.hpp>
#include <asio/ip/address_v6.hpp>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

[[nodiscard]] constexpr std::string_view host_or_loopback(std::string_view host) noexcept {
    return host.empty() ? std::string_view{"127.0.0.1"} : host;
}

/// The address that a host is; empty if it is a name. An IPv4-mapped IPv6 address
/// ("::ffff:127.0.0.1") is dialled, and reported, as the IPv4 address, as Go does.
[[nodiscard]] inline std::optional<asio::ip::address> literal_address(std::string_view host) {
    std::error_code is_name;
    const auto address = asio::ip::make_address(std::string{host_or_loopback(host)}, is_name);
    if (is_name) return std::nullopt;
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    return address;
}

/// An address as Go writes it: in its shortest form, with the zone as it was given.
[[nodiscard]] inline std::string literal_text(const asio::ip::address& address,
                                              std::string_view host) {
    if (address.is_v4()) return address.to_string();
    asio::ip::address_v6 without_zone = address.to_v6();
    without_zone.scope_id(0);
    const std::string_view zone = host.substr(std::min(host.find('%'), host.size()));
    return without_zone.to_string().append(zone);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
