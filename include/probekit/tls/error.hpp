// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <system_error>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::tls {

/// Why an attempt failed in TLS: the causes beyond probekit::Errc and the system's.
/// `ProbeResult::message()` says more.
enum class Errc {
    not_tls = 1,      ///< the first bytes are not TLS
    plain_http,       ///< the first bytes are HTTP: the port is one for http
    protocol_version, ///< the peers have no version of TLS in common
    /// The peer sent an alert: it wants a client certificate, does not know the name ...
    alert,
    certificate_expired,  ///< a certificate of the chain has expired
    certificate_not_yet,  ///< a certificate of the chain is not valid yet
    unknown_authority,    ///< the chain does not lead to a trusted authority
    wrong_name,           ///< the certificate is for other names
    certificate_rejected, ///< the certificate is not acceptable for another reason
    closed,         ///< the peer closed the connection within the handshake or within a record
    protocol_error, ///< the peer breaks the rules of TLS
};

} // namespace probekit::inline PROBEKIT_ABI::tls

namespace probekit::inline PROBEKIT_ABI::detail {

class TlsCategory final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "probekit.tls"; }

    [[nodiscard]] std::string message(int value) const override {
        using tls::Errc;
        switch (static_cast<Errc>(value)) {
        case Errc::not_tls: return "peer does not speak TLS";
        case Errc::plain_http: return "peer speaks HTTP without TLS";
        case Errc::protocol_version: return "no common TLS version";
        case Errc::alert: return "peer sent a TLS alert";
        case Errc::certificate_expired: return "certificate has expired";
        case Errc::certificate_not_yet: return "certificate is not valid yet";
        case Errc::unknown_authority: return "certificate signed by unknown authority";
        case Errc::wrong_name: return "certificate is for another name";
        case Errc::certificate_rejected: return "certificate is not acceptable";
        case Errc::closed: return "TLS connection closed by peer";
        case Errc::protocol_error: return "TLS protocol error";
        }
        return "unknown TLS error";
    }
};

} // namespace probekit::inline PROBEKIT_ABI::detail

namespace probekit::inline PROBEKIT_ABI::tls {

/// The category of tls::Errc. One object per program.
[[nodiscard]] inline const std::error_category& tls_category() noexcept {
    static const detail::TlsCategory category;
    return category;
}

[[nodiscard]] inline std::error_code make_error_code(Errc code) noexcept {
    return {static_cast<int>(code), tls_category()};
}

} // namespace probekit::inline PROBEKIT_ABI::tls

template <>
struct std::is_error_code_enum<probekit::tls::Errc> : std::true_type {};
