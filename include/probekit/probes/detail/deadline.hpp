// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <chrono>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Whether an event loop that handles a deadline this late may have cost the target a part of its
/// timeout that counts.
[[nodiscard]] constexpr bool is_late(Duration late, Duration timeout) noexcept {
    constexpr Duration usual = std::chrono::milliseconds{10}; // what any machine is late by
    return late > std::max(usual, timeout / 8);
}

/// The second chance of an attempt's deadline. A deadline that comes late, because the event loop
/// did, says nothing about the target: its response may be unread, or it had no time to give one.
/// Such a deadline is set anew for the whole timeout, once per attempt.
class DeadlineRenewal {
public:
    /// Whether a deadline that is handled this late is to be set anew.
    [[nodiscard]] constexpr bool grant(Duration late, Duration timeout) noexcept {
        if (granted_ || !is_late(late, timeout)) return false;
        return granted_ = true;
    }

private:
    bool granted_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
