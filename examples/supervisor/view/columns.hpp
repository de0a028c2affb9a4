// Rows of text whose columns stand below each other, as far as that can be done while lines are
// still coming.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace supervisor {

class Columns {
public:
    struct Column {
        std::string title = {};
        std::size_t width = 0; ///< at least; a wider cell widens its column for all rows to come
    };

    explicit Columns(std::vector<Column> columns);

    [[nodiscard]] std::string header();
    /// One cell per column.
    [[nodiscard]] std::string row(const std::vector<std::string>& cells);

private:
    std::vector<Column> columns_;
};

/// `text` on one line and harmless to a terminal: control characters are written as escapes.
[[nodiscard]] std::string printable(std::string_view text);

} // namespace supervisor
