// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A parameter that nobody gives, to make a template of what needs none:
///     template <class = OnUse>
///     std::string message(int status);         called as message(200)
///     template <class = OnUse>
///     class BasicPlan;
///     using Plan = BasicPlan<>;
/// What is no template is compiled by everybody who includes it, together with all that it takes of
/// the standard library and of Asio; a template by those who use it. So this stands before what is
/// large or reaches far.
struct OnUse;

} // namespace probekit::inline PROBEKIT_ABI::detail
