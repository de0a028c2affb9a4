// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <system_error>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/result.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// How a look ends. No error code: the probe looked, and the result's outcome says what it saw. An
/// error code: it could not ask, or was cancelled (`asio::error::operation_aborted`); no counter
/// moves, and the result says what is known.
using ProbeSignature = void(std::error_code, ProbeResult);

namespace detail {

/// Marks the probes of this library: known to be probes without making an attempt's code to find
/// out.
struct BuiltinProbeTag {};

/// Stands for any handler when the concept asks whether a type has async_probe.
struct ArchetypeHandler {
    void operator()(std::error_code, ProbeResult) const {}
};

} // namespace detail

/// A movable type that looks at a target once per call: `async_probe(timeout, token)` with any
/// completion token for ProbeSignature. It completes exactly once, through the handler's associated
/// executor, also when cancelled.
///
/// It need not keep the timeout: a worker cancels (`terminal`) what still runs when it is over, and
/// takes `operation_aborted` after that for a failure with Errc::timed_out. A worker whose event
/// loop comes late to that gives it the timeout once more. A probe that keeps the timeout itself
/// says `static constexpr bool enforces_timeout = true` and saves the worker that timer.
template <class P>
concept Probe =
    std::move_constructible<P> &&
    (std::derived_from<P, detail::BuiltinProbeTag> || requires(P probe, Duration timeout) {
        typename P::executor_type;
        { probe.get_executor() } -> std::convertible_to<typename P::executor_type>;
        probe.async_probe(timeout, detail::ArchetypeHandler{});
    });

} // namespace probekit::inline PROBEKIT_ABI
