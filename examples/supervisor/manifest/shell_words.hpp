#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace supervisor {

/// Splits a command into words as a POSIX shell does: at white space, which '...', "..." and
/// \ protect. Nothing is expanded and there are no comments. Nothing if a quote is not closed or
/// the text ends with a single backslash.
[[nodiscard]] std::optional<std::vector<std::string>> shell_words(std::string_view text);

} // namespace supervisor
