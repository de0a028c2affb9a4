// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdlib>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/simulation/container.hpp>
#include <probekit/simulation/detail/simulator.hpp>
#include <probekit/simulation/script.hpp>
#include <probekit/simulation/timeline.hpp>

namespace probekit::inline PROBEKIT_ABI::simulation {

/// Runs the probes of a container against a script, on a clock of its own, as fast as it can.
/// \code
/// constexpr ProbeSpec spec{.kind = ProbeKind::liveness, .period = 5s};
/// const auto slow_start = simulation::responds_after(40s);
/// const simulation::Timeline timeline = simulation::simulate(spec, {.responses = slow_start});
/// if (const auto kill = timeline.first(simulation::Event::What::kill))
///     std::cout << "killed after " << *kill / 1s << " s\n";
/// \endcode
///
/// The machines, policy, schedule and back-off are the library's own, wired as a kubelet wires
/// them. Nothing is probed and nothing waits.
///
/// At one moment, attempts that end come first, then what the target does, then attempts that
/// begin; among attempts startup, readiness, liveness. Random times (jitter, spread) are the same
/// in each simulation of the same spec. Throws ConfigException if the settings are wrong (in a
/// program without exceptions it ends then), and what the script's function throws.
[[nodiscard]] inline Timeline simulate(const Container& container, const Script& script) {
    if (ConfigErrors errors = validate(container); !errors.empty()) {
#if defined(__cpp_exceptions)
        throw ConfigException{std::move(errors)};
#else
        std::abort();
#endif
    }
    return probekit::detail::Simulator{container, script}.run();
}

/// Simulates a container with one probe, of the kind in its spec, and Kubernetes' defaults for the
/// rest.
[[nodiscard]] inline Timeline simulate(const ProbeSpec& spec, const Script& script) {
    Container container;
    switch (spec.kind) {
    case ProbeKind::startup: container.startup = spec; break;
    case ProbeKind::liveness: container.liveness = spec; break;
    case ProbeKind::readiness: container.readiness = spec; break;
    }
    return simulate(container, script);
}

} // namespace probekit::inline PROBEKIT_ABI::simulation
