// A timeline as text.
#pragma once

#include <string>

#include "scene.hpp"

namespace timeline {

/// What the target does, what the settings promise, what would have to be different, and a line for
/// everything that happened; for each check, too, if they are wanted.
[[nodiscard]] std::string story(const Scene& scene, bool all_checks);

/// What it comes to, in a few words: "killed 6 times by its liveness probe, ready for 83 % of the
/// time".
[[nodiscard]] std::string summary(const Scene& scene);

} // namespace timeline
