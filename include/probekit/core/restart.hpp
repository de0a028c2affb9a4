// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Whether a process that has ended is started again: Kubernetes' restartPolicy.
enum class RestartPolicy : std::uint8_t {
    always,     ///< whatever its exit status
    on_failure, ///< unless it exited with 0
    never,
};

/// How a process ended.
struct ExitStatus {
    int code = 0;   ///< exit status, if it exited
    int signal = 0; ///< the signal that killed it; 0: it exited

    [[nodiscard]] constexpr bool ok() const noexcept { return code == 0 && signal == 0; }
    /// As a shell shows it, and as Kubernetes does: 128 + signal if it was killed.
    [[nodiscard]] constexpr int as_shell() const noexcept {
        return signal != 0 ? 128 + signal : code;
    }

    friend constexpr bool operator==(const ExitStatus&, const ExitStatus&) = default;
};

[[nodiscard]] constexpr bool should_restart(RestartPolicy policy, ExitStatus status) noexcept {
    return policy == RestartPolicy::always || (policy == RestartPolicy::on_failure && !status.ok());
}

/// However short a grace period is, this long a process has between SIGTERM and SIGKILL: the
/// kubelet's minimum.
inline constexpr Duration minimum_grace_period = std::chrono::seconds{2};

/// The kubelet's numbers.
struct RestartBackOffSpec {
    Duration base = std::chrono::seconds{10}; ///< the second restart in a row waits this long
    Duration max = std::chrono::seconds{300}; ///< the wait doubles up to this
    Duration forget_after =
        std::chrono::seconds{600}; ///< of good running: the next restart counts as the first
    /// Where after_kill() says to wait: false: from the exit before, which is what has shown that
    /// there is to be a wait; true: from the kill, as a kubelet does, since it asks again and has
    /// by then seen the instance it killed.
    bool wait_from_kill = false;

    friend constexpr bool operator==(const RestartBackOffSpec&,
                                     const RestartBackOffSpec&) = default;
};

/// When a process that keeps ending may be started again: at once, then after 10, 20, 40 ... 300 s,
/// as the kubelet's CrashLoopBackOff.
/// \code
/// // given: TimePoint now
/// RestartBackOff back_off;
/// TimePoint start = back_off.after_exit(now);        // the first time: at once
/// start = back_off.after_exit(now + 3s);             // 10 s after that exit
/// std::cout << (start - (now + 3s)) / 1s << " s\n"; // also back_off.current()
/// \endcode
///
/// It has no clock and no timer: each call says when.
///
/// The kubelet consults the back-off when it is about to start a container, and counts the wait
/// from the exit of the last instance it has seen ended. Killing for a probe and starting anew are
/// one step there, so the instance just killed has not been seen yet, and the wait counts from the
/// exit before: a target that runs for 42 s between kills meets its first wait at the sixth kill,
/// when the delay (80 s) has grown beyond the time it ran.
class RestartBackOff {
public:
    constexpr explicit RestartBackOff(RestartBackOffSpec spec = {}) noexcept : spec_(spec) {}

    /// It ended by itself, or was stopped: the earliest next start. The first time: at once.
    constexpr TimePoint after_exit(TimePoint at) noexcept {
        last_exit_ = at;
        return next_start(at, at);
    }

    /// It was killed for a probe and has ended: the earliest next start. The wait counts from the
    /// exit before this one; a first kill with no earlier exit does not advance the delay.
    constexpr TimePoint after_kill(TimePoint at) noexcept {
        const std::optional<TimePoint> before = std::exchange(last_exit_, at);
        if (!before) return at;
        return next_start(*before, at);
    }

    /// The delay the last answer was reckoned with: 0, then base, doubling to max.
    [[nodiscard]] constexpr Duration current() const noexcept { return current_; }

    /// Forgets everything, as a new back-off.
    constexpr void reset() noexcept { *this = RestartBackOff{spec_}; }

private:
    /// The start after the exit at `exited`, asked for at `now`.
    constexpr TimePoint next_start(TimePoint exited, TimePoint now) noexcept {
        // For a kill, too: the kubelet forgets a back-off that has not been used for so long.
        if (upcoming_ && now - last_start_ > spec_.forget_after) upcoming_.reset();
        current_ = upcoming_.value_or(Duration::zero());
        // Doubled by comparing with the half, so that a max of Duration::max() does not overflow.
        if (!upcoming_)
            upcoming_ = std::min(spec_.base, spec_.max);
        else
            upcoming_ = *upcoming_ > spec_.max / 2 ? spec_.max : *upcoming_ * 2;
        last_start_ = std::max(now, detail::saturating_add(exited, current_));
        if (last_start_ > now && spec_.wait_from_kill)
            last_start_ = detail::saturating_add(now, current_);
        return last_start_;
    }

    RestartBackOffSpec spec_;
    std::optional<TimePoint> last_exit_ = {};
    std::optional<Duration> upcoming_ =
        {}; ///< the next delay; nothing: the next restart counts as the first
    TimePoint last_start_ = {};
    Duration current_ = {};
};

} // namespace probekit::inline PROBEKIT_ABI
