#include "run/guardian_watch.hpp"

#include <chrono>
#include <string>

namespace supervisor {

using namespace std::chrono_literals;

GuardianWatch::GuardianWatch(asio::any_io_executor executor, Enclosures& enclosures,
                             LineWriter& errors)
    : enclosures_(enclosures), errors_(errors), pipe_(executor), timer_(executor) {}

void GuardianWatch::start() {
    timer_.expires_after(1s);
    if (const std::error_code error = enclosures_.guardian_error()) return say_missing(error);
    await_end();
}

void GuardianWatch::stop() {
    stopped_ = true;
    if (pipe_.is_open()) pipe_.release();
    timer_.cancel();
}

/// A pipe that nobody reads has an error for who would write. No signal and no wait tells of it, so
/// it makes no difference who reaps what.
void GuardianWatch::await_end() {
    std::error_code error;
    pipe_.assign(enclosures_.guardian_pipe(), error);
    if (error)
        return static_cast<void>(errors_.write(
            "supervisor: the process supervisor-end cannot be watched: " + error.message()));
    pipe_.async_wait(asio::posix::stream_descriptor::wait_error, [this](std::error_code cancelled) {
        if (cancelled || stopped_) return; // stopped while this was on its way
        pipe_.release();
        try_later();
    });
}

void GuardianWatch::try_later() {
    timer_.async_wait([this](std::error_code cancelled) {
        if (!cancelled && !stopped_) start_another();
    });
}

void GuardianWatch::start_another() {
    timer_.expires_after(1s);
    if (const std::error_code error = enclosures_.replace_guardian()) return say_missing(error);
    errors_.write("supervisor: the process supervisor-end, which ends the containers if this one "
                  "is killed, had ended; there is another one");
    missing_ = false;
    await_end();
}

void GuardianWatch::say_missing(const std::error_code& error) {
    if (!missing_)
        errors_.write("supervisor: there is no process supervisor-end, and if this one is killed "
                      "its containers stay: " +
                      error.message());
    missing_ = true;
    try_later();
}

} // namespace supervisor
