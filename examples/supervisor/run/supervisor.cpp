#include "run/supervisor.hpp"

#include <algorithm>
#include <csignal>
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

/// The closed terminal ends the supervisor too, unless somebody (nohup) has it ignored.
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
      standard_output_(STDOUT_FILENO),
      standard_error_(STDERR_FILENO),
      clock_(options.time_scale),
      output_(make_output(options.output, standard_output_, longest_name(pods))),
      events_([this](const Event& event) { output_->event(event, clock_.now()); }),
      logs_(io_.get_executor(), options, standard_error_),
      supervision_{.executor = io_.get_executor(),
                   .options = options,
                   .clock = clock_,
                   .events = events_,
                   .logs = logs_,
                   .output = *output_},
      signals_(io_, SIGINT, SIGTERM),
      duration_(io_) {
    // The output has no reader any more: end everything in order, but not from inside the write.
    standard_output_.on_error([this] { asio::post(io_, [this] { remove_pods(); }); });
    if (heeds_hangup()) signals_.add(SIGHUP);
    mask_signals(SIG_UNBLOCK); // whoever started us may have blocked them
    for (const PodSpec& pod : pods) {
        logs_.prepare(pod.name);
        pods_.emplace_back(pod, supervision_, [this] { pod_ended(); });
    }
}

ExitCode Supervisor::run() {
    await_signal();
    await_end_of_duration();
    for (PodRunner& pod : pods_) pod.start();
    io_.run(); // until nothing is left to wait for: processes reaped, attempts in flight cleaned up
    // What comes when all has ended has nothing left to end, and must not change the exit status.
    mask_signals(SIG_BLOCK);

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
    if (!options_.duration) return;
    duration_.expires_after(clock_.real(*options_.duration));
    duration_.async_wait([this](std::error_code error) {
        if (!error) remove_pods();
    });
}

void Supervisor::remove_pods() {
    removing_ = true;
    for (PodRunner& pod : pods_) pod.remove();
}

bool Supervisor::all_ended() const {
    return std::all_of(pods_.begin(), pods_.end(),
                       [](const PodRunner& pod) { return pod.ended(); });
}

void Supervisor::pod_ended() {
    if (!all_ended()) return;
    signals_.cancel();
    duration_.cancel();
    logs_.close();
}

} // namespace supervisor
