// A timeline as text.
#pragma once

#include <string>

#include "scene.hpp"

namespace timeline {

/// A line for everything that happened, and what it comes to. It lists the checks that brought a
/// verdict nearer, or all of them.
[[nodiscard]] std::string story(const Scene& scene, bool all_checks);

/// What it comes to, in a few words: "killed 6 times by its liveness probe, ready for 83 % of the
/// time".
[[nodiscard]] std::string summary(const Scene& scene);

} // namespace timeline
