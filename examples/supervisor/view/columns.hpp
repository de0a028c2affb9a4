// Rows of text whose columns stand below each other, as far as that can be done while lines are
// still coming.
#pragma once

#include <cstddef>
#include <string>
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

} // namespace supervisor
