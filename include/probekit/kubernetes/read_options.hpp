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

/// What read_probe() and read_handler() need to know beyond the JSON value.
struct ReadOptions {
    /// The kind of the probe, which the object itself does not say. Handlers have none.
    ProbeKind kind = ProbeKind::readiness;
    /// The path of the object, with which the field of each error begins:
    /// "spec.containers[0].livenessProbe".
    std::string field = {};
    std::map<std::string, std::uint16_t, std::less<>> ports = {}; ///< the container's named ports
    /// Accept a port name that `ports` does not have, as the API server does. The name is then only
    /// returned as `undeclared_port`. A kubelet fails each time it has to use such a handler.
    bool allow_undeclared_port = false;
    /// The host of httpGet and tcpSocket handlers that name none, and of grpc: the pod's address.
    std::string default_host = {};
    bool strict = false; ///< report each field that Kubernetes does not have as an error
    /// With these variables, $(NAME) in an exec command is replaced, and $$ becomes $, as the
    /// kubelet does. If they are not given, a command stays as it is written.
    std::optional<Variables> variables = {};
};

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
