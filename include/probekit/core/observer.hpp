// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <system_error>
#include <tuple>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/detail/observer_hooks.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// An attempt begins. A check is one attempt, or up to three in a row while they end with errors.
struct AttemptBegun {
    ProbeKind kind = ProbeKind::readiness;
    std::uint64_t number = 0; ///< of the attempt, from 1
    int attempt_in_check = 1; ///< 1 to 3
    TimePoint at = {};
    Duration late = {}; ///< how long after the check was due; zero for the second and third attempt
};

/// An attempt has ended and has released everything that it held.
struct AttemptEnded {
    ProbeKind kind = ProbeKind::readiness;
    std::uint64_t number = 0;
    int attempt_in_check = 1;
    TimePoint at = {};
    std::error_code error = {}; ///< a prober error, or operation_aborted if cancelled
    const ProbeResult& result;
    bool counted = false; ///< whether the policy has judged it
    bool retried = false; ///< another attempt of the same check follows
};

/// The worker's state has changed.
struct StateChanged {
    ProbeKind kind = ProbeKind::readiness;
    WorkerState from = WorkerState::stopped;
    WorkerState to = WorkerState::stopped;
    TimePoint at = {};
};

/// Points of the grid have passed without a check, because an earlier check was late or took long.
struct ChecksSkipped {
    ProbeKind kind = ProbeKind::readiness;
    std::uint64_t count = 0;
    TimePoint at = {};
};

/// The default observer: no code, no bytes.
struct NoObserver {};

/// Sees everything that a worker does.
/// \code
/// // at namespace scope
/// struct Log {
///     void attempt_ended(const AttemptEnded& event) {
///         if (event.error) std::cerr << event.error.message() << '\n';
///     }
///     void verdict_changed(const Verdict& verdict) { std::cout << to_string(verdict.health) << '\n'; }
/// };
/// static_assert(Observer<Log>);
/// \endcode
/// An observer is movable and has at least one of these hooks: `attempt_begun(AttemptBegun)`,
/// `attempt_ended(AttemptEnded)`, `verdict_changed(Verdict)`, `state_changed(StateChanged)`,
/// `checks_skipped(ChecksSkipped)`. Each is called on the probe's executor, with its event by const
/// reference. A type with a member of such a name that cannot be called so is no observer.
/// `std::ref(o)` is an observer too: workers may share it, and the user keeps `o` alive.
template <class O>
concept Observer =
    std::move_constructible<O> && !detail::MisdeclaresHook<detail::Unwrapped<O>> &&
    (std::same_as<detail::Unwrapped<O>, NoObserver> || detail::SeesAnything<detail::Unwrapped<O>>);

/// Several observers as one: `Observers{metrics, std::ref(log)}`. Each hook calls those that have
/// it, in the order given.
template <Observer... Os>
class Observers : detail::ObserversBase {
public:
    constexpr explicit Observers(Os... observers) : observers_(std::move(observers)...) {}

    void attempt_begun(const AttemptBegun& event)
        requires(detail::SeesAttemptBegun<detail::Unwrapped<Os>> || ...)
    {
        notify_each(event);
    }
    void attempt_ended(const AttemptEnded& event)
        requires(detail::SeesAttemptEnded<detail::Unwrapped<Os>> || ...)
    {
        notify_each(event);
    }
    void verdict_changed(const Verdict& event)
        requires(detail::SeesVerdictChanged<detail::Unwrapped<Os>> || ...)
    {
        notify_each(event);
    }
    void state_changed(const StateChanged& event)
        requires(detail::SeesStateChanged<detail::Unwrapped<Os>> || ...)
    {
        notify_each(event);
    }
    void checks_skipped(const ChecksSkipped& event)
        requires(detail::SeesChecksSkipped<detail::Unwrapped<Os>> || ...)
    {
        notify_each(event);
    }

    /// The observer at `Index`, std::ref unwrapped.
    template <std::size_t Index>
    [[nodiscard]] constexpr auto& get() noexcept {
        return detail::unwrapped(std::get<Index>(observers_));
    }

private:
    template <class Event>
    void notify_each(const Event& event) {
        std::apply([&](Os&... each) { (detail::notify(each, event), ...); }, observers_);
    }

    std::tuple<Os...> observers_;
};

} // namespace probekit::inline PROBEKIT_ABI
