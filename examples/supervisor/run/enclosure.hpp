// What holds the processes of a container together: its first process, its probes, its hooks, and
// all that these have started, in whatever session. All of it ends with the container.
//
// Where the system permits it each container has a cgroup, which nothing can leave. Else it is done
// as well as possible: orphans come to the supervisor, which knows them by a variable in their
// environment. A process that has become an orphan and has cleared its environment ends with the
// supervisor.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include <probekit/core/actions.hpp>
#include <probekit/process/process_spec.hpp>

#include "manifest/options.hpp"
#include "run/cgroup.hpp"
#include "run/descriptors.hpp"
#include "run/guardian.hpp"

namespace supervisor {

/// Of all containers of the supervisor.
class Enclosures {
public:
    explicit Enclosures(const Options& options);
    Enclosures(const Enclosures&) = delete;
    Enclosures& operator=(const Enclosures&) = delete;
    ~Enclosures() { end(); }

    /// How many descriptors this program may have open.
    [[nodiscard]] std::size_t descriptors() const noexcept { return descriptors_.count; }

    /// Children that this program has not started itself, and some that it has: commands of probes
    /// and hooks.
    [[nodiscard]] std::vector<int> strangers() const;

    /// Why there is no guardian. No error: it was started, and may have ended since.
    [[nodiscard]] std::error_code guardian_error() const noexcept { return guardian_.error(); }
    /// Guardian::pipe(), the guardian's own until it is replaced.
    [[nodiscard]] int guardian_pipe() const noexcept { return guardian_.pipe(); }
    /// Starts another one, which is told what runs.
    std::error_code replace_guardian();

    /// All containers have ended and all of this program's own children have been reaped: ends what
    /// is left, and waits for it for a short time. The destructor does the same.
    void end();

private:
    friend class Enclosure;

    const Options& options_;
    DescriptorLimit descriptors_;
    std::string mark_;        // "NAME=value", the beginning of a container's
    std::set<int> inherited_; // children that this process had before it executed this program
    Cgroup cgroup_;
    Guardian guardian_;
    std::set<int> leaders_; // the first processes of containers that run
    std::size_t count_ = 0; // of enclosures made
};

class Enclosure {
public:
    /// `name`: of the container, unique. `all` outlives this.
    Enclosure(Enclosures& all, const std::string& name);

    /// Completes what the container's first process is to be started with.
    void enclose(probekit::ProcessSpec& process) const;
    /// Completes what a command is to be executed with beside it.
    void enclose(probekit::ExecAction& action, probekit::ExecOptions& options) const;
    /// Whether commands run in a PID namespace that is another one after each start: see pid().
    [[nodiscard]] bool has_pid_namespace() const { return all_.options_.pid_namespace; }

    void started(int pid);
    /// Its first process has ended: kills all that is left of it.
    void ended();
    /// Of the first process while it runs, else -1.
    [[nodiscard]] int pid() const noexcept { return pid_; }

private:
    Enclosures& all_;
    std::string mark_;
    Cgroup cgroup_;
    int pid_ = -1;
};

} // namespace supervisor
