// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/probes/detail/owned_attempt_handler.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Starts an attempt of any probe for its owner. The attempt may end before this returns.
template <class P, class Executor>
void start_attempt(P& probe, Duration timeout, OwnedAttemptHandler<Executor> handler) {
    if constexpr (requires { probe.start_attempt(timeout, std::move(handler)); })
        probe.start_attempt(timeout, std::move(handler));
    else
        probe.async_probe(timeout, std::move(handler));
}

} // namespace probekit::inline PROBEKIT_ABI::detail
