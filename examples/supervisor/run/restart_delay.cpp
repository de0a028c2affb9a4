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

} // namespace

RestartDelay::RestartDelay(asio::any_io_executor executor, const ManifestClock& clock,
                           Callbacks callbacks)
    : clock_(clock), callbacks_(std::move(callbacks)), timer_(executor) {}

void RestartDelay::wait_until(probekit::TimePoint start_at) {
    start_at_ = start_at;
    waiting_ = true;
    wait_on();
}

void RestartDelay::wait_on() {
    const probekit::Duration left = start_at_ - monotonic(clock_.now());
    if (left <= probekit::Duration::zero()) return callbacks_.over();
    callbacks_.remind();
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
