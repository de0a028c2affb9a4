#include "run/cgroup.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include <unistd.h>

namespace supervisor {
namespace {

/// Where the hierarchy of version 2 is mounted; empty: nowhere.
std::string mount_point() {
    std::ifstream mounts{"/proc/self/mountinfo"};
    for (std::string line; std::getline(mounts, line);) {
        if (line.find(" - cgroup2 ") == std::string::npos) continue;
        std::istringstream fields{line};
        std::string field;
        for (int number = 1; number <= 5; ++number) fields >> field;
        return field;
    }
    return {};
}

/// Where this program is in that hierarchy: "/a/b".
std::string own_place() {
    std::ifstream places{"/proc/self/cgroup"};
    constexpr std::string_view version_2 = "0::";
    for (std::string line; std::getline(places, line);)
        if (line.starts_with(version_2)) return line.substr(version_2.size());
    return {};
}

} // namespace

Cgroup::Cgroup(const std::string& name, bool (*usable)(const std::string& path)) {
    const std::string mounted = mount_point();
    const std::string place = own_place();
    if (!mounted.empty() && !place.empty()) make(mounted + place + "/" + name);
    if (path_.empty() || usable(path_)) return;
    remove(path_);
    path_.clear();
}

Cgroup::Cgroup(const Cgroup& parent, const std::string& name) {
    if (!parent.path().empty()) make(parent.path() + "/" + name);
}

void Cgroup::make(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::create_directory(path, error)) return;
    path_ = path;
    // Since Linux 5.14.
    if (::access((path + "/cgroup.kill").c_str(), W_OK) == 0) return;
    remove(path);
    path_.clear();
}

void Cgroup::kill(const std::string& path) { std::ofstream{path + "/cgroup.kill"} << 1; }

bool Cgroup::populated(const std::string& path) {
    std::ifstream events{path + "/cgroup.events"};
    std::string first;
    std::getline(events, first);
    return first == "populated 1";
}

void Cgroup::remove(const std::string& path) {
    if (path.empty()) return;
    std::error_code ignored;
    for (std::filesystem::directory_iterator entry{path, ignored}, end; !ignored && entry != end;
         entry.increment(ignored)) {
        std::error_code of_entry;
        if (entry->is_directory(of_entry)) std::filesystem::remove(entry->path(), of_entry);
    }
    std::filesystem::remove(path, ignored);
}

} // namespace supervisor
