// What /proc says of processes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace supervisor {

/// What can be read of a file. A read that fails ends it and does not throw: that happens to a file
/// in /proc if its process is reaped after the file has been opened.
[[nodiscard]] std::string readable_part(const std::string& path);

/// When the process was started, in ticks since the machine was: with the number it names one
/// process for ever. Empty if there is none.
[[nodiscard]] std::string start_time(int pid);

/// Whether it has ended and has not been reaped.
[[nodiscard]] bool is_zombie(int pid);

/// Whether its environment has a variable that `matches`, as it was when its program was executed.
[[nodiscard]] bool has_variable(int pid, const std::function<bool(std::string_view)>& matches);

[[nodiscard]] std::vector<int> all_processes();

/// Those of this program, zombies included.
[[nodiscard]] std::vector<int> own_children();

/// Reaps it, if it has ended and is a child of this program.
bool reap_child(int pid);

/// Kills the process, and waits for its end for a short time.
void kill_process(int pid);

} // namespace supervisor
