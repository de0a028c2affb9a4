#include "run/container_probes.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include <probekit/core/actions.hpp>
#include <probekit/core/container_fsm.hpp>
#include <probekit/core/kubelet_text.hpp>

#include "run/probe_maker.hpp"

namespace supervisor {
namespace {

using probekit::ProbeKind;

/// The manifest's times in real ones.
probekit::ProbeSpec real_spec(const ContainerProbe& probe, const ManifestClock& clock,
                              const Options& options) {
    probekit::ProbeSpec spec = probe.settings.spec;
    spec.initial_delay = clock.real(spec.initial_delay);
    spec.period = clock.real(spec.period);
    spec.timeout = clock.real(spec.timeout);
    // Rounded up as the period is, but still less than it.
    const auto shift = [&](probekit::Duration span) {
        return std::min(clock.real(span), spec.period - probekit::Duration{1});
    };
    spec.pacing.spread = clock.real(spec.pacing.spread);
    spec.pacing.jitter = shift(spec.pacing.jitter);
    // A kubelet begins each check at its moment.
    spec.pacing.slack = shift(spec.pacing.slack.value_or(probekit::Duration{}));
    if (options.container_scoped_probes) spec.pacing.cadence = probekit::Cadence::target_start;
    return spec;
}

} // namespace

ContainerProbes::ContainerProbes(Supervision& supervision, const Enclosure& enclosure,
                                 const ContainerSpec& spec, Callbacks callbacks)
    : spec_(spec),
      clock_(supervision.clock),
      container_scoped_(supervision.options.container_scoped_probes),
      callbacks_(std::move(callbacks)),
      group_(supervision.executor, AttemptReporter{this}) {
    const auto made = [&](const ContainerProbe& probe) {
        return make_kubelet_probe(supervision.executor, enclosure, probe.settings,
                                  probe.cannot_ask);
    };
    const auto real = [&](const ContainerProbe& probe) {
        return real_spec(probe, clock_, supervision.options);
    };
    if (spec.startup) group_.startup(made(*spec.startup), real(*spec.startup));
    if (spec.liveness) group_.liveness(made(*spec.liveness), real(*spec.liveness));
    if (spec.readiness) group_.readiness(made(*spec.readiness), real(*spec.readiness));
    group_.limit(supervision.attempts);
    group_.on_change([this](const probekit::GroupChange&) { callbacks_.changed(); });
}

void ContainerProbes::container_started() {
    const probekit::TimePoint now = std::chrono::steady_clock::now();
    if (!begin_) {
        begin_ = now; // of the probes' grids
        return group_.start();
    }
    group_.target_replaced(container_scoped_ ? now : delays_since(now));
    group_.probe_unready(); // as a kubelet, which synchronises the pod now
}

/// In manifest time, whose seconds are a kubelet's.
probekit::TimePoint ContainerProbes::delays_since(probekit::TimePoint started) const {
    const probekit::TimePoint start = monotonic(clock_.at(started));
    return started -
           clock_.real(start - probekit::truncated_start(start, monotonic(clock_.at(*begin_))));
}

const ContainerProbe& ContainerProbes::probe(ProbeKind kind) const {
    if (kind == ProbeKind::startup) return *spec_.startup;
    return kind == ProbeKind::liveness ? *spec_.liveness : *spec_.readiness;
}

/// Every attempt that did not go well is an event, also those that change nothing yet.
void ContainerProbes::report(const probekit::AttemptEnded& attempt) {
    const auto event =
        probekit::kubelet::probe_event(attempt, probe(attempt.kind).settings.spec.timeout);
    if (event) callbacks_.event(EventType::warning, std::string{event->reason}, event->message);
}

} // namespace supervisor
