// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>
#include <string>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI {

struct ProbeResult;

namespace detail {

/// What messages need to know about a probe's target. Each probe has one and shares it with its
/// results, so that the text of a result is made only if it is asked for.
class MessageContext {
public:
    MessageContext(const MessageContext&) = delete;
    MessageContext& operator=(const MessageContext&) = delete;

    /// ProbeResult::message() for a result of this probe. `shown_timeout` is named in place of the
    /// timeout that ran.
    [[nodiscard]] virtual std::string message(const ProbeResult& result,
                                              std::optional<Duration> shown_timeout) const = 0;

protected:
    MessageContext() = default;
    ~MessageContext() = default;
};

} // namespace detail
} // namespace probekit::inline PROBEKIT_ABI
