// The wait before a container is started again, and what is said meanwhile: CrashLoopBackOff.
#pragma once

#include <functional>

#include <asio/any_io_executor.hpp>
#include <asio/steady_timer.hpp>

#include <probekit/core/duration.hpp>

#include "manifest/manifest_clock.hpp"

namespace supervisor {

class RestartDelay {
public:
    struct Callbacks {
        std::function<void()> remind =
            {}; ///< every now and then while it waits, for the first time soon
        std::function<void()> over = {}; ///< the wait is over
    };

    /// `clock` outlives this.
    RestartDelay(asio::any_io_executor executor, const ManifestClock& clock, Callbacks callbacks);

    /// Waits until `start_at`, in manifest time, reminding meanwhile.
    void wait_until(probekit::TimePoint start_at);
    /// Until cancel(), also when the wait is over: then the container is about to be started.
    [[nodiscard]] bool waiting() const noexcept { return waiting_; }
    void cancel();

private:
    void wait_on();

    const ManifestClock& clock_;
    Callbacks callbacks_;
    asio::steady_timer timer_;
    probekit::TimePoint start_at_ = {};
    bool waiting_ = false;
};

} // namespace supervisor
