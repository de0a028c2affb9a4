// What a supervisor or a cluster has recorded of containers: the watch events of Pods and Events, a
// JSON object a line.
//
// Kubernetes reports checks that failed, and when a container began and ended; checks that passed
// leave no trace. So one is taken to have passed where none is known to have failed, and a change
// between two checks to have come half-way.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <probekit/core/duration.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/simulation/script.hpp>

#include "subject.hpp"
#include "times.hpp"

namespace timeline {

/// A check that did not pass.
struct RecordedFailure {
    probekit::Duration age = {}; ///< of the container
    probekit::simulation::Response response = {};
};

/// From a start of the container to its end.
struct RecordedRun {
    Timestamp began = {};
    std::optional<Timestamp> killed = {}; ///< was killed for a probe
    std::optional<Timestamp> ended = {};  ///< what comes after the deletion of its pod is not read
    probekit::ExitStatus exit = {};
    std::array<std::vector<RecordedFailure>, 3> failures = {}; ///< by kind, in order
    std::vector<std::pair<Timestamp, bool>> ready = {};        ///< from when on; not, at first
};

struct Recording {
    Subject subject = {}; ///< under the settings that were recorded
    Timestamp created = {};
    Timestamp last = {}; ///< nothing is known of later times
    std::vector<RecordedRun> runs = {};

    /// What the container does under other settings. What it did after its end, or after it was
    /// killed, is not known: what ailed it is taken to go on, and further runs to be like the
    /// last.
    [[nodiscard]] probekit::simulation::Script script() const;
};

struct Recordings {
    std::map<std::string, Recording> by_name = {}; ///< "pod/container"
    std::vector<std::string> errors = {}; ///< complete lines; not empty: the rest is no good

    /// That of the same pod and container, else the only one of this container's name, else the
    /// only one there is.
    [[nodiscard]] const Recording* find(const Subject& subject) const;
};

[[nodiscard]] Recordings read_recordings(const std::string& file);

} // namespace timeline
