// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

/// \file
/// What a program may set before it includes probekit, for all of its files alike:
///
/// - `PROBEKIT_ENABLE_ASSERTS`: the library checks its own invariants, and the preconditions of its
///   callers, and aborts when one does not hold. NDEBUG does not matter.
/// - `PROBEKIT_ASSERT(condition)`: the program's own check instead; it switches the checks on.
///
/// Without either, PROBEKIT_ASSERT is nothing, and its condition is not evaluated. No layout
/// depends on the setting. Its name is part of the namespace's, so files that differ in it do not
/// link with each other instead of mixing silently.
#if __cplusplus < 202002L
#error "probekit needs C++20: compile with -std=c++20 or later (CMake: cxx_std_20)"
#endif

#if defined(PROBEKIT_ASSERT)
#define PROBEKIT_ABI v0_asserts
#elif defined(PROBEKIT_ENABLE_ASSERTS)
#include <cstdio>
#include <cstdlib>
#define PROBEKIT_ABI v0_asserts
#define PROBEKIT_ASSERT(...)                                                                       \
    ((__VA_ARGS__) ? static_cast<void>(0)                                                          \
                   : (std::fprintf(stderr, "%s:%d: probekit: assertion failed: %s\n", __FILE__,    \
                                   __LINE__, #__VA_ARGS__),                                        \
                      std::abort()))
#else
#define PROBEKIT_ABI v0
#define PROBEKIT_ASSERT(...) static_cast<void>(0)
#endif

namespace probekit::inline PROBEKIT_ABI::detail {

/// Marks what cannot be reached. A check in programs that check; else the compiler relies on it.
[[noreturn]] inline void unreachable() noexcept {
    PROBEKIT_ASSERT(false && "unreachable");
    __builtin_unreachable();
}

} // namespace probekit::inline PROBEKIT_ABI::detail
