#include "read_text.hpp"

#include <fstream>
#include <iostream>

namespace timeline {

std::optional<std::string> read_text(const std::string& file, std::size_t limit) {
    std::ifstream opened;
    if (file != "-") opened.open(file, std::ios::binary);
    std::istream& in = file == "-" ? std::cin : opened;
    std::string text;
    char buffer[16384];
    while (in.read(buffer, sizeof buffer), in.gcount() > 0) {
        text.append(buffer, static_cast<std::size_t>(in.gcount()));
        if (text.size() > limit) return std::nullopt;
    }
    if (!in.eof()) return std::nullopt;
    return text;
}

} // namespace timeline
