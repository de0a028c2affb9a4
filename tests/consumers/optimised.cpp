// Uses specs as a program does whose compiler sees all of it at once. optimised.sh compiles it.
#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include <probekit/core/container_fsm.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/simulation/container.hpp>

using namespace probekit;
using namespace std::chrono_literals;

static_assert(ProbeSpec{} == ProbeSpec{.termination_grace_period = {}});
static_assert(ProbeSpec{.termination_grace_period = 1s} != ProbeSpec{});

bool is_quick(const ProbeSpec& spec) { return spec == ProbeSpec{.period = 1s}; }

bool is_as_usual(ProbeKind kind, Duration period) {
    const ProbeSpec spec{.kind = kind, .period = period};
    return spec == ProbeSpec{} || spec == ProbeSpec{.kind = ProbeKind::liveness};
}

bool is_plain(const Pacing& pacing, bool exact) {
    Pacing wanted;
    if (exact) wanted.slack = 0s;
    return pacing == Pacing{} || pacing == wanted;
}

/// The place of a spec that is made here, as a cache of specs finds it.
std::size_t place_of(const std::vector<ProbeSpec>& specs, ProbeKind kind, Duration timeout) {
    const ProbeSpec wanted{.kind = kind,
                           .timeout = timeout,
                           .success_threshold = kind == ProbeKind::readiness ? 2 : 1};
    for (std::size_t i = 0; i != specs.size(); ++i)
        if (specs[i] == wanted) return i;
    return specs.size();
}

bool all_default(const std::vector<ProbeSpec>& specs) {
    const ProbeSpec usual;
    for (const ProbeSpec& spec : specs)
        if (spec != usual) return false;
    return true;
}

bool probes_alike(const simulation::Container& container, bool has_startup, Duration period) {
    simulation::Container made{.liveness = ProbeSpec{.kind = ProbeKind::liveness}};
    if (has_startup) made.startup = ProbeSpec{.kind = ProbeKind::startup, .period = period};
    return made.startup == container.startup && made.liveness == container.liveness;
}

Duration grace_after(ProbeKind kind, bool own) {
    ProbeSpec spec{.kind = kind};
    if (own) spec.termination_grace_period = 3s;
    const event::ProbeFailed failed{kind, spec.termination_grace_period};
    return failed.termination_grace_period.value_or(30s);
}
