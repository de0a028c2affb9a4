// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI::tls {

/// How much of the peer's certificate is looked at.
enum class Verify : std::uint8_t {
    none,  ///< nothing, as the kubelet: whoever answers is the target
    chain, ///< it leads to an authority that is trusted, and is in date; the name is not looked at
    full,  ///< and it is for the name, or address, that is asked
};

enum class Version : std::uint8_t { tls_1_2, tls_1_3 };

/// How HttpsGetProbe speaks TLS. Files are PEM, read once, when the probe is made.
struct Options {
    Verify verify = Verify::none;
    std::string ca_file = {}; ///< the authorities that are trusted; empty: the system's
    /// Sent to the server (SNI) and compared with the certificate; empty: the action's host. An
    /// address is compared, never sent. Where to connect, and the Host header, are not touched.
    std::string server_name = {};
    std::string certificate_file =
        {}; ///< the client's certificate and what leads to its authority; empty: none
    std::string private_key_file = {}; ///< without a passphrase; empty: in certificate_file
    Version min_version = Version::tls_1_2;
    /// A look that would be a success is a warning if the peer's certificate is valid for less than
    /// this; zero: never. A certificate that nobody verifies is warned of, too.
    Duration warn_before_expiry = {};
};

} // namespace probekit::inline PROBEKIT_ABI::tls
