// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A template parameter that is never given. It turns a function or a class into a template, which
/// a program compiles only if it uses it:
///
///     template <class = OnUse>
///     std::string message(int status); // called as message(200)
///
/// Anything else in a header is compiled in each file that includes it, with all the parts of the
/// standard library and of Asio that it uses. So this is for internal classes and for functions
/// that are long or need much of other libraries; not for classes that users name.
struct OnUse;

} // namespace probekit::inline PROBEKIT_ABI::detail
