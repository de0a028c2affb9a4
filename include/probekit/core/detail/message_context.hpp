// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>
#include <string>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI {

struct ProbeResult;

namespace detail {

/// What a probe looks at, as far as messages speak of it. One per probe, shared with its results,
/// so that a failed look builds no text that nobody asks for.
class MessageContext {
public:
    MessageContext(const MessageContext&) = delete;
    MessageContext& operator=(const MessageContext&) = delete;

    /// The kubelet's text for a result of this probe. `shown_timeout`: the timeout to name instead
    /// of the one that ran.
    [[nodiscard]] virtual std::string message(const ProbeResult& result,
                                              std::optional<Duration> shown_timeout) const = 0;

protected:
    MessageContext() = default;
    ~MessageContext() = default;
};

} // namespace detail
} // namespace probekit::inline PROBEKIT_ABI
