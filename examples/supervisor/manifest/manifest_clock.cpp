#include "manifest/manifest_clock.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace supervisor {
namespace {

// long double: its mantissa holds every count of nanoseconds exactly.
probekit::Duration rounded_up(long double nanoseconds) {
    constexpr auto longest = probekit::Duration::max();
    if (nanoseconds >= static_cast<long double>(longest.count())) return longest;
    return probekit::Duration{static_cast<probekit::Duration::rep>(std::ceil(nanoseconds))};
}

} // namespace

Timestamp ManifestClock::at(probekit::TimePoint moment) const {
    return saturating_add(wall_,
                          rounded_up(static_cast<long double>((moment - begin_).count()) * scale_));
}

probekit::Duration ManifestClock::real(probekit::Duration manifest) const {
    return rounded_up(static_cast<long double>(manifest.count()) / scale_);
}

std::string rfc3339(Timestamp moment) {
    using namespace std::chrono;
    const auto day = floor<days>(moment);
    const year_month_day date{day};
    const hh_mm_ss time{floor<microseconds>(moment - day)};
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ",
                  static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                  static_cast<unsigned>(date.day()), static_cast<int>(time.hours().count()),
                  static_cast<int>(time.minutes().count()),
                  static_cast<int>(time.seconds().count()),
                  static_cast<int>(time.subseconds().count()));
    return text.data();
}

} // namespace supervisor
