#include "run/process_facts.hpp"

#include <cctype>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace supervisor {
namespace {

std::string quoted(const std::string& text) { return '"' + text + '"'; }

/// System errors as Go prints them.
std::string in_lower_case(const std::error_code& error) {
    std::string text = error.message();
    if (!text.empty())
        text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return text;
}

} // namespace

std::string container_id(int pid) {
    std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
    std::string stat;
    std::getline(file, stat);
    // The second field is the program's name in brackets, which may hold blanks and brackets
    // itself.
    std::istringstream fields{stat.substr(stat.rfind(')') + 1)};
    std::string start_time;
    for (int field = 3; field <= 22; ++field) fields >> start_time;
    return "local://" + std::to_string(pid) + "-" + start_time;
}

std::string start_error_text(const ContainerSpec& container, const std::error_code& error) {
    const std::string& program = container.command.front();
    const std::string& directory = container.working_directory;
    std::error_code ignored;
    if (!directory.empty() && !std::filesystem::is_directory(directory, ignored))
        return "chdir to cwd (" + quoted(directory) + ") failed: " + in_lower_case(error);
    if (error != std::errc::no_such_file_or_directory)
        return "exec: " + quoted(program) + ": " + in_lower_case(error);
    if (program.find('/') == std::string::npos)
        return "exec: " + quoted(program) + ": executable file not found in $PATH";
    return "exec: " + quoted(program) + ": stat " + program + ": no such file or directory";
}

} // namespace supervisor
