// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <asio/ip/address.hpp>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/probes/detail/literal_address.hpp>
#include <probekit/probes/detail/unix_address.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// How to connect to a target, apart from its address. Made for each use, and so no more than this.
struct DialSettings {
    /// What few targets have.
    struct Uncommon {
        std::optional<asio::ip::address> source = {};
        std::optional<UnixAddress> unix_socket = {};
    };

    const Uncommon* uncommon = nullptr; ///< null: none of these
    TcpClose close = TcpClose::reset;

    /// Null: the system chooses the local address.
    [[nodiscard]] const asio::ip::address* source() const noexcept {
        return uncommon != nullptr && uncommon->source ? &*uncommon->source : nullptr;
    }
    /// Null: connect to host and port.
    [[nodiscard]] const UnixAddress* unix_socket() const noexcept {
        return uncommon != nullptr && uncommon->unix_socket ? &*uncommon->unix_socket : nullptr;
    }
};

/// Where to connect. Prepared once per probe: a literal address is never resolved again.
struct DialTarget {
    using Uncommon = DialSettings::Uncommon;

    std::optional<asio::ip::address> address = {}; ///< empty: the host is a name
    std::unique_ptr<const Uncommon> uncommon = {}; ///< null: none of these

    [[nodiscard]] const UnixAddress* unix_socket() const noexcept {
        return DialSettings{uncommon.get()}.unix_socket();
    }
    /// Whether the host has to be resolved.
    [[nodiscard]] bool is_name() const noexcept { return !address && unix_socket() == nullptr; }

    /// `options`: TcpOptions or HttpOptions, valid.
    template <class Options>
    [[nodiscard]] static DialTarget of(std::string_view host, const Options& options) {
        DialTarget target;
        target.address = literal_address(host);
        Uncommon uncommon;
        if (!options.source_address.empty())
            uncommon.source = asio::ip::make_address(options.source_address);
        if (!options.unix_socket.empty()) uncommon.unix_socket.emplace(options.unix_socket);
        if (uncommon.source || uncommon.unix_socket)
            target.uncommon = std::make_unique<const Uncommon>(uncommon);
        return target;
    }
};

} // namespace probekit::inline PROBEKIT_ABI::detail
