#include "run/supervisor.hpp"

#include <algorithm>
#include <csignal>
#include <string>
#include <system_error>

#include <unistd.h>

#include <asio/post.hpp>

namespace supervisor {
namespace {

std::size_t longest_name(const std::vector<PodSpec>& pods) {
    std::size_t longest = 0;
    for (const PodSpec& pod : pods) longest = std::max(longest, pod.name.size());
    return longest;
}

AttemptsAtOnce attempts_at_once(const Enclosures& enclosures, const std::vector<PodSpec>& pods) {
    std::size_t containers = 0;
    for (const PodSpec& pod : pods)
        containers += pod.init_containers.size() + pod.containers.size();
    return attempts_within(enclosures.descriptors(), containers);
}

/// Closing the terminal also ends the supervisor, unless SIGHUP is ignored (nohup).
bool heeds_hangup() {
    struct sigaction action = {};
    return ::sigaction(SIGHUP, nullptr, &action) == 0 && action.sa_handler != SIG_IGN;
}

/// `how`: SIG_BLOCK or SIG_UNBLOCK for those that end the supervisor.
void mask_signals(int how) {
    sigset_t signals;
    ::sigemptyset(&signals);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals, signal);
    ::pthread_sigmask(how, &signals, nullptr);
}

} // namespace

Supervisor::Supervisor(const Options& options, const std::vector<PodSpec>& pods)
    : options_(options),
      enclosures_(options),
      standard_output_(STDOUT_FILENO),
      standard_error_(STDERR_FILENO),
      clock_(options.time_scale),
      output_(make_output(options.output, standard_output_, longest_name(pods))),
      events_([this](const Event& event) { output_->event(event, clock_.now()); }),
      logs_(io_.get_executor(), options, standard_error_),
      attempts_(attempts_at_once(enclosures_, pods).probes),
      hook_permits_(attempts_at_once(enclosures_, pods).hooks),
      supervision_{.executor = io_.get_executor(),
                   .options = options,
                   .clock = clock_,
                   .events = events_,
                   .logs = logs_,
                   .output = *output_,
                   .enclosures = enclosures_,
                   .attempts = attempts_,
                   .hook_permits = hook_permits_},
      signals_(io_, SIGINT, SIGTERM),
      orphans_(io_.get_executor(), enclosures_),
      guardian_(io_.get_executor(), enclosures_, standard_error_),
      duration_(io_) {
    standard_output_.callbacks(
        {// The output has no reader any more: end everything in order.
         .failed = [this] { asio::post(io_, [this] { remove_pods(); }); },
         .drained = [this] { asio::post(io_, [this] { show_what_was_missed(); }); }});
    if (heeds_hangup()) signals_.add(SIGHUP);
    mask_signals(SIG_UNBLOCK); // whoever started us may have blocked them
    for (const PodSpec& pod : pods) pods_.emplace_back(pod, supervision_, [this] { pod_ended(); });
    shown_again_ = pods_.size();
}

ExitCode Supervisor::run() {
    await_signal();
    orphans_.start();
    guardian_.start();
    await_end_of_duration();
    for (PodRunner& pod : pods_) pod.start();
    io_.run(); // until nothing is left to wait for: processes reaped, attempts in flight cleaned up
    enclosures_.end();
    // What comes when all has ended has nothing left to end, and must not change the exit status.
    mask_signals(SIG_BLOCK);

    while (standard_output_.flush() && show_what_was_missed()) {}
    logs_.flush();
    standard_error_.flush();
    if (standard_output_.error()) return ExitCode::broken;
    const bool failed = std::any_of(pods_.begin(), pods_.end(),
                                    [](const auto& pod) { return pod.failed_by_itself(); });
    return failed ? ExitCode::pod_failed : ExitCode::success;
}

void Supervisor::await_signal() {
    signals_.async_wait([this](std::error_code error, int signal) {
        if (error || all_ended()) return; // it may have come just before it was cancelled
        if (!removing_)
            remove_pods();
        else if (signal != SIGHUP) // which a closed terminal sends more than once
            for (PodRunner& pod : pods_) pod.kill_now();
        await_signal();
    });
}

void Supervisor::await_end_of_duration() {
    const Timestamp now = clock_.now();
    const Timestamp end = end_of_run(now, options_.duration);
    duration_.expires_after(clock_.real(end - now));
    duration_.async_wait([this, end](std::error_code error) {
        if (error) return;
        if (end == end_of_time)
            standard_error_.write("supervisor: the end of manifest time has come, " + rfc3339(end));
        remove_pods();
    });
}

void Supervisor::remove_pods() {
    removing_ = true;
    for (PodRunner& pod : pods_) pod.remove();
}

/// Lines were dropped, and all others have been written: now there is somebody who reads again.
/// Returns whether there was anything to show.
bool Supervisor::show_what_was_missed() {
    if (const std::size_t dropped = standard_output_.take_dropped(); dropped != 0) {
        standard_error_.write(
            "supervisor: standard output was not read: " + std::to_string(dropped) +
            " lines are missing, the last state of each pod follows");
        output_->start_over();
        shown_again_ = 0;
    }
    if (shown_again_ == pods_.size()) return false;
    // In parts, so that none of it is dropped.
    while (shown_again_ != pods_.size() && standard_output_.has_room())
        pods_[shown_again_++].show();
    if (shown_again_ != pods_.size()) standard_output_.notify_when_drained();
    return true;
}

bool Supervisor::all_ended() const {
    return std::all_of(pods_.begin(), pods_.end(),
                       [](const PodRunner& pod) { return pod.ended(); });
}

void Supervisor::pod_ended() {
    if (!all_ended()) return;
    signals_.cancel();
    orphans_.stop();
    guardian_.stop();
    duration_.cancel();
    logs_.close();
}

} // namespace supervisor
