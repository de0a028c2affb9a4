// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <utility>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Calls a function when the scope is left, normally or by an exception.
template <class F>
class ScopeExit {
public:
    explicit ScopeExit(F function) : function_(std::move(function)) {}
    ScopeExit(const ScopeExit&) = delete;
    ScopeExit& operator=(const ScopeExit&) = delete;
    ~ScopeExit() { function_(); }

private:
    F function_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
