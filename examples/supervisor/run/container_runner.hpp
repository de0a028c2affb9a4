// One container: a process that is started, probed, restarted and stopped, and what Kubernetes says
// of it meanwhile. When to start or kill it is the pod's decision.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <system_error>

#include <probekit/core/container_fsm.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/process/process.hpp>

#include "manifest/pod_spec.hpp"
#include "run/container_probes.hpp"
#include "run/container_stop.hpp"
#include "run/enclosure.hpp"
#include "run/hook_runner.hpp"
#include "run/pod_plan.hpp"
#include "run/restart_delay.hpp"
#include "run/supervision.hpp"
#include "view/pod_status.hpp"

namespace supervisor {

class ContainerRunner {
public:
    /// `pod`, `spec` and `supervision` outlive this. `changed` is called when status() or
    /// facts() is another. Throws probekit::ConfigException for a probe that cannot be made.
    ContainerRunner(const PodSpec& pod, const ContainerSpec& spec, Supervision& supervision,
                    std::function<void()> changed);

    /// Starts it, or waits for the end of its back-off and then reports that it may be started
    /// again. It must want to be started.
    void start();
    /// A probe has failed: ends it, to be started again if its policy allows.
    void kill_for_probe();
    void pod_synced() {
        if (up()) probes_.pod_synced();
    }
    /// Ends it for good. With `in_turn` SIGTERM waits for turn_has_come().
    void stop(bool in_turn);
    void turn_has_come() { stop_.turn_has_come(); }
    /// Ends it at once.
    void kill_now();
    /// The pod is over: its probes end.
    void stop_probes() { probes_.stop(); }

    [[nodiscard]] const ContainerSpec& spec() const noexcept { return spec_; }
    [[nodiscard]] bool alive() const noexcept { return fsm_.alive(); }
    /// Being started or being killed: the pod waits for the end of that before it does anything
    /// else.
    [[nodiscard]] bool busy() const noexcept { return (alive() && !up_) || stop_.active(); }
    [[nodiscard]] bool waits_for_turn() const noexcept { return stop_.waits_for_turn(); }
    [[nodiscard]] ContainerFacts facts() const;
    [[nodiscard]] ContainerStatus status() const;

private:
    /// Its process runs, and its postStart hook has ended.
    [[nodiscard]] bool up() const noexcept { return alive() && up_; }
    [[nodiscard]] probekit::TimePoint now() const { return monotonic(supervision_.clock.now()); }
    void start_process();
    void start_failed(const std::error_code& error);
    void run_post_start();
    void started();
    void process_ended(const std::error_code& error, probekit::ExitStatus exit);
    void record_exit(Terminated exit);
    void kill(const std::string& message, probekit::Duration grace, bool in_turn = false);
    [[nodiscard]] Waiting not_running_yet() const;
    [[nodiscard]] Waiting crash_loop() const;
    [[nodiscard]] std::string full_name() const;
    void tell_fallback(const Hook& hook);
    void event(EventType type, std::string reason, std::string message);

    const PodSpec& pod_;
    const ContainerSpec& spec_;
    Supervision& supervision_;
    std::function<void()> changed_;

    probekit::ContainerFsm fsm_; // in manifest time
    Enclosure enclosure_;
    probekit::Process process_;
    ContainerProbes probes_;
    HookRunner post_start_;
    ContainerStop stop_;
    RestartDelay delay_;

    bool up_ = false; // of the run that is alive
    int starts_ = 0;
    std::string container_id_ = {};
    Timestamp started_at_ = {};
    std::optional<Terminated> last_exit_ = {};
    std::optional<Terminated> exit_before_ = {};
};

} // namespace supervisor
