// What would run, in words.
#pragma once

#include <string>

#include "manifest/pod_spec.hpp"

namespace supervisor {

/// "exec [test -e healthy] delay=1s timeout=1s period=3s #success=1 #failure=3", as `kubectl
/// describe` has it, and why it can never be carried out, if that is so.
[[nodiscard]] std::string described(const ContainerProbe& probe);

/// Lines, each with its line break: the pod, its containers in their order with their commands, and
/// their probes and hooks.
[[nodiscard]] std::string described(const PodSpec& pod);

} // namespace supervisor
