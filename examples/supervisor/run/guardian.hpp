// A small process beside the supervisor that ends its containers if somebody kills the supervisor.
#pragma once

#include <string>

#include "run/unique_fd.hpp"

namespace supervisor {

/// It sees the end of the supervisor by a pipe that closes. A signal at the parent's death would
/// miss what containers have started themselves.
class Guardian {
public:
    /// What belongs to the containers: all that is in `cgroup`, if there is one, and all whose
    /// environment has a variable that begins with `mark`. Starts the process by fork(): to be
    /// called while the program has one thread.
    Guardian(const std::string& cgroup, const std::string& mark);
    Guardian(const Guardian&) = delete;
    Guardian& operator=(const Guardian&) = delete;
    /// Nothing is left to guard.
    ~Guardian();

    /// The groups of these processes are to be ended too.
    void watch(int pid) { tell('+', pid); }
    void forget(int pid) { tell('-', pid); }

    /// -1: it could not be started.
    [[nodiscard]] int pid() const noexcept { return pid_; }

private:
    void tell(char what, int pid);

    int pid_ = -1;
    UniqueFd pipe_;
};

} // namespace supervisor
