// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <system_error>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::tls {

/// Why a look failed in TLS: the causes beyond probekit::Errc and the system's.
/// `ProbeResult::message()` says more.
enum class Errc {
    not_tls = 1,      ///< what came first is no TLS
    plain_http,       ///< what came first is HTTP: an http port was asked for https
    protocol_version, ///< no version of TLS that both sides take
    alert, ///< the peer ended it by an alert: a client certificate it wants, a name it does not
           ///< know ...
    certificate_expired,  ///< of the chain, one is out of date
    certificate_not_yet,  ///< of the chain, one is not valid yet
    unknown_authority,    ///< the chain does not lead to an authority that is trusted
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
