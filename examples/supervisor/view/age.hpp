// Ages as kubectl writes them.
#pragma once

#include <string>

#include <probekit/core/duration.hpp>

namespace supervisor {

/// "43s", "2m7s", "12m", "3h5m", "2d4h": the fewer digits the older. An age just below zero is
/// "0s".
[[nodiscard]] std::string age_text(probekit::Duration age);

} // namespace supervisor
