// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// How long a certificate is still valid, in whole seconds, rounded down: the clock's own unit ends
/// in 2262, which many certificates do not.
[[nodiscard]] inline std::chrono::seconds time_left(
    std::chrono::sys_seconds expires, std::chrono::system_clock::time_point now) noexcept {
    return expires - std::chrono::ceil<std::chrono::seconds>(now);
}

} // namespace probekit::inline PROBEKIT_ABI::detail

namespace probekit::inline PROBEKIT_ABI::tls {

/// What a probe has last seen of its peer's certificate, also of one that was refused.
/// \code
/// tls::HttpsGetProbe probe{io, {.port = 8443, .scheme = HttpScheme::https}};
/// const tls::PeerCertificate certificate = probe.peer_certificate();
/// ProbeWorker worker{std::move(probe), ProbeSpec{}};
/// \endcode
/// A handle that any thread may read, and that may outlive the probe. Take it before the probe is
/// moved into its worker.
class PeerCertificate {
public:
    using Time = std::chrono::sys_seconds;

    /// The last moment the certificate is valid; empty until a certificate has been seen.
    [[nodiscard]] std::optional<Time> expires() const noexcept {
        const std::int64_t seconds = expires_->load(std::memory_order_relaxed);
        if (seconds == never_seen) return std::nullopt;
        return Time{std::chrono::seconds{seconds}};
    }

    /// The whole days the certificate is still valid, negative once it has expired.
    [[nodiscard]] std::optional<std::chrono::days> days_left(
        std::chrono::system_clock::time_point now =
            std::chrono::system_clock::now()) const noexcept {
        const std::optional<Time> end = expires();
        if (!end) return std::nullopt;
        return std::chrono::floor<std::chrono::days>(detail::time_left(*end, now));
    }

    // Made by the probe.
    static constexpr std::int64_t never_seen = INT64_MIN;
    explicit PeerCertificate(std::shared_ptr<const std::atomic<std::int64_t>> expires) noexcept
        : expires_(std::move(expires)) {}

private:
    std::shared_ptr<const std::atomic<std::int64_t>> expires_; // seconds since 1970
};

} // namespace probekit::inline PROBEKIT_ABI::tls
