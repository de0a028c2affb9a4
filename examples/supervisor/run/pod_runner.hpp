// One pod: starts its containers in their order, keeps them as their restart policies say, and ends
// them in order.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "manifest/pod_spec.hpp"
#include "run/container_runner.hpp"
#include "run/supervision.hpp"
#include "view/pod_status.hpp"

namespace supervisor {

class PodRunner {
public:
    /// `spec` and `supervision` outlive this. `ended` is called once, when nothing of the pod runs
    /// any more and nothing will. Throws probekit::ConfigException for a probe that cannot be made.
    PodRunner(const PodSpec& spec, Supervision& supervision, std::function<void()> ended);
    PodRunner(const PodRunner&) = delete;
    PodRunner& operator=(const PodRunner&) = delete;

    void start();

    /// The user deletes the pod. Does nothing if it has ended or is being deleted.
    void remove();
    /// Kills what is left of it.
    void kill_now();
    /// Says once more what it said last, for a reader that has missed lines.
    void show();

    [[nodiscard]] bool ended() const noexcept { return ended_; }
    /// Ended by itself, and badly.
    [[nodiscard]] bool failed_by_itself() const noexcept {
        return ended_ && !deletion_ && status_.phase == PodPhase::failed;
    }

private:
    void container_changed();
    void schedule_sync();
    void sync();
    void begin_end();
    void give_turns();
    void finish();
    void publish_if_changed(PodStatus status);
    void publish(Change change, PodStatus status);
    [[nodiscard]] PodStatus compute_status() const;

    const PodSpec& spec_;
    Supervision& supervision_;
    std::function<void()> ended_callback_;
    Timestamp created_ = {};
    std::optional<Deletion> deletion_ = {};
    std::deque<ContainerRunner> containers_ = {}; // as they stand in the pod, init containers first
    PodStatus status_ = {};                       // as last published
    Change change_ = Change::added;               // as last published
    bool announced_ = false; // a line about it was written, so a reader may know it
    bool sync_scheduled_ = false;
    bool ending_ = false;
    bool ended_ = false;
};

} // namespace supervisor
