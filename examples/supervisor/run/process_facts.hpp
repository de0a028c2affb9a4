// What Kubernetes says of a container's process.
#pragma once

#include <string>
#include <system_error>

#include "manifest/pod_spec.hpp"

namespace supervisor {

/// "local://PID-STARTTIME": names one process for ever, as the kernel may give its number to
/// another later.
[[nodiscard]] std::string container_id(int pid);

/// Why a container's command could not be executed, in the words of a container runtime:
/// `exec: "foo": executable file not found in $PATH`.
[[nodiscard]] std::string start_error_text(const ContainerSpec& container,
                                           const std::error_code& error);

} // namespace supervisor
