// Pods for the tests of the supervisor, in a few words.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "manifest/manifest_clock.hpp"
#include "manifest/pod_spec.hpp"
#include "view/pod_status.hpp"

namespace supervisor::test {

using namespace std::chrono_literals;

/// A moment `after` an arbitrary beginning, 2026-01-31T12:00:00Z.
inline Timestamp at(probekit::Duration after) {
    return Timestamp{std::chrono::sys_days{std::chrono::January / 31 / 2026} + 12h} + after;
}

inline ContainerStatus waiting(std::string name, std::string reason = "ContainerCreating") {
    return {.name = std::move(name), .state = Waiting{.reason = std::move(reason)}};
}

inline ContainerStatus running(std::string name, bool ready = true) {
    return {.name = std::move(name),
            .ready = ready,
            .started = true,
            .state = Running{.started_at = at(1s)}};
}

inline Terminated ended_with(int exit_code, Timestamp when = at(10s)) {
    return {.exit_code = exit_code,
            .reason = exit_code == 0 ? "Completed" : "Error",
            .started_at = at(1s),
            .finished_at = when};
}

inline ContainerStatus exited(std::string name, int exit_code) {
    return {.name = std::move(name), .state = ended_with(exit_code)};
}

/// Waits to be started again after it ended with `exit_code`.
inline ContainerStatus backing_off(std::string name, int exit_code, int restarts = 1) {
    return {.name = std::move(name),
            .restart_count = restarts,
            .state = Waiting{.reason = "CrashLoopBackOff"},
            .last_state = ended_with(exit_code)};
}

/// An init container that is done.
inline ContainerStatus completed_init(std::string name) {
    ContainerStatus status = exited(std::move(name), 0);
    status.ready = true;
    return status;
}

inline ContainerStatus as_sidecar(ContainerStatus status) {
    status.sidecar = true;
    return status;
}

} // namespace supervisor::test
