#include "times.hpp"

#include <charconv>
#include <cstdint>
#include <system_error>

#include <probekit/kubernetes/duration.hpp>

namespace timeline {

using namespace std::chrono_literals;

std::string time_text(probekit::Duration time) {
    using Tenths = std::chrono::duration<std::int64_t, std::deci>;
    // The longest time cannot be rounded up.
    const auto tenths = (time > probekit::Duration::max() - 1s ? std::chrono::floor<Tenths>(time)
                                                               : std::chrono::round<Tenths>(time))
                            .count();
    const auto seconds = tenths / 10;
    std::string text;
    if (seconds >= 3600) text += std::to_string(seconds / 3600) + "h";
    if (seconds >= 60 && tenths % 36000 != 0) text += std::to_string(seconds / 60 % 60) + "m";
    if (seconds >= 60 && tenths % 600 == 0) return text;
    text += std::to_string(seconds % 60);
    if (tenths % 10 != 0) text += "." + std::to_string(tenths % 10);
    return text + "s";
}

std::optional<Timestamp> parse_timestamp(std::string_view text) {
    using namespace std::chrono;
    // Takes a number of so many digits, and the mark behind it.
    bool good = true;
    const auto take = [&](std::size_t digits, char mark) {
        int value = 0;
        good = good && text.size() > digits && text[digits] == mark;
        if (!good) return 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + digits, value);
        good = error == std::errc{} && end == text.data() + digits && value >= 0;
        text.remove_prefix(digits + 1);
        return value;
    };
    const year_month_day date{year{take(4, '-')}, month{static_cast<unsigned>(take(2, '-'))},
                              day{static_cast<unsigned>(take(2, 'T'))}};
    const int hour = take(2, ':');
    const int minute = take(2, ':');
    // So that a count of nanoseconds takes what lies between two of them and two of the longest
    // periods, which are 68 years each.
    const bool year_fits = date.year() >= year{1970} && date.year() < year{2100};
    if (!good || !date.ok() || !year_fits || hour > 23 || minute > 59 || !text.ends_with('Z'))
        return std::nullopt;
    text.remove_suffix(1);
    // "05" or "05.123456": a duration in seconds.
    const auto second = probekit::kubernetes::parse_duration(std::string{text} + "s");
    const bool digits =
        text.size() >= 2 && text.find_first_not_of("0123456789.") == std::string_view::npos;
    if (!digits || !second || *second >= 61s) return std::nullopt;
    return Timestamp{sys_days{date}} + hours{hour} + minutes{minute} + *second;
}

} // namespace timeline
