#include "run/process_table.hpp"

#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/unique_fd.hpp"

namespace supervisor {
namespace {

/// A field of /proc/PID/stat, by its number in proc(5), from the third on. The second one is the
/// program's name in brackets, which may hold blanks and brackets itself.
std::string stat_field(int pid, int number) {
    const std::string stat = readable_part("/proc/" + std::to_string(pid) + "/stat");
    std::istringstream fields{stat.substr(stat.rfind(')') + 1)};
    std::string value;
    for (int field = 3; field <= number; ++field) fields >> value;
    return value;
}

} // namespace

std::string readable_part(const std::string& path) {
    std::ostringstream text;
    // Not by the buffer's own functions, which throw if reading fails.
    text << std::ifstream{path}.rdbuf();
    return std::move(text).str();
}

std::string start_time(int pid) { return stat_field(pid, 22); }

bool is_zombie(int pid) { return stat_field(pid, 3) == "Z"; }

bool has_variable(int pid, const std::function<bool(std::string_view)>& matches) {
    std::istringstream variables{readable_part("/proc/" + std::to_string(pid) + "/environ")};
    for (std::string variable; std::getline(variables, variable, '\0');)
        if (matches(variable)) return true;
    return false;
}

std::vector<int> all_processes() {
    std::vector<int> found;
    std::error_code error;
    for (std::filesystem::directory_iterator entry{"/proc", error}, end; !error && entry != end;
         entry.increment(error)) {
        const std::string name = entry->path().filename().string();
        int pid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr ==
            name.data() + name.size())
            found.push_back(pid);
    }
    return found;
}

std::vector<int> own_children() {
    std::vector<int> found;
    const std::string self = std::to_string(::getpid());
    // A kernel may have no such list. Orphans that come to us are the first thread's, and so is
    // what that one starts.
    if (std::ifstream list{"/proc/self/task/" + self + "/children"}) {
        for (int pid = 0; list >> pid;) found.push_back(pid);
    } else {
        for (const int pid : all_processes())
            if (stat_field(pid, 4) == self) found.push_back(pid);
    }
    return found;
}

bool reap_child(int pid) {
    siginfo_t info = {};
    return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) == 0 &&
           info.si_pid == pid;
}

void kill_process(int pid) {
    constexpr int patience = 50; // milliseconds; a process that hangs in the kernel takes longer
    const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
    ::kill(pid, SIGKILL);
    pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
    if (process.get() >= 0) ::poll(&ended, 1, patience);
}

} // namespace supervisor
