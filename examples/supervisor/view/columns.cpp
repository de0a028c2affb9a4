#include "view/columns.hpp"

#include <algorithm>

namespace supervisor {

Columns::Columns(std::vector<Column> columns) : columns_(std::move(columns)) {
    for (Column& column : columns_) column.width = std::max(column.width, column.title.size());
}

std::string Columns::header() {
    std::vector<std::string> titles;
    for (const Column& column : columns_) titles.push_back(column.title);
    return row(titles);
}

std::string Columns::row(const std::vector<std::string>& cells) {
    constexpr std::size_t gap = 3;
    std::string line;
    for (std::size_t i = 0; i != cells.size(); ++i) {
        line += cells[i];
        if (i + 1 == cells.size()) break; // the last column needs no padding
        columns_[i].width = std::max(columns_[i].width, cells[i].size());
        line.append(columns_[i].width - cells[i].size() + gap, ' ');
    }
    return line;
}

} // namespace supervisor
