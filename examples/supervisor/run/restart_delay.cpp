#include "run/restart_delay.hpp"

#include <algorithm>
#include <chrono>
#include <system_error>
#include <utility>

namespace supervisor {
namespace {

using namespace std::chrono_literals;

/// A kubelet says it again whenever it synchronises the pod: every 10 to 15 s.
constexpr auto reminder_period = 12s;

// The back-off counts on a monotonic clock. Manifest time is one: it never goes back.
probekit::TimePoint to_time_point(Timestamp moment) {
    return probekit::TimePoint{moment.time_since_epoch()};
}
Timestamp to_timestamp(probekit::TimePoint moment) { return Timestamp{moment.time_since_epoch()}; }

} // namespace

RestartDelay::RestartDelay(asio::any_io_executor executor, const ManifestClock& clock,
                           Callbacks callbacks)
    : clock_(clock), callbacks_(std::move(callbacks)), timer_(executor) {}

void RestartDelay::container_ended(Timestamp at, bool killed_for_probe) {
    const probekit::TimePoint when = to_time_point(at);
    earliest_ =
        to_timestamp(killed_for_probe ? back_off_.after_kill(when) : back_off_.after_exit(when));
}

void RestartDelay::wait() {
    if (!std::exchange(waiting_, true)) wait_on();
}

void RestartDelay::wait_on() {
    if (is_over()) return callbacks_.over();
    callbacks_.remind();
    const probekit::Duration left = earliest_ - clock_.now();
    timer_.expires_after(clock_.real(std::min<probekit::Duration>(left, reminder_period)));
    timer_.async_wait([this](std::error_code error) {
        if (!error && waiting_) wait_on();
    });
}

void RestartDelay::cancel() {
    waiting_ = false;
    timer_.cancel();
}

} // namespace supervisor
