// Times as people read and as Kubernetes writes them.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <probekit/core/duration.hpp>

namespace timeline {

/// "42.5s", "1m25s", "5m", "2h0m5s": to a tenth of a second.
[[nodiscard]] std::string time_text(probekit::Duration time);

/// A moment on the calendar.
using Timestamp = std::chrono::sys_time<probekit::Duration>;

/// RFC 3339 in UTC, as Kubernetes writes it: "2026-01-31T12:00:00Z", with decimals or without.
[[nodiscard]] std::optional<Timestamp> parse_timestamp(std::string_view text);

} // namespace timeline
