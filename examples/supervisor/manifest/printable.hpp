#pragma once

#include <string>
#include <string_view>

namespace supervisor {

/// `text` on one line and harmless to a terminal: control characters of ASCII (C0), of Latin-1
/// (C1) and of writing direction, line separators, and bytes that are no UTF-8 are written as
/// escapes: \n, \x1b, \u009b. All that is shown and comes from elsewhere goes through it. A line of
/// JSON stays the same JSON.
[[nodiscard]] std::string printable(std::string_view text);

} // namespace supervisor
