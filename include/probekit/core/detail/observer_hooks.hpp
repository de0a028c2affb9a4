// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <functional>
#include <type_traits>

#include <probekit/config.hpp>
#include <probekit/core/verdict.hpp>

namespace probekit::inline PROBEKIT_ABI {

struct AttemptBegun;
struct AttemptEnded;
struct StateChanged;
struct ChecksSkipped;

namespace detail {

/// The observer itself, also where the user keeps it and passed std::ref.
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

// One concept per hook: the observer has it, and it can be called with its event.
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

// A hook that exists but cannot be called with its event is a mistake, which would otherwise go
// unnoticed. Whether a class has a member of some name at all, this finds out by a class that
// derives from it and from AllHooks: there the name is ambiguous if both have it.
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

/// Marks Observers, which declares every hook: those that none of its parts has are no mistake.
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

// Notifying an observer does nothing where it has no such hook.
template <class O>
constexpr void notify(O& observer, const AttemptBegun& event) {
    if constexpr (SeesAttemptBegun<Unwrapped<O>>) unwrapped(observer).attempt_begun(event);
}
template <class O>
constexpr void notify(O& observer, const AttemptEnded& event) {
    if constexpr (SeesAttemptEnded<Unwrapped<O>>) unwrapped(observer).attempt_ended(event);
}
template <class O>
constexpr void notify(O& observer, const Verdict& event) {
    if constexpr (SeesVerdictChanged<Unwrapped<O>>) unwrapped(observer).verdict_changed(event);
}
template <class O>
constexpr void notify(O& observer, const StateChanged& event) {
    if constexpr (SeesStateChanged<Unwrapped<O>>) unwrapped(observer).state_changed(event);
}
template <class O>
constexpr void notify(O& observer, const ChecksSkipped& event) {
    if constexpr (SeesChecksSkipped<Unwrapped<O>>) unwrapped(observer).checks_skipped(event);
}

} // namespace detail
} // namespace probekit::inline PROBEKIT_ABI
