// A small process beside the supervisor that ends its containers if somebody kills the supervisor.
#pragma once

#include <string>
#include <system_error>

#include "run/unique_fd.hpp"

namespace supervisor {

/// It sees the end of the supervisor by a pipe that closes. A signal at the parent's death would
/// miss what containers have started themselves.
class Guardian {
public:
    /// What belongs to the containers: all that is in `cgroup`, if there is one, and all whose
    /// environment has a variable that begins with `mark`. start() has been called.
    Guardian(std::string cgroup, std::string mark);
    Guardian(const Guardian&) = delete;
    Guardian& operator=(const Guardian&) = delete;
    /// Nothing is left to guard.
    ~Guardian() { end(); }

    /// Starts the process, in place of one that has ended, by fork(). The other threads that the
    /// program may have are not in it, so it takes no lock but that of malloc(), which is free
    /// after a fork().
    std::error_code start();

    /// The groups of these processes are to be ended too.
    void watch(int pid) { tell('+', pid); }
    void forget(int pid) { tell('-', pid); }

    /// -1: it could not be started.
    [[nodiscard]] int pid() const noexcept { return pid_; }
    /// Why not.
    [[nodiscard]] std::error_code error() const noexcept { return error_; }
    /// Writable until the process has ended, and an error from then on.
    [[nodiscard]] int pipe() const noexcept { return pipe_.get(); }

private:
    void tell(char what, int pid);
    void end();

    std::string cgroup_;
    std::string mark_;
    int pid_ = -1;
    std::error_code error_;
    UniqueFd pipe_;
};

} // namespace supervisor
