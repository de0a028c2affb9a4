// The probes of one container: a ProbeGroup on the manifest's clock, whose attempts become
// Kubernetes events.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <probekit/core/duration.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/runtime/probe_group.hpp>

#include "manifest/manifest_clock.hpp"
#include "manifest/pod_spec.hpp"
#include "run/enclosure.hpp"
#include "run/supervision.hpp"
#include "view/event_recorder.hpp"

namespace supervisor {

class ContainerProbes {
public:
    struct Callbacks {
        std::function<void(EventType, std::string reason, std::string message)> event = {};
        std::function<void()> changed = {}; ///< started(), ready() or failed() is another now
    };

    /// All outlive this. Throws probekit::ConfigException for a probe that cannot be made.
    ContainerProbes(Supervision& supervision, const Enclosure& enclosure, const ContainerSpec& spec,
                    Callbacks callbacks);
    ContainerProbes(const ContainerProbes&) = delete;
    ContainerProbes& operator=(const ContainerProbes&) = delete;

    void container_started();
    void container_ended() { group_.target_gone(); }
    /// The pod has been synchronised: all its containers are as they should be, or will be.
    void pod_synced() { group_.probe_unready(); }
    void pod_terminating() { group_.target_terminating(); }
    void stop() { group_.stop(); }

    /// About the container that runs; meaningless once it has ended.
    [[nodiscard]] bool started() const { return group_.started(); }
    [[nodiscard]] bool ready() const { return group_.ready(); }
    /// The probe for which the container is to be killed.
    [[nodiscard]] std::optional<probekit::ProbeKind> failed() const { return group_.failed(); }
    [[nodiscard]] const ContainerProbe& probe(probekit::ProbeKind kind) const;

private:
    struct AttemptReporter {
        ContainerProbes* probes;
        void attempt_ended(const probekit::AttemptEnded& attempt) { probes->report(attempt); }
    };

    void report(const probekit::AttemptEnded& attempt);
    [[nodiscard]] probekit::TimePoint delays_since(probekit::TimePoint started) const;

    const ContainerSpec& spec_;
    const ManifestClock& clock_;
    const bool container_scoped_;
    Callbacks callbacks_;
    std::optional<probekit::TimePoint> begin_ = {}; // of the container's first run
    probekit::ProbeGroup<AttemptReporter> group_;
};

} // namespace supervisor
