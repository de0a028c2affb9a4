#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace supervisor {

/// The bytes that a text in base64 stands for. Nothing if it is none, with its padding; line breaks
/// may stand in it.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

} // namespace supervisor
