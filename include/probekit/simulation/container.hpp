// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <optional>

#include <probekit/config.hpp>
#include <probekit/core/container_fsm.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/restart.hpp>

namespace probekit::inline PROBEKIT_ABI::simulation {

/// The settings of a Kubernetes container that decide when it is checked, killed and restarted.
struct Container {
    /// The member decides the kind of a probe; ProbeSpec::kind does not count.
    std::optional<ProbeSpec> startup = {}, liveness = {}, readiness = {};
    RestartPolicy restart_policy = RestartPolicy::always;
    RestartBackOffSpec back_off = {.wait_from_kill = true}; ///< by default as the kubelet's
    Duration termination_grace_period = std::chrono::seconds{30};
    /// Initial delays count from a start truncated to the second, as the kubelet's do with
    /// Cadence::grid.
    bool starts_in_whole_seconds = false;

    [[nodiscard]] const std::optional<ProbeSpec>& probe(ProbeKind kind) const noexcept {
        if (kind == ProbeKind::startup) return startup;
        return kind == ProbeKind::liveness ? liveness : readiness;
    }

    [[nodiscard]] ContainerSettings settings() const noexcept {
        return {.restart_policy = restart_policy,
                .back_off = back_off,
                .termination_grace_period = termination_grace_period};
    }

    /// What starts are truncated to before initial delays are added.
    [[nodiscard]] Duration start_precision() const noexcept {
        return starts_in_whole_seconds ? kubelet_start_precision : Duration::zero();
    }
};

/// What is wrong with the probes, all at once: "liveness.period: must be greater than zero".
[[nodiscard]] inline ConfigErrors validate(const Container& container) {
    ConfigErrors errors;
    const auto validate_probe = [&](const char* name, ProbeKind kind) {
        if (!container.probe(kind)) return;
        ProbeSpec spec = *container.probe(kind);
        spec.kind = kind;
        for (ConfigError& error : validate(spec))
            errors.push_back({name + error.field, error.detail});
    };
    validate_probe("startup.", ProbeKind::startup);
    validate_probe("liveness.", ProbeKind::liveness);
    validate_probe("readiness.", ProbeKind::readiness);
    return errors;
}

} // namespace probekit::inline PROBEKIT_ABI::simulation
