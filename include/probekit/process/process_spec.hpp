// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <sys/resource.h> // RLIMIT_NOFILE and its like, for users
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Where a process's stdout and stderr go.
enum class ProcessOutput : std::uint8_t {
    inherit, ///< to the program's own
    discard, ///< to /dev/null
    capture, ///< kept up to a limit; the rest is read and dropped, so that no pipe is ever full
};

/// What to start, and how. The process gets the descriptors 0, 1 and 2 and no other, whatever the
/// program has open; a process group of its own; and no blocked or ignored signals.
struct ProcessSpec {
    /// Program and arguments, executed without a shell. A program without a slash is searched for
    /// in the PATH of the environment that the process gets.
    std::vector<std::string> command = {};
    /// "NAME=value"; these win over inherited variables, and later ones over earlier ones.
    std::vector<std::string> environment = {};
    /// The program's own variables, read at the start, during which no other thread may call
    /// setenv(). Without them, and with `environment` in full, nothing is read.
    bool inherit_environment = true;
    /// Empty: the program's own. The path of a relative program starts here.
    std::string working_directory = {};
    ProcessOutput output = ProcessOutput::inherit;
    std::size_t output_limit = 10240; ///< how many bytes `capture` keeps
    /// Descriptors to use instead: they are duplicated, not closed. -1 means /dev/null for stdin,
    /// and what `output` says for the others.
    int stdin_fd = -1;
    int stdout_fd = -1;
    int stderr_fd = -1;
    /// Make the process number 1 of a PID namespace of its own (Linux, privileged), as in a
    /// container: SIGTERM reaches the process only if it handles SIGTERM, and all other processes
    /// of the namespace end with it.
    bool pid_namespace = false;
    /// A descriptor of the PID namespace to run in, such as an open `/proc/PID/ns/pid` (Linux,
    /// privileged); -1: the program's own. The process is this program's child all the same. Once
    /// process number 1 of the namespace has ended, a start fails with ESRCH.
    int pid_namespace_fd = -1;
    /// The directory of a cgroup that the process joins before the program is executed (Linux,
    /// cgroups of version 2): all that it starts stays there, in whatever session, and can be ended
    /// by `cgroup.kill`. Empty: the program's own.
    std::string cgroup = {};
    /// User and group to become, by number (Linux, privileged). A user without a group gets its
    /// primary and its supplementary groups from the system's user database, which a start reads
    /// for that; Errc::user_has_no_group if that does not have the user. With a group that is
    /// given, a process that changes anything gives up its supplementary groups.
    std::optional<unsigned> user = {};
    std::optional<unsigned> group = {};
    /// Nothing that the process executes gets more privileges by set-user-ID or file capabilities
    /// (Linux).
    bool no_new_privs = false;
    std::vector<ResourceLimit> limits = {};
};

/// How to end a process: by a signal to its group, and by SIGKILL if the process has not ended
/// within the grace period.
struct Termination {
    int signal = SIGTERM;
    Duration grace = std::chrono::seconds{30};
};

/// All mistakes at once: the rules of an ExecAction and its options.
template <class = detail::OnUse>
[[nodiscard]] inline ConfigErrors validate(const ProcessSpec& spec) {
    ConfigErrors errors = validate(ExecAction{.command = spec.command,
                                              .environment = spec.environment,
                                              .inherit_environment = spec.inherit_environment,
                                              .working_directory = spec.working_directory});
    detail::validate_limits(spec.limits, errors);
    if (detail::has_nul(spec.cgroup)) errors.push_back({"cgroup", "must not contain NUL"});
    return errors;
}

} // namespace probekit::inline PROBEKIT_ABI
