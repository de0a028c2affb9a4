#include "run/process_facts.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <probekit/core/kubelet_text.hpp>

namespace supervisor {

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
    const std::string& directory = container.working_directory;
    std::error_code ignored;
    if (!directory.empty() && !std::filesystem::is_directory(directory, ignored))
        return probekit::kubelet::working_directory_error_text(directory, error);
    return probekit::kubelet::start_error_text(container.command.front(), error);
}

} // namespace supervisor
