// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string_view>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// How one attempt ended. A warning passes, but the kubelet records an event for it. `unknown`
/// comes with an error code, a prober error that counts for nothing; without one, which only a
/// user's probe can give, the kubelet's policy counts it as a failure.
enum class Outcome : std::uint8_t { success, warning, failure, unknown };

/// A worker's judgement of its target.
enum class Health : std::uint8_t { unknown, passing, failing };

/// The three questions that Kubernetes asks about a container: has it started, must it be
/// restarted, may it receive traffic?
enum class ProbeKind : std::uint8_t { startup, liveness, readiness };

/// How far an attempt got. `finish` means that it was complete.
enum class Phase : std::uint8_t {
    none,
    resolve,
    connect,
    handshake,
    request,
    response,
    body,
    spawn,
    run,
    finish
};

[[nodiscard]] constexpr std::string_view to_string(Outcome outcome) noexcept {
    switch (outcome) {
    case Outcome::success: return "success";
    case Outcome::warning: return "warning";
    case Outcome::failure: return "failure";
    case Outcome::unknown: break;
    }
    return "unknown";
}

[[nodiscard]] constexpr std::string_view to_string(Health health) noexcept {
    switch (health) {
    case Health::passing: return "passing";
    case Health::failing: return "failing";
    case Health::unknown: break;
    }
    return "unknown";
}

/// "Startup", "Liveness" or "Readiness", as the kubelet writes them in events and metrics.
[[nodiscard]] constexpr std::string_view to_string(ProbeKind kind) noexcept {
    switch (kind) {
    case ProbeKind::startup: return "Startup";
    case ProbeKind::liveness: return "Liveness";
    case ProbeKind::readiness: break;
    }
    return "Readiness";
}

[[nodiscard]] constexpr std::string_view to_string(Phase phase) noexcept {
    switch (phase) {
    case Phase::none: break;
    case Phase::resolve: return "resolve";
    case Phase::connect: return "connect";
    case Phase::handshake: return "handshake";
    case Phase::request: return "request";
    case Phase::response: return "response";
    case Phase::body: return "body";
    case Phase::spawn: return "spawn";
    case Phase::run: return "run";
    case Phase::finish: return "finish";
    }
    return "none";
}

} // namespace probekit::inline PROBEKIT_ABI
