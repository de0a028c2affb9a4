#include "run/process_facts.hpp"

#include <filesystem>

#include <probekit/core/kubelet_text.hpp>

#include "run/process_table.hpp"

namespace supervisor {

std::string container_id(int pid) {
    return "local://" + std::to_string(pid) + "-" + start_time(pid);
}

std::string start_error_text(const ContainerSpec& container, const std::error_code& error) {
    const std::string& directory = container.working_directory;
    std::error_code ignored;
    if (!directory.empty() && !std::filesystem::is_directory(directory, ignored))
        return probekit::kubelet::working_directory_error_text(directory, error);
    return probekit::kubelet::start_error_text(container.command.front(), error);
}

} // namespace supervisor
