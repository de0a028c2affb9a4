#include "run/pod_runner.hpp"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include <asio/post.hpp>

#include "view/pod_phase.hpp"

namespace supervisor {

PodRunner::PodRunner(const PodSpec& spec, Supervision& supervision, std::function<void()> ended)
    : spec_(spec), supervision_(supervision), ended_callback_(std::move(ended)) {
    const auto add = [this](const ContainerSpec& container) {
        containers_.emplace_back(spec_, container, supervision_, [this] { container_changed(); });
    };
    for (const ContainerSpec& container : spec_.init_containers) add(container);
    for (const ContainerSpec& container : spec_.containers) add(container);
}

void PodRunner::start() {
    created_ = supervision_.clock.now();
    publish(Change::added, compute_status());
    schedule_sync();
}

void PodRunner::container_changed() {
    if (ended_) return;
    // Once all containers have ended the pod may have, too: the sync finds out.
    if (PodStatus status = compute_status(); !all_terminated(status))
        publish_if_changed(std::move(status));
    schedule_sync();
}

/// Changes come in groups, and from deep inside: the pod thinks about them once, afterwards.
void PodRunner::schedule_sync() {
    if (std::exchange(sync_scheduled_, true)) return;
    asio::post(supervision_.executor, [this] {
        sync_scheduled_ = false;
        if (!ended_) sync();
    });
}

void PodRunner::sync() {
    if (ending_) return give_turns();
    if (std::any_of(containers_.begin(), containers_.end(),
                    [](const auto& one) { return one.busy(); }))
        return;

    std::vector<ContainerFacts> facts;
    for (ContainerRunner& container : containers_) {
        container.pod_synced();
        facts.push_back(container.facts());
    }
    const PodPlan plan = plan_pod(spec_, facts);
    if (plan.end) return begin_end();
    publish_if_changed(compute_status());
    for (const std::size_t index : plan.kill) containers_[index].kill_for_probe();
    if (!plan.kill.empty()) return; // what is to be started is planned anew when they have ended
    for (const std::size_t index : plan.start) {
        containers_[index].start();
        if (containers_[index].busy()) return; // its postStart hook holds up those behind it
    }
}

void PodRunner::remove() {
    if (ended_ || deletion_) return;
    const probekit::Duration grace = spec_.termination_grace_period;
    deletion_ =
        Deletion{.timestamp = saturating_add(supervision_.clock.now(), grace), .grace = grace};
    ending_ = true;
    publish(Change::modified, compute_status());
    begin_end();
}

void PodRunner::kill_now() {
    for (ContainerRunner& container : containers_) container.kill_now();
}

void PodRunner::begin_end() {
    ending_ = true;
    for (ContainerRunner& container : containers_) container.stop(container.spec().sidecar);
    container_changed();
}

/// Sidecars end after all regular containers, the last one first: those before it may be what it
/// needs.
void PodRunner::give_turns() {
    bool one_lives = false;
    for (auto container = containers_.rbegin(); container != containers_.rend(); ++container) {
        if (!one_lives && container->waits_for_turn()) container->turn_has_come();
        const bool nobodys_prerequisite = container->spec().init && !container->spec().sidecar;
        if (container->alive() && !nobodys_prerequisite) one_lives = true;
    }
    if (std::none_of(containers_.begin(), containers_.end(),
                     [](const auto& one) { return one.alive(); }))
        finish();
}

void PodRunner::finish() {
    ended_ = true;
    for (ContainerRunner& container : containers_) container.stop_probes();
    publish_if_changed(compute_status());
    if (deletion_) publish(Change::deleted, status_);
    ended_callback_();
}

void PodRunner::publish_if_changed(PodStatus status) {
    if (status != status_) publish(Change::modified, std::move(status));
}

void PodRunner::publish(Change change, PodStatus status) {
    status_ = std::move(status);
    change_ = change;
    show();
}

void PodRunner::show() {
    const PodView view{.spec = spec_,
                       .uid = spec_.uid,
                       .created = created_,
                       .deletion = deletion_,
                       .status = status_};
    const bool is_new = change_ == Change::modified && !announced_;
    if (supervision_.output.pod(is_new ? Change::added : change_, view, supervision_.clock.now()))
        announced_ = true;
}

PodStatus PodRunner::compute_status() const {
    PodStatus status{.conditions = status_.conditions};
    for (const ContainerRunner& container : containers_)
        (container.spec().init ? status.init_containers : status.containers)
            .push_back(container.status());
    const bool over = ended_ || (ending_ && all_terminated(status));
    const PodEnd end = !over ? PodEnd::no : deletion_ ? PodEnd::removed : PodEnd::by_itself;
    status.phase = phase_of(spec_, status, end);
    status.conditions = conditions_of(status, supervision_.clock.now());
    return status;
}

} // namespace supervisor
