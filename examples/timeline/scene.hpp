// A simulation that has been run: what the story and the picture are made of.
#pragma once

#include <optional>
#include <string>

#include <probekit/simulation/timeline.hpp>

#include "options.hpp"
#include "subject.hpp"

namespace timeline {

struct Scene {
    Subject subject = {};
    std::string target = {};                   ///< what it does, in words
    std::optional<TargetOptions> options = {}; ///< the same, unless it was recorded
    std::string cadence = {};                  ///< of whose kubelets, if both are shown
    probekit::simulation::Timeline timeline = {};

    [[nodiscard]] std::string title() const {
        return subject.name() + (cadence.empty() ? "" : ", " + cadence);
    }
    /// Whether a probe has killed it.
    [[nodiscard]] bool killed() const {
        return timeline.first(probekit::simulation::Event::What::kill).has_value();
    }
};

} // namespace timeline
