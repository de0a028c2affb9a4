// How a container is ended: preStop hook, its turn among the others, SIGTERM, grace period,
// SIGKILL. All of it comes out of the one grace period, as in the kubelet.
#pragma once

#include <cstdint>
#include <functional>

#include <asio/steady_timer.hpp>

#include <probekit/core/duration.hpp>
#include <probekit/process/process.hpp>

#include "manifest/manifest_clock.hpp"
#include "manifest/options.hpp"
#include "manifest/pod_spec.hpp"
#include "run/enclosure.hpp"
#include "run/hook_runner.hpp"
#include "run/supervision.hpp"

namespace supervisor {

class ContainerStop {
public:
    struct Request {
        probekit::Duration grace = {};  ///< in manifest time
        const Hook* pre_stop = nullptr; ///< none: no hook
        bool in_turn = false;           ///< wait for turn_has_come() before SIGTERM
        std::function<void(HookEnd)> hook_ended = {};
    };

    /// All outlive this. `step_changed` is called at every step: active() or waits_for_turn() may
    /// have changed, and the pod may be waiting for that.
    ContainerStop(Supervision& supervision, const Enclosure& enclosure, probekit::Process& process,
                  std::function<void()> step_changed);

    /// Begins to end the process. While that is under way already, the shorter grace period holds.
    void begin(Request request);

    [[nodiscard]] bool active() const noexcept { return step_ != Step::none; }
    [[nodiscard]] bool waits_for_turn() const noexcept { return step_ == Step::turn; }
    void turn_has_come();

    /// SIGKILL, at once.
    void kill_now();

    /// The process has ended.
    void finished();

private:
    enum class Step { none, pre_stop, turn, terminate };

    void shorten(probekit::Duration grace);
    void wait_for_turn();
    void terminate();
    void enter(Step step);
    void spend_time();
    void after_at_most(probekit::Duration manifest_time, void (ContainerStop::*next)());

    probekit::Process& process_;
    const ManifestClock& clock_;
    const Options& options_;
    std::function<void()> step_changed_;
    asio::steady_timer timer_;
    HookRunner hooks_;
    Step step_ = Step::none;
    std::uint64_t step_number_ = 0; // a callback of an earlier step comes too late
    Timestamp counted_until_ = {};  // request_.grace is what was left at that moment
    Request request_ = {};
};

} // namespace supervisor
