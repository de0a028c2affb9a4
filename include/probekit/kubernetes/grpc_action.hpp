// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::kubernetes {

/// Ask a server by the gRPC health checking protocol. Read and written so that nothing of a
/// manifest is lost; no probe of this library is made of it.
struct GrpcAction {
    std::uint16_t port = 0;   ///< must be given; on the pod's address
    std::string service = {}; ///< empty: the server as a whole

    friend bool operator==(const GrpcAction&, const GrpcAction&) = default;
};

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
