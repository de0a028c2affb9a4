#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace timeline {

/// All of a file, "-" being standard input. Nothing if it cannot be read or is longer than `limit`.
[[nodiscard]] std::optional<std::string> read_text(const std::string& file, std::size_t limit);

} // namespace timeline
