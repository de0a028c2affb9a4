#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace supervisor {

/// The bytes that a text in base64 stands for; nothing if the text is not base64 with its padding.
/// Line breaks are ignored.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

} // namespace supervisor
