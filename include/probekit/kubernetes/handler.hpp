// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/probe_settings.hpp>

namespace probekit::inline PROBEKIT_ABI::kubernetes {

/// The object that a handler stands in, which decides what kinds of handler there are.
enum class HandlerOwner : std::uint8_t {
    probe, ///< exec, httpGet, tcpSocket, grpc
    hook,  ///< lifecycle.postStart and lifecycle.preStop: exec, httpGet, tcpSocket, sleep
};

/// What read_handler() made of a JSON value. True if nothing was wrong; else `errors` lists all
/// mistakes, and the rest holds what could be understood.
struct Handler {
    ProbeAction action = {};
    /// Only what JSON can say: HttpOptions::expect, and the unix_socket of HttpOptions and
    /// TcpOptions.
    ProbeOptions options = {};
    /// A port name that ReadOptions::ports does not have; the action's port is then 0.
    /// ReadOptions::allow_undeclared_port decides whether it is an error too.
    std::optional<std::string> undeclared_port = {};
    /// In seconds. If given, the hook does nothing but wait, and `action` means nothing. Kubernetes
    /// allows values from 0 to the pod's grace period; the caller has to check that.
    std::optional<std::int64_t> sleep = {};
    /// In the API server's order and words. `field` is ReadOptions::field followed by the path of
    /// the field within the object: ".exec.command".
    ConfigErrors errors = {};
    /// Full paths of the fields that are not known and were passed over; with ReadOptions::strict
    /// they are errors.
    std::vector<std::string> ignored = {};

    [[nodiscard]] explicit operator bool() const noexcept { return errors.empty(); }
};

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
