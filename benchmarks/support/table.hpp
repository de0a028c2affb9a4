// What a program has found out: a table in Markdown, --json for programs, --columns for gnuplot.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <support/options.hpp>

namespace bench {

struct Cell {
    Cell(std::string words) : text(std::move(words)) {}
    Cell(const char* words) : text(words) {}
    // A number as it is shown: so many digits after the point.
    Cell(double value, int digits = 2) : is_number(true) {
        char buffer[64];
        std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
        text = buffer;
    }

    std::string text;
    bool is_number = false;
};

class Table {
public:
    explicit Table(std::vector<std::string> columns) : columns_(std::move(columns)) {}

    void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }

    void print(const Options& options) const {
        if (options.has("json"))
            print_json();
        else if (options.has("columns"))
            print_columns();
        else
            print_markdown();
    }

private:
    void print_markdown() const {
        std::vector<std::size_t> widths;
        for (std::size_t i = 0; i != columns_.size(); ++i) {
            std::size_t width = columns_[i].size();
            for (const auto& row : rows_) width = std::max(width, row[i].text.size());
            widths.push_back(width);
        }
        const auto line = [&](auto text_of) {
            for (std::size_t i = 0; i != columns_.size(); ++i)
                std::printf("%s %-*s ", "|", static_cast<int>(widths[i]), text_of(i).c_str());
            std::puts("|");
        };
        line([&](std::size_t i) { return columns_[i]; });
        line([&](std::size_t i) { return std::string(widths[i], '-'); });
        for (const auto& row : rows_) line([&](std::size_t i) { return row[i].text; });
    }

    void print_json() const {
        const auto quoted = [](const std::string& text) {
            std::string result = "\"";
            for (const char c : text) {
                if (c == '"' || c == '\\') result += '\\';
                result += c;
            }
            return result + '"';
        };
        const char* between = "[\n";
        for (const auto& row : rows_) {
            std::printf("%s  {", std::exchange(between, ",\n"));
            for (std::size_t i = 0; i != row.size(); ++i)
                std::printf("%s%s: %s", i == 0 ? "" : ", ", quoted(columns_[i]).c_str(),
                            row[i].is_number ? row[i].text.c_str() : quoted(row[i].text).c_str());
            std::printf("}");
        }
        std::puts("\n]");
    }

    void print_columns() const {
        for (const auto& row : rows_) {
            for (const Cell& cell : row)
                std::printf("%s\t",
                            cell.is_number ? cell.text.c_str() : ('"' + cell.text + '"').c_str());
            std::puts("");
        }
    }

    std::vector<std::string> columns_;
    std::vector<std::vector<Cell>> rows_;
};

} // namespace bench
