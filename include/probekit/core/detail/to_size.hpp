// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A number that fits. A template, since a cast in place would be useless where both types are the
/// same, and compilers say so.
template <std::integral T>
[[nodiscard]] constexpr std::size_t to_size(T value) noexcept {
    return static_cast<std::size_t>(value);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
