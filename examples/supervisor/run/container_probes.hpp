// The probes of one container: a ProbeGroup on the manifest's clock, whose looks become Kubernetes
// events.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <asio/any_io_executor.hpp>

#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/runtime/probe_group.hpp>

#include "manifest/manifest_clock.hpp"
#include "manifest/options.hpp"
#include "manifest/pod_spec.hpp"
#include "view/event_recorder.hpp"

namespace supervisor {

class ContainerProbes {
public:
    struct Callbacks {
        std::function<void(EventType, std::string reason, std::string message)> event = {};
        std::function<void()> changed = {}; ///< started(), ready() or failed() is another now
    };

    /// `spec` outlives this. Throws probekit::ConfigException for a probe that cannot be made.
    ContainerProbes(asio::any_io_executor executor, const ContainerSpec& spec,
                    const ManifestClock& clock, const Options& options, Callbacks callbacks);
    ContainerProbes(const ContainerProbes&) = delete;
    ContainerProbes& operator=(const ContainerProbes&) = delete;

    void container_started();
    void container_ended();
    /// The pod has looked at all its containers and what becomes of them.
    void pod_synced();
    void pod_terminating();
    void stop();

    /// Of the container that runs; what they say of one that has ended means nothing.
    [[nodiscard]] bool started() const;
    [[nodiscard]] bool ready() const;
    /// The probe that wants the container killed.
    [[nodiscard]] std::optional<probekit::ProbeKind> failed() const { return failed_; }

private:
    struct AttemptReporter {
        ContainerProbes* probes;
        void attempt_ended(const probekit::AttemptEnded& attempt) { probes->report(attempt); }
    };

    void report(const probekit::AttemptEnded& attempt);
    [[nodiscard]] const ContainerProbe& probe(probekit::ProbeKind kind) const;

    const ContainerSpec& spec_;
    Callbacks callbacks_;
    const bool
        probes_at_sync_; ///< container-scoped probes look when they are due and at no other time
    bool begun_ = false;
    std::optional<probekit::ProbeKind> failed_ = {};
    probekit::ProbeGroup<AttemptReporter> group_;
};

} // namespace supervisor
