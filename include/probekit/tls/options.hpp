// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI::tls {

/// How much of the peer's certificate is verified.
enum class Verify : std::uint8_t {
    none,  ///< nothing, like the kubelet: any peer is accepted
    chain, ///< its chain leads to a trusted authority and has not expired; the name is ignored
    /// The chain, and that it is for the name or address of the target, by the rules of Go: names
    /// in subjectAltName only, never the common name; a '*' is the whole first label. Neither looks
    /// whether a certificate has been revoked.
    full,
};

enum class Version : std::uint8_t { tls_1_2, tls_1_3 };

/// How HttpsGetProbe speaks TLS. Files are PEM, read once, when the probe is made.
struct Options {
    Verify verify = Verify::none;
    std::string ca_file = {}; ///< the trusted authorities; empty: the system's
    /// Sent to the server (SNI) and compared with the certificate; empty: the action's host. An
    /// address is compared, never sent. Does not change where to connect, nor the Host header.
    std::string server_name = {};
    /// The client's certificate and the chain to its authority; empty: none.
    std::string certificate_file = {};
    std::string private_key_file = {}; ///< without a passphrase; empty: in certificate_file
    Version min_version = Version::tls_1_2;
    /// A success becomes a warning if the peer's certificate is valid for less than this; zero:
    /// never. Applies to certificates that are not verified, too.
    Duration warn_before_expiry = {};
};

} // namespace probekit::inline PROBEKIT_ABI::tls
