// Runs a container's lifecycle hooks: postStart and preStop. A hook is an attempt at something, so
// a probe does it.
#pragma once

#include <functional>
#include <memory>

#include "manifest/pod_spec.hpp"
#include "run/enclosure.hpp"
#include "run/supervision.hpp"

namespace supervisor {

class HookRunner {
public:
    /// Both outlive this. Hooks run in the enclosure.
    HookRunner(Supervision& supervision, const Enclosure& enclosure);
    HookRunner(const HookRunner&) = delete;
    HookRunner& operator=(const HookRunner&) = delete;
    ~HookRunner();

    /// Ends a hook that still runs, then runs this one, without a time limit. `done` is called
    /// later with whether it succeeded.
    void run(const Hook& hook, std::function<void(bool succeeded)> done);

    /// Ends the hook that runs, if any; its command is killed. Its `done` is not called.
    void cancel();

private:
    class Run;

    Supervision& supervision_;
    const Enclosure& enclosure_;
    std::shared_ptr<Run> run_;
};

} // namespace supervisor
