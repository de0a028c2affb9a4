#include "run/container_runner.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include <asio/error.hpp>

#include <probekit/core/kubelet_text.hpp>

#include "run/process_facts.hpp"

namespace supervisor {
namespace {

using Action = probekit::ContainerDecision::Action;

probekit::ProcessSpec process_spec(const ContainerSpec& container, const Enclosure& enclosure) {
    probekit::ProcessSpec spec{.command = container.command,
                               .environment = container.environment,
                               .working_directory = container.working_directory};
    enclosure.enclose(spec);
    return spec;
}

} // namespace

ContainerRunner::ContainerRunner(const PodSpec& pod, const ContainerSpec& spec,
                                 Supervision& supervision, std::function<void()> changed)
    : pod_(pod),
      spec_(spec),
      supervision_(supervision),
      changed_(std::move(changed)),
      fsm_({.restart_policy = spec.restart_policy,
            .termination_grace_period = pod.termination_grace_period}),
      enclosure_(supervision.enclosures, pod.name_space + "/" + pod.name + "/" + spec.name),
      process_(supervision.executor),
      probes_(supervision, enclosure_, spec,
              {.event =
                   [this](EventType type, std::string reason, std::string message) {
                       event(type, std::move(reason), std::move(message));
                   },
               .changed = changed_}),
      post_start_(supervision, enclosure_),
      stop_(supervision, enclosure_, process_, changed_),
      delay_(supervision.executor, supervision.clock,
             {.remind =
                  [this] {
                      event(EventType::warning, "BackOff",
                            "Back-off restarting failed container " + spec_.name + " in pod " +
                                full_name());
                      changed_(); // the pod is synchronised, which is why it is said again
                  },
              .over = changed_}) {}

void ContainerRunner::start() {
    const probekit::ContainerDecision decision = fsm_.step(probekit::event::Due{}, now());
    if (decision.action == Action::wait) {
        if (delay_.waiting()) return;
        delay_.wait_until(decision.at);
        return changed_();
    }
    delay_.cancel();
    start_process();
}

void ContainerRunner::start_process() {
    up_ = false;
    ++starts_;
    event(EventType::normal, "Created", "Container created");

    probekit::ProcessSpec process = process_spec(spec_, enclosure_);
    const UniqueFd log = supervision_.logs.route(process, pod_, spec_.name);
    if (const std::error_code error = process_.start(process)) return start_failed(error);

    enclosure_.started(process_.last_pid());
    started_at_ = supervision_.clock.now();
    container_id_ = container_id(process_.last_pid()); // it may have ended already
    fsm_.step(probekit::event::Started{}, now());
    event(EventType::normal, "Started", "Container started");
    process_.async_wait([this](std::error_code error, probekit::ExitStatus exit) {
        if (error != asio::error::operation_aborted) process_ended(error, exit);
    });
    if (!spec_.post_start) return started();
    run_post_start();
}

void ContainerRunner::start_failed(const std::error_code& error) {
    const std::string text = start_error_text(spec_, error);
    event(EventType::warning, "Failed", "Error: " + text);
    container_id_.clear();
    const Timestamp finished_at = supervision_.clock.now();
    fsm_.step(probekit::event::StartFailed{}, monotonic(finished_at));
    record_exit({.exit_code = probekit::exit_of_failed_start.as_shell(),
                 .reason = "StartError",
                 .message = text,
                 .started_at = {},
                 .finished_at = finished_at});
}

void ContainerRunner::run_post_start() {
    post_start_.run(*spec_.post_start, [this](HookEnd end) {
        if (end == HookEnd::fell_back) tell_fallback(*spec_.post_start);
        if (end != HookEnd::failed) return started();
        event(EventType::warning, "FailedPostStartHook", "PostStartHook failed");
        kill("FailedPostStartHook", pod_.termination_grace_period);
    });
    changed_();
}

void ContainerRunner::started() {
    up_ = true;
    probes_.container_started();
    changed_();
}

void ContainerRunner::process_ended(const std::error_code& error, probekit::ExitStatus exit) {
    post_start_.cancel();
    stop_.finished();
    probes_.container_ended();
    enclosure_.ended();
    const bool unknown = static_cast<bool>(error);
    if (unknown) exit = probekit::exit_of_lost_status;
    const Timestamp finished_at = supervision_.clock.now();
    fsm_.step(probekit::event::Ended{exit}, monotonic(finished_at));
    record_exit({.exit_code = exit.as_shell(),
                 .signal = exit.signal,
                 .reason = unknown     ? "ContainerStatusUnknown"
                           : exit.ok() ? "Completed"
                                       : "Error",
                 .message = unknown ? error.message() : "",
                 .started_at = started_at_,
                 .finished_at = finished_at,
                 .container_id = container_id_});
}

void ContainerRunner::record_exit(Terminated exit) {
    exit_before_ = std::exchange(last_exit_, std::move(exit));
    changed_();
}

void ContainerRunner::kill_for_probe() {
    const probekit::ProbeKind kind = *probes_.failed();
    const probekit::ContainerDecision decision = fsm_.step(
        probekit::event::ProbeFailed{kind,
                                     probes_.probe(kind).settings.spec.termination_grace_period},
        now());
    if (decision.action != Action::signal) return;

    const bool startup = kind == probekit::ProbeKind::startup;
    std::string message = (spec_.init ? "Init container " : "Container ") + spec_.name +
                          " failed " + (startup ? "startup" : "liveness") + " probe";
    if (fsm_.restart_decided() && !spec_.init) message += ", will be restarted";
    kill(message, decision.granted);
}

void ContainerRunner::stop(bool in_turn) {
    delay_.cancel();
    probes_.pod_terminating();
    const probekit::ContainerDecision decision = fsm_.step(probekit::event::StopAsked{}, now());
    if (decision.action != Action::signal) return;
    post_start_.cancel();
    kill("Stopping container " + spec_.name, decision.granted, in_turn);
}

void ContainerRunner::kill(const std::string& message, probekit::Duration grace, bool in_turn) {
    event(EventType::normal, "Killing", message);
    stop_.begin({.grace = grace,
                 .pre_stop = spec_.pre_stop ? &*spec_.pre_stop : nullptr,
                 .in_turn = in_turn,
                 .hook_ended = [this](HookEnd end) {
                     if (end == HookEnd::fell_back) tell_fallback(*spec_.pre_stop);
                     if (end == HookEnd::failed)
                         event(EventType::warning, "FailedPreStopHook", "PreStopHook failed");
                 }});
}

void ContainerRunner::kill_now() {
    if (alive()) stop_.kill_now();
}

ContainerFacts ContainerRunner::facts() const {
    return {.state = fsm_.state(),
            .started = up() && probes_.started(),
            .probe_failed = up() && probes_.failed().has_value(),
            .exited_ok = last_exit_ && last_exit_->exit_code == 0};
}

ContainerStatus ContainerRunner::status() const {
    ContainerStatus status{.name = spec_.name,
                           .image = spec_.image,
                           .container_id = container_id_,
                           .sidecar = spec_.sidecar,
                           .restart_count = std::max(0, starts_ - 1),
                           .last_state = last_exit_};
    const bool plain_init = spec_.init && !spec_.sidecar;
    if (up()) {
        status.state = Running{.started_at = started_at_};
        status.started = probes_.started();
        status.ready = probes_.ready() && !plain_init;
    } else if (alive() || !last_exit_) {
        status.state = not_running_yet();
    } else if (delay_.waiting()) {
        status.state = crash_loop();
    } else {
        status.state = *last_exit_;
        status.last_state = exit_before_;
        status.ready = plain_init && last_exit_->exit_code == 0;
    }
    return status;
}

Waiting ContainerRunner::not_running_yet() const {
    return {.reason = pod_.init_containers.empty() ? "ContainerCreating" : "PodInitializing"};
}

Waiting ContainerRunner::crash_loop() const {
    return {.reason = "CrashLoopBackOff",
            .message = probekit::kubelet::back_off_text(fsm_.back_off().current()) +
                       " restarting failed container=" + spec_.name + " pod=" + full_name()};
}

/// A pod as the kubelet names it in messages.
std::string ContainerRunner::full_name() const {
    return pod_.name + "_" + pod_.name_space + "(" + pod_.uid + ")";
}

/// An event of the pod, not of a container.
void ContainerRunner::tell_fallback(const Hook& hook) {
    supervision_.events.record({.pod = pod_.name, .name_space = pod_.name_space, .uid = pod_.uid},
                               EventType::warning, "LifecycleHTTPFallback", fallback_text(hook),
                               supervision_.clock.now());
}

void ContainerRunner::event(EventType type, std::string reason, std::string message) {
    const EventTarget target{.pod = pod_.name,
                             .name_space = pod_.name_space,
                             .uid = pod_.uid,
                             .field_path = spec_.field_path()};
    supervision_.events.record(target, type, std::move(reason), std::move(message),
                               supervision_.clock.now());
}

} // namespace supervisor
