// What the target of a simulation does: as the command line says it.
#pragma once

#include <string>

#include <probekit/simulation/script.hpp>

#include "options.hpp"
#include "subject.hpp"

namespace timeline {

[[nodiscard]] probekit::simulation::Script script_of(const TargetOptions& target);

/// Attempts that the subject's probes can never make are errors, whatever the target does.
void heed_impossible(probekit::simulation::Script& script, const Subject& subject);

/// The same in words: "answers from 40s on, ignores SIGTERM".
[[nodiscard]] std::string described(const TargetOptions& target);

} // namespace timeline
