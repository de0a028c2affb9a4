// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <probekit/config.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/kubernetes/variables.hpp>

namespace probekit::inline PROBEKIT_ABI::kubernetes {

/// What read_probe() and read_handler() have to know beyond the JSON value.
struct ReadOptions {
    ProbeKind kind = ProbeKind::readiness; ///< of livenessProbe, readinessProbe or startupProbe;
                                           ///< the object does not say
    std::string field = {};                ///< path of the object, put before every error's field:
                                           ///< "spec.containers[0].livenessProbe"
    std::map<std::string, std::uint16_t, std::less<>> ports = {}; ///< the container's named ports
    /// Accept a port name that `ports` does not have, as the API server does. The name is then only
    /// returned as `undeclared_port`. A kubelet fails each time it has to use such a handler.
    bool allow_undeclared_port = false;
    /// The host of httpGet and tcpSocket handlers that name none, and of grpc: the pod's address.
    std::string default_host = {};
    bool strict = false; ///< refuse every field that Kubernetes does not have
    /// The container's variables whose values the manifest says: $(NAME) in an exec command is
    /// replaced, and $$ is $, as the kubelet does. Not given: a command is taken as it is written.
    std::optional<Variables> variables = {};
};

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
