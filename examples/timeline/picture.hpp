// A timeline as an SVG picture.
#pragma once

#include <span>
#include <string>

#include "scene.hpp"

namespace timeline {

/// One panel for each scene, below one another, on one axis of time.
[[nodiscard]] std::string picture(std::span<const Scene> scenes);

} // namespace timeline
