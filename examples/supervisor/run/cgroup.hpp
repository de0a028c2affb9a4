// Control groups of version 2, as far as they hold processes together.
#pragma once

#include <string>

namespace supervisor {

/// A cgroup with cgroup.kill, made below the one that this program is in. The destructor removes
/// it, if nothing is left in it. Its path is empty where that is not permitted.
class Cgroup {
public:
    /// Below the program's own, if `usable` says so of its path.
    Cgroup(const std::string& name, bool (*usable)(const std::string& path));
    /// Below another one, if that is there.
    Cgroup(const Cgroup& parent, const std::string& name);
    Cgroup(const Cgroup&) = delete;
    Cgroup& operator=(const Cgroup&) = delete;
    ~Cgroup() { remove(path_); }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }

    /// Kills all that is in it and in those below it.
    static void kill(const std::string& path);
    [[nodiscard]] static bool populated(const std::string& path);
    /// With those below it, which must be empty.
    static void remove(const std::string& path);

private:
    void make(const std::string& path);

    std::string path_;
};

} // namespace supervisor
