// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI::testing {

/// A clock for tests that stands still until a test moves it.
/// \code
/// testing::ManualClock clock{io};
/// FunctionProbe probe{io, [] { return true; }};
/// ProbeWorker worker{clock, probe, ProbeSpec{.success_threshold = 3}};
/// worker.start();
/// clock.advance(20s); // checks at 0 s, 10 s and 20 s; no time passes
/// if (!worker.passing()) std::abort();
/// \endcode
///
/// It drives the workers and groups that were constructed with it, all on one io_context, so no
/// test needs to sleep. It runs the io_context itself, so only one thread may use both. It must
/// outlive those workers and groups.
class ManualClock final : private detail::WheelDriver {
public:
    /// The time is `start` at first.
    explicit ManualClock(asio::io_context& io, TimePoint start = TimePoint{std::chrono::hours{1}})
        : io_(io), now_(start) {}
    ManualClock(const ManualClock&) = delete;
    ManualClock& operator=(const ManualClock&) = delete;
    ~ManualClock() {
        for (detail::Wheel* const wheel : wheels_) wheel->forget_driver();
    }

    [[nodiscard]] TimePoint now() const noexcept { return now_; }

    /// Moves time forward by `span`, from one due timer to the next, up to and including now() +
    /// span. At each it restarts the io_context and polls it until nothing is ready, so that
    /// everything that follows from a check has happened before time goes on.
    void advance(Duration span) {
        const TimePoint end = detail::saturating_add(now_, span);
        for (run(); next_due() <= end && next_due() != TimePoint::max(); run())
            now_ = std::max(now_, next_due());
        now_ = end;
        run();
    }

    /// Moves time forward by `span` in one step, as if the event loop had been blocked for so long:
    /// timers that became due meanwhile fire late.
    void stall(Duration span) {
        now_ = detail::saturating_add(now_, span);
        run();
    }

    /// Runs what is ready now, timers that are due included.
    void run_ready() { advance(Duration{}); }

    [[nodiscard]] asio::io_context& context() const noexcept { return io_; }

    // Called by the wheel that uses this clock.
    detail::WheelDriver& attach(detail::Wheel& wheel) {
        wheels_.push_back(&wheel);
        return *this;
    }

private:
    void remove_wheel(detail::Wheel& wheel) noexcept override { std::erase(wheels_, &wheel); }

    [[nodiscard]] TimePoint next_due() const noexcept {
        TimePoint next = TimePoint::max();
        for (detail::Wheel* const wheel : wheels_) next = std::min(next, wheel->next_due());
        return next;
    }

    void run() {
        for (detail::Wheel* const wheel : wheels_)
            if (wheel->next_due() <= now_)
                asio::post(io_, [due = detail::Ref{wheel}] { due->process(); });
        io_.restart();
        io_.poll();
    }

    asio::io_context& io_;
    TimePoint now_;
    std::vector<detail::Wheel*> wheels_;
};

} // namespace probekit::inline PROBEKIT_ABI::testing
