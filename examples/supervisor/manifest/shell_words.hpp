#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace supervisor {

/// Splits a command into words as a POSIX shell does: at white space that is not protected by
/// '...', "..." or \. Nothing is expanded, and there are no comments. Returns nothing if a quote is
/// not closed or the text ends with a single backslash.
[[nodiscard]] std::optional<std::vector<std::string>> shell_words(std::string_view text);

} // namespace supervisor
