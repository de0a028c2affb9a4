#include "run/container_probes.hpp"

#include <chrono>
#include <utility>

#include <probekit/core/actions.hpp>
#include <probekit/core/kubelet_text.hpp>

#include "run/impossible_probe.hpp"
#include "run/probe_maker.hpp"

namespace supervisor {
namespace {

using namespace std::chrono_literals;
using probekit::ProbeKind;

probekit::AnyProbe make_probe_of(const asio::any_io_executor& executor,
                                 const ContainerProbe& probe) {
    if (!probe.cannot_ask.empty()) return ImpossibleProbe{executor, probe.cannot_ask};
    return make_kubelet_probe(executor, probe.action, probekit::kubelet_user_agent(1, 35),
                              probe.expect, probe.unix_socket);
}

/// A kubelet compares whole seconds, from a start that it has truncated to the second: up to one
/// second less passes. On a grid of whole seconds that begins with the container nothing comes
/// earlier for it, but a container that is restarted just after a point of the grid does not miss
/// the point that comes one delay later.
probekit::Duration initial_delay(const probekit::ProbeSpec& spec) {
    constexpr probekit::Duration truncated =
        999ms; // not all of it: a grid point a whole second early must not do
    return spec.initial_delay >= 1s ? spec.initial_delay - truncated : spec.initial_delay;
}

/// The manifest's times in real ones.
probekit::ProbeSpec real_spec(const ContainerProbe& probe, const ManifestClock& clock,
                              const Options& options) {
    probekit::ProbeSpec spec = probe.spec;
    spec.initial_delay =
        clock.real(options.container_scoped_probes ? spec.initial_delay : initial_delay(spec));
    spec.period = clock.real(spec.period);
    spec.timeout = clock.real(spec.timeout);
    if (options.container_scoped_probes) spec.pacing.cadence = probekit::Cadence::target_start;
    return spec;
}

} // namespace

ContainerProbes::ContainerProbes(asio::any_io_executor executor, const ContainerSpec& spec,
                                 const ManifestClock& clock, const Options& options,
                                 Callbacks callbacks)
    : spec_(spec),
      callbacks_(std::move(callbacks)),
      probes_at_sync_(!options.container_scoped_probes),
      group_(executor, AttemptReporter{this}) {
    const auto real = [&](const ContainerProbe& probe) { return real_spec(probe, clock, options); };
    if (spec.startup) group_.startup(make_probe_of(executor, *spec.startup), real(*spec.startup));
    if (spec.liveness)
        group_.liveness(make_probe_of(executor, *spec.liveness), real(*spec.liveness));
    if (spec.readiness)
        group_.readiness(make_probe_of(executor, *spec.readiness), real(*spec.readiness));
    group_.on_change([this](const probekit::GroupChange& change) {
        if (change.event == probekit::GroupChange::Event::kill) failed_ = change.verdict.kind;
        callbacks_.changed();
    });
}

void ContainerProbes::container_started() {
    failed_.reset();
    if (!std::exchange(begun_, true)) {
        group_.start();
        return;
    }
    group_.target_replaced();
    // A kubelet synchronises the pod when a container has started, and then looks at what is not
    // ready, at once.
    if (probes_at_sync_) group_.probe_now(ProbeKind::readiness);
}

/// Whenever a kubelet synchronises a pod it looks at once at what has started and is not ready.
void ContainerProbes::pod_synced() {
    if (!probes_at_sync_ || !group_.started() || group_.ready()) return;
    const auto readiness = group_.snapshot(ProbeKind::readiness);
    if (readiness && readiness->state != probekit::WorkerState::probing)
        group_.probe_now(ProbeKind::readiness);
}

void ContainerProbes::container_ended() {
    failed_.reset();
    group_.target_gone();
}

void ContainerProbes::pod_terminating() {
    failed_.reset();
    group_.target_terminating();
}

void ContainerProbes::stop() { group_.stop(); }

bool ContainerProbes::started() const { return group_.started(); }

bool ContainerProbes::ready() const { return group_.ready(); }

const ContainerProbe& ContainerProbes::probe(ProbeKind kind) const {
    if (kind == ProbeKind::startup) return *spec_.startup;
    return kind == ProbeKind::liveness ? *spec_.liveness : *spec_.readiness;
}

/// Every attempt that did not go well is an event, also those that change nothing yet.
void ContainerProbes::report(const probekit::AttemptEnded& attempt) {
    const auto event = probekit::kubelet::probe_event(attempt, probe(attempt.kind).spec.timeout);
    if (event) callbacks_.event(EventType::warning, std::string{event->reason}, event->message);
}

} // namespace supervisor
