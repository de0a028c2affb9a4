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

/// What becomes of a process's stdout and stderr.
enum class ProcessOutput : std::uint8_t {
    inherit, ///< they are the program's own
    discard, ///< /dev/null
    capture, ///< kept up to a limit, the rest is drained: the process never blocks on a full pipe
};

/// What to start, and how. The process gets descriptors 0, 1 and 2 and no other one, whatever the
/// program has open; a process group of its own; no blocked and no ignored signals.
struct ProcessSpec {
    /// Program and arguments. Executed as it is, without a shell. A program without a slash is
    /// looked for in the PATH of the environment the process gets.
    std::vector<std::string> command = {};
    std::vector<std::string> environment =
        {}; ///< "NAME=value"; these win over inherited ones, later over earlier
    bool inherit_environment = true;
    std::string working_directory =
        {}; ///< empty: the program's own. A relative program is looked for from there
    ProcessOutput output = ProcessOutput::inherit;
    std::size_t output_limit = 10240; ///< bytes kept if captured
    int stdin_fd = -1;                ///< given descriptors instead: duplicated, not closed
    int stdout_fd = -1;               ///< -1 for stdin: /dev/null; for the others: as `output` says
    int stderr_fd = -1;
    /// Make it process 1 of a PID namespace of its own (Linux, privileged): SIGTERM then only
    /// reaches it if it handles it, and all other processes in there end with it. As in a
    /// container.
    bool pid_namespace = false;
    /// User and group to become, by number. Whenever this changes anything, supplementary groups
    /// are given up.
    std::optional<unsigned> user = {};
    std::optional<unsigned> group = {};
    std::vector<ResourceLimit> limits = {};
};

/// How to end a process: a signal to its group, and SIGKILL if it has not ended within the grace
/// period.
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
    return errors;
}

} // namespace probekit::inline PROBEKIT_ABI
