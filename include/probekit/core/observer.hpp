// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

#include <probekit/config.hpp>
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

/// An attempt has ended and has cleaned up.
struct AttemptEnded {
    ProbeKind kind = ProbeKind::readiness;
    std::uint64_t number = 0;
    int attempt_in_check = 1;
    TimePoint at = {};
    std::error_code error = {}; ///< could not ask, or cancelled (operation_aborted)
    const ProbeResult& result;
    bool counted = false; ///< whether the policy has judged it
    bool retried = false; ///< another attempt of the same check follows
};

/// The worker does something else now.
struct StateChanged {
    ProbeKind kind = ProbeKind::readiness;
    WorkerState from = WorkerState::stopped;
    WorkerState to = WorkerState::stopped;
    TimePoint at = {};
};

/// Points of the grid have passed without a look, because an earlier look was late or long.
struct ChecksSkipped {
    ProbeKind kind = ProbeKind::readiness;
    std::uint64_t count = 0;
    TimePoint at = {};
};

/// The default observer: no code, no bytes.
struct NoObserver {};

namespace detail {

/// The observer itself where the user keeps it and gave std::ref.
template <class O>
[[nodiscard]] constexpr O& unwrapped(O& observer) noexcept {
    return observer;
}
template <class O>
[[nodiscard]] constexpr O& unwrapped(std::reference_wrapper<O>& observer) noexcept {
    return observer.get();
}
template <class O>
using Unwrapped = std::remove_reference_t<std::unwrap_reference_t<O>>;

// One concept per hook: can it be called as it will be?
template <class O>
concept SeesAttemptBegun = requires(O& o, const AttemptBegun& event) { o.attempt_begun(event); };
template <class O>
concept SeesAttemptEnded = requires(O& o, const AttemptEnded& event) { o.attempt_ended(event); };
template <class O>
concept SeesVerdictChanged = requires(O& o, const Verdict& event) { o.verdict_changed(event); };
template <class O>
concept SeesStateChanged = requires(O& o, const StateChanged& event) { o.state_changed(event); };
template <class O>
concept SeesChecksSkipped = requires(O& o, const ChecksSkipped& event) { o.checks_skipped(event); };

// A hook that exists but cannot be called so is a mistake, and would otherwise be silence. Whether
// a class has a member of a name, whatever it is, is asked by deriving from it and from a class
// that has one: then the name is ambiguous.
struct AllHooks {
    void attempt_begun();
    void attempt_ended();
    void verdict_changed();
    void state_changed();
    void checks_skipped();
};
template <class O>
struct Ambiguous : O, AllHooks {};
template <class O>
concept Derivable = std::is_class_v<O> && !std::is_final_v<O>;

/// Marks Observers: it has every name, and hooks that none of its parts has are no mistake.
struct ObserversBase {};

template <class O>
concept MisdeclaresHook =
    Derivable<O> && !std::is_base_of_v<ObserversBase, O> &&
    ((!SeesAttemptBegun<O> && !requires { &Ambiguous<O>::attempt_begun; }) ||
     (!SeesAttemptEnded<O> && !requires { &Ambiguous<O>::attempt_ended; }) ||
     (!SeesVerdictChanged<O> && !requires { &Ambiguous<O>::verdict_changed; }) ||
     (!SeesStateChanged<O> && !requires { &Ambiguous<O>::state_changed; }) ||
     (!SeesChecksSkipped<O> && !requires { &Ambiguous<O>::checks_skipped; }));

template <class O>
concept SeesAnything = SeesAttemptBegun<O> || SeesAttemptEnded<O> || SeesVerdictChanged<O> ||
                       SeesStateChanged<O> || SeesChecksSkipped<O>;

// Telling an observer: nothing where it has no such hook.
template <class O>
constexpr void tell(O& observer, const AttemptBegun& event) {
    if constexpr (SeesAttemptBegun<Unwrapped<O>>) unwrapped(observer).attempt_begun(event);
}
template <class O>
constexpr void tell(O& observer, const AttemptEnded& event) {
    if constexpr (SeesAttemptEnded<Unwrapped<O>>) unwrapped(observer).attempt_ended(event);
}
template <class O>
constexpr void tell(O& observer, const Verdict& event) {
    if constexpr (SeesVerdictChanged<Unwrapped<O>>) unwrapped(observer).verdict_changed(event);
}
template <class O>
constexpr void tell(O& observer, const StateChanged& event) {
    if constexpr (SeesStateChanged<Unwrapped<O>>) unwrapped(observer).state_changed(event);
}
template <class O>
constexpr void tell(O& observer, const ChecksSkipped& event) {
    if constexpr (SeesChecksSkipped<Unwrapped<O>>) unwrapped(observer).checks_skipped(event);
}

} // namespace detail

/// What sees everything a worker does: movable, with at least one of these hooks, each optional,
/// called on the probe's executor and given its event by const reference:
/// `attempt_begun(AttemptBegun)`, `attempt_ended(AttemptEnded)`, `verdict_changed(Verdict)`,
/// `state_changed(StateChanged)`, `checks_skipped(ChecksSkipped)`.
/// A member of such a name that cannot be called so makes the type no observer. `std::ref(o)` is
/// one: shared between workers, and the user keeps it alive.
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
        tell_each(event);
    }
    void attempt_ended(const AttemptEnded& event)
        requires(detail::SeesAttemptEnded<detail::Unwrapped<Os>> || ...)
    {
        tell_each(event);
    }
    void verdict_changed(const Verdict& event)
        requires(detail::SeesVerdictChanged<detail::Unwrapped<Os>> || ...)
    {
        tell_each(event);
    }
    void state_changed(const StateChanged& event)
        requires(detail::SeesStateChanged<detail::Unwrapped<Os>> || ...)
    {
        tell_each(event);
    }
    void checks_skipped(const ChecksSkipped& event)
        requires(detail::SeesChecksSkipped<detail::Unwrapped<Os>> || ...)
    {
        tell_each(event);
    }

    /// The observer at `Index`, std::ref unwrapped.
    template <std::size_t Index>
    [[nodiscard]] constexpr auto& get() noexcept {
        return detail::unwrapped(std::get<Index>(observers_));
    }

private:
    template <class Event>
    void tell_each(const Event& event) {
        std::apply([&](Os&... each) { (detail::tell(each, event), ...); }, observers_);
    }

    std::tuple<Os...> observers_;
};

} // namespace probekit::inline PROBEKIT_ABI
