#include "run/container_stop.hpp"

#include <algorithm>
#include <csignal>
#include <system_error>
#include <utility>

#include <probekit/core/container_fsm.hpp>

namespace supervisor {

using namespace std::chrono_literals;

ContainerStop::ContainerStop(Supervision& supervision, const Enclosure& enclosure,
                             probekit::Process& process, std::function<void()> step_changed)
    : process_(process),
      clock_(supervision.clock),
      options_(supervision.options),
      step_changed_(std::move(step_changed)),
      timer_(supervision.executor),
      hooks_(supervision, enclosure) {}

void ContainerStop::begin(Request request) {
    if (active()) return shorten(request.grace);
    request_ = std::move(request);
    counted_until_ = clock_.now();
    if (request_.pre_stop == nullptr || request_.grace <= 0s) return wait_for_turn();
    enter(Step::pre_stop);
    hooks_.run(*request_.pre_stop, [this, number = step_number_](HookEnd end) {
        if (number != step_number_) return; // it was too slow, and is no longer waited for
        request_.hook_ended(end);
        wait_for_turn();
    });
    after_at_most(request_.grace, &ContainerStop::wait_for_turn);
}

void ContainerStop::shorten(probekit::Duration grace) {
    spend_time();
    request_.grace = std::min(request_.grace, grace);
    if (step_ == Step::pre_stop) after_at_most(request_.grace, &ContainerStop::wait_for_turn);
    if (step_ == Step::turn) after_at_most(request_.grace, &ContainerStop::turn_has_come);
    if (step_ == Step::terminate) terminate();
}

void ContainerStop::wait_for_turn() {
    spend_time();
    if (!request_.in_turn || request_.grace <= 0s) return terminate();
    enter(Step::turn);
    after_at_most(request_.grace, &ContainerStop::turn_has_come);
}

void ContainerStop::turn_has_come() {
    spend_time();
    terminate();
}

void ContainerStop::terminate() {
    enter(Step::terminate);
    // Whatever hooks and turns have taken.
    const probekit::Duration grace = probekit::effective_grace_period(request_.grace);
    probekit::Termination how{.signal = SIGTERM, .grace = clock_.real(grace)};
    if (options_.pid_namespace) {
        // A container runtime signals process 1 only. What it has started ends with it, and not
        // before.
        how.signal = 0;
        if (const int pid = process_.pid(); pid > 0) ::kill(pid, SIGTERM);
    }
    process_.async_terminate(how, [](std::error_code, probekit::ExitStatus) {});
}

void ContainerStop::kill_now() {
    enter(Step::terminate);
    hooks_.cancel();
    process_.async_terminate({.signal = SIGKILL, .grace = 0s},
                             [](std::error_code, probekit::ExitStatus) {});
}

void ContainerStop::finished() {
    enter(Step::none);
    hooks_.cancel();
}

void ContainerStop::enter(Step step) {
    step_ = step;
    ++step_number_;
    timer_.cancel();
    step_changed_();
}

/// The kubelet counts what was spent in whole seconds.
void ContainerStop::spend_time() {
    const Timestamp now = clock_.now();
    request_.grace -= std::chrono::floor<std::chrono::seconds>(now - counted_until_);
    counted_until_ = now;
}

void ContainerStop::after_at_most(probekit::Duration manifest_time, void (ContainerStop::*next)()) {
    timer_.expires_after(clock_.real(manifest_time));
    timer_.async_wait([this, next, number = step_number_](std::error_code error) {
        if (!error && number == step_number_) (this->*next)();
    });
}

} // namespace supervisor
