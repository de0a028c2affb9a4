// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/probes/probe.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Takes the place of a member that is not needed.
struct Nothing {};

/// A probe as a worker holds it: with its executor, if the probe does not show it, and with what
/// the worker has to know about it.
template <class P>
class ProbeHolder {
public:
    using Executor = typename P::executor_type;

    /// Whether the probe can only be cancelled through a slot. Built-in probes are stopped without.
    static constexpr bool needs_slot = requires(const P& given) { given.enforces_timeout(); } ||
                                       !std::derived_from<P, BuiltinProbeTag>;

    explicit ProbeHolder(P&& given)
        : probe(std::move(given)), executor_(executor_to_store(probe)) {}

    [[nodiscard]] const Executor& executor() const noexcept {
        if constexpr (shows_executor)
            return probe.attempt_executor();
        else
            return executor_;
    }

    [[nodiscard]] bool enforces_timeout() const noexcept {
        if constexpr (holds_any)
            return probe.enforces_timeout();
        else
            return EnforcesTimeout<P>;
    }

    /// Whether the probe has to live until its attempt has ended. Attempts of built-in probes own
    /// what they need.
    [[nodiscard]] bool must_outlive_attempts() const noexcept {
        if constexpr (holds_any)
            return probe.must_outlive_attempts();
        else
            return !std::derived_from<P, BuiltinProbeTag>;
    }

    /// The executor stays as it is: other threads read it when they post to it.
    void replace(P&& next) {
        if constexpr (requires { probe.take_settings(std::move(next)); }) {
            probe.take_settings(std::move(next));
        } else if constexpr (std::is_move_assignable_v<P>) {
            probe = std::move(next);
        } else { // a lambda with captures
            std::destroy_at(&probe);
            std::construct_at(&probe, std::move(next));
        }
    }

    P probe;

private:
    static constexpr bool shows_executor = requires(const P& given) {
        { given.attempt_executor() } -> std::same_as<const Executor&>;
    };
    static constexpr bool holds_any = requires(const P& given) { given.enforces_timeout(); };

    [[nodiscard]] static auto executor_to_store(const P& given) {
        if constexpr (shows_executor)
            return Nothing{};
        else
            return Executor(given.get_executor());
    }

    [[no_unique_address]] std::conditional_t<shows_executor, Nothing, Executor> executor_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
