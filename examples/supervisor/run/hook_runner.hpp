// Runs a container's lifecycle hooks: postStart and preStop. A hook is an attempt at something, so
// a probe does it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "manifest/pod_spec.hpp"
#include "run/enclosure.hpp"
#include "run/supervision.hpp"

namespace supervisor {

enum class HookEnd {
    succeeded,
    fell_back, ///< succeeded by HTTP, though the hook says HTTPS
    failed,
};

/// What an event says of a hook that fell back.
[[nodiscard]] std::string fallback_text(const Hook& hook);

class HookRunner {
public:
    /// Both outlive this. Hooks run in the enclosure.
    HookRunner(Supervision& supervision, const Enclosure& enclosure);
    HookRunner(const HookRunner&) = delete;
    HookRunner& operator=(const HookRunner&) = delete;
    ~HookRunner();

    /// Ends a hook that still runs, then runs this one, without a time limit. As in Kubernetes, one
    /// for HTTPS that meets plain HTTP is tried once more that way. `done` is called later.
    void run(const Hook& hook, std::function<void(HookEnd end)> done);

    /// Ends the hook that runs, if any; its command is killed. Its `done` is not called.
    void cancel();

private:
    class Run;

    Supervision& supervision_;
    const Enclosure& enclosure_;
    std::shared_ptr<Run> run_;
};

} // namespace supervisor
