// Reads a file, also one of /proc whose process may end meanwhile.
#pragma once

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

namespace tools {

/// What can be read of a file. Reading fails if the process that it describes has just ended.
inline std::string contents(const std::filesystem::path& file) {
    std::ostringstream text;
    text << std::ifstream{file}.rdbuf();
    return std::move(text).str();
}

} // namespace tools
