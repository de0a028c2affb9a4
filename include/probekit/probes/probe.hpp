// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <system_error>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/result.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// How an attempt completes. Without an error code the attempt has learned the target's state, and
/// the outcome of the result says which. An error code is a prober error, or
/// `asio::error::operation_aborted` after a cancellation: no counter moves, and the result says
/// what is known.
using ProbeSignature = void(std::error_code, ProbeResult);

namespace detail {

/// Marks the built-in probes: Probe accepts them without instantiating an attempt.
struct BuiltinProbeTag {};

/// Stands for any handler where Probe asks whether a type has async_probe.
struct ArchetypeHandler {
    void operator()(std::error_code, const ProbeResult&) const {}
};

/// A probe that says that it ends an attempt at its timeout by itself. (AnyProbe, which knows it at
/// run time only, has a function of that name instead.)
template <class P>
concept EnforcesTimeout = requires { requires P::enforces_timeout; };

} // namespace detail

/// A movable type with an executor and `async_probe(timeout, token)`, which makes one attempt per
/// call and takes any completion token for ProbeSignature.
/// \code
/// // at namespace scope
/// struct CountingProbe {
///     using executor_type = TcpProbe::executor_type;
///     TcpProbe inner;
///     int attempts = 0;
///     executor_type get_executor() const { return inner.get_executor(); }
///     template <class Token>
///     auto async_probe(Duration timeout, Token&& token) {
///         ++attempts;
///         return inner.async_probe(timeout, std::forward<Token>(token));
///     }
/// };
/// static_assert(Probe<CountingProbe>);
/// \endcode
/// An attempt completes exactly once, through the handler's associated executor, also when it is
/// cancelled.
///
/// A probe need not enforce the timeout: a worker cancels (`terminal`) an attempt that still runs
/// at its timeout, and takes `operation_aborted` after that for a failure with Errc::timed_out. If
/// the worker's event loop comes late to that, the attempt gets the timeout once more. A probe that
/// enforces the timeout itself says `static constexpr bool enforces_timeout = true` and saves the
/// worker that timer.
template <class P>
concept Probe =
    std::move_constructible<P> &&
    (std::derived_from<P, detail::BuiltinProbeTag> || requires(P probe, Duration timeout) {
        typename P::executor_type;
        { probe.get_executor() } -> std::convertible_to<typename P::executor_type>;
        probe.async_probe(timeout, detail::ArchetypeHandler{});
    });

} // namespace probekit::inline PROBEKIT_ABI
