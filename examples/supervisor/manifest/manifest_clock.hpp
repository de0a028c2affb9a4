// Manifest time: what users of a time scale see. With --time-scale 10 a period of 5 s passes in
// half a second, and every timestamp that is printed says that 5 s have passed.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include <probekit/core/duration.hpp>

namespace supervisor {

/// A moment in manifest time, on the calendar.
using Timestamp = std::chrono::sys_time<probekit::Duration>;

/// The last moment of manifest time: a supervisor ends then at the latest. What a Timestamp can hold
/// after it is room for the grace periods.
inline constexpr Timestamp end_of_time{std::chrono::sys_days{std::chrono::January / 1 / 2200}};

/// `moment + span`, but at most Timestamp::max(). `moment` is not before 1970.
[[nodiscard]] constexpr Timestamp saturating_add(Timestamp moment, probekit::Duration span) {
    return span > Timestamp::max() - moment ? Timestamp::max() : moment + span;
}

/// When a supervisor that begins now ends what still runs.
[[nodiscard]] constexpr Timestamp end_of_run(Timestamp now,
                                             std::optional<probekit::Duration> duration) {
    return duration ? std::min(saturating_add(now, *duration), end_of_time) : end_of_time;
}

/// Manifest time as what the library's machines count on: it never goes back.
[[nodiscard]] inline probekit::TimePoint monotonic(Timestamp moment) {
    return probekit::TimePoint{moment.time_since_epoch()};
}

class ManifestClock {
public:
    /// Both kinds of time begin together, now.
    explicit ManifestClock(double scale)
        : ManifestClock(scale, std::chrono::system_clock::now(), std::chrono::steady_clock::now()) {
    }

    /// `wall`: the calendar time at the steady clock's `begin`. From then on only the steady clock
    /// counts, so changes of the calendar have no effect.
    ManifestClock(double scale, Timestamp wall, probekit::TimePoint begin)
        : scale_(scale), wall_(wall), begin_(begin) {}

    [[nodiscard]] Timestamp now() const { return at(std::chrono::steady_clock::now()); }

    [[nodiscard]] Timestamp at(probekit::TimePoint moment) const;

    /// The real time in which a manifest's duration passes, rounded up so that it is never too
    /// short.
    [[nodiscard]] probekit::Duration real(probekit::Duration manifest) const;

private:
    double scale_;
    Timestamp wall_;
    probekit::TimePoint begin_;
};

/// "2026-01-31T12:00:00.000000Z": RFC 3339, UTC, microseconds.
[[nodiscard]] std::string rfc3339(Timestamp moment);

} // namespace supervisor
