// Runs a container's lifecycle hooks: postStart and preStop. A hook is an attempt at something, so
// a probe does it.
#pragma once

#include <functional>
#include <memory>

#include <asio/any_io_executor.hpp>

#include "manifest/manifest_clock.hpp"
#include "manifest/pod_spec.hpp"

namespace supervisor {

class HookRunner {
public:
    HookRunner(asio::any_io_executor executor, const ManifestClock& clock);
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

    asio::any_io_executor executor_;
    const ManifestClock& clock_;
    std::shared_ptr<Run> run_;
};

} // namespace supervisor
