// When a container that has ended may be started again, and what is said while it has to wait:
// CrashLoopBackOff.
#pragma once

#include <functional>

#include <asio/any_io_executor.hpp>
#include <asio/steady_timer.hpp>

#include <probekit/core/duration.hpp>
#include <probekit/core/restart.hpp>

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

    /// It ended by itself, or was killed for a probe: whether it has to wait then depends on the
    /// exit before this one.
    void container_ended(Timestamp at, bool killed_for_probe);

    /// Whether it may be started now.
    [[nodiscard]] bool is_over() const { return clock_.now() >= earliest_; }

    /// Waits until it may be started; does nothing if it waits already.
    void wait();
    /// Until cancel(), also when the wait is over: then it is about to be started.
    [[nodiscard]] bool waiting() const noexcept { return waiting_; }
    void cancel();

    /// How long the wait is in all.
    [[nodiscard]] probekit::Duration delay() const { return back_off_.current(); }

private:
    void wait_on();

    const ManifestClock& clock_;
    Callbacks callbacks_;
    asio::steady_timer timer_;
    probekit::RestartBackOff back_off_{{.wait_from_kill = true}}; // told moments of manifest time
    Timestamp earliest_ = {};
    bool waiting_ = false;
};

} // namespace supervisor
