// Random identifiers.
#pragma once

#include <string>

namespace supervisor {

/// A random (version 4) UUID: "6f1c7a52-0d3b-4c8e-9a41-2b7f5e0d9c13".
[[nodiscard]] std::string random_uuid();

} // namespace supervisor
