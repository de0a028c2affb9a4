#include <chrono>
#include <string>
#include <utility>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "manifest/manifest_clock.hpp"
#include "supervisor_pods.hpp"
#include "view/age.hpp"

using namespace supervisor;
using namespace supervisor::test;
using probekit::Duration;
using probekit::TimePoint;

TEST_CASE("manifest time passes as many times faster as the scale says") {
    const TimePoint begin{123456789ns};
    const ManifestClock clock{10, at(0s), begin};

    CHECK(clock.at(begin) == at(0s));
    CHECK(clock.at(begin + 500ms) == at(5s));
    CHECK(clock.at(begin - 1s) == at(-10s));
}

TEST_CASE("never less than a manifest's duration passes") {
    const double scale = GENERATE(1.0, 3.0, 7.0, 10.0, 33.3, 0.5, 1e6);
    const Duration manifest =
        GENERATE(Duration{1ns}, Duration{999999937ns}, Duration{10s}, Duration{300s});
    const TimePoint begin{};
    const ManifestClock clock{scale, at(0s), begin};

    const Duration real = clock.real(manifest);
    CHECK(clock.at(begin + real) - at(0s) >= manifest);
    // and one nanosecond less would not do
    CHECK(static_cast<double>((real - 1ns).count()) * scale <
          static_cast<double>(manifest.count()));
}

TEST_CASE("a scale of one changes nothing, however long") {
    const ManifestClock clock{1, at(0s), TimePoint{}};
    const Duration long_time = std::chrono::hours{24 * 365 * 100} + 1ns;
    CHECK(clock.real(long_time) == long_time);
    CHECK(clock.at(TimePoint{} + long_time) == at(long_time));
}

TEST_CASE("a duration that is too long to be waited for slowly is waited for as long as can be") {
    const ManifestClock clock{0.001, at(0s), TimePoint{}};
    CHECK(clock.real(std::chrono::hours{24 * 365 * 200}) == Duration::max());
}

TEST_CASE("a time that is too far away to be counted is the last one that can be") {
    constexpr auto years = std::chrono::hours{24 * 365};
    const ManifestClock clock{1e6, at(0s), TimePoint{}};
    CHECK(clock.at(TimePoint{} + 1h) == at(1000000 * 1h));
    CHECK(clock.at(TimePoint{} + 24h) == Timestamp::max());
    CHECK(clock.at(TimePoint::max()) == Timestamp::max());
    CHECK(saturating_add(at(0s), 200 * years) == at(200 * years));
    for (const Timestamp late : {at(0s), end_of_time, Timestamp::max()})
        CHECK(saturating_add(late, Duration::max()) == Timestamp::max());
    CHECK(saturating_add(Timestamp::max(), -1ns) == Timestamp::max() - 1ns);
    CHECK(rfc3339(Timestamp::max()) == "2262-04-11T23:47:16.854775Z");
}

TEST_CASE("a supervisor ends after its duration, and at the end of time at the latest") {
    constexpr auto years = std::chrono::hours{24 * 365};
    CHECK(end_of_run(at(0s), 5min) == at(5min));
    CHECK(end_of_run(at(0s), 100 * years) == at(100 * years)); // what an option can say
    CHECK(end_of_run(at(0s), Duration::max()) == end_of_time);
    CHECK(end_of_run(at(0s), std::nullopt) == end_of_time);
    CHECK(rfc3339(end_of_time) == "2200-01-01T00:00:00.000000Z");
}

TEST_CASE("timestamps are RFC 3339 with microseconds") {
    CHECK(rfc3339(Timestamp{}) == "1970-01-01T00:00:00.000000Z");
    CHECK(rfc3339(at(0s)) == "2026-01-31T12:00:00.000000Z");
    CHECK(rfc3339(at(12h + 3min + 4s + 56789us + 999ns)) == "2026-02-01T00:03:04.056789Z");
    CHECK(rfc3339(Timestamp{-1us}) == "1969-12-31T23:59:59.999999Z");
}

TEST_CASE("ages are written as kubectl writes them") {
    using std::chrono::hours;
    const auto [age, text] = GENERATE(table<Duration, std::string>({
        {-2s, "<invalid>"},
        {-1s, "0s"},
        {0s, "0s"},
        {999ms, "0s"},
        {43s, "43s"},
        {119s, "119s"},
        {120s, "2m"},
        {127s, "2m7s"},
        {9min + 59s, "9m59s"},
        {10min + 59s, "10m"},
        {179min, "179m"},
        {180min, "3h"},
        {3h + 5min + 59s, "3h5m"},
        {7h + 59min, "7h59m"},
        {8h + 59min, "8h"},
        {47h, "47h"},
        {48h, "2d"},
        {52h, "2d4h"},
        {hours{24 * 7 + 23}, "7d23h"},
        {hours{24 * 8 + 23}, "8d"},
        {hours{24 * 729}, "729d"},
        {hours{24 * 730}, "2y"},
        {hours{24 * 735}, "2y5d"},
        {hours{24 * 365 * 8 + 24}, "8y"},
    }));
    CHECK(age_text(age) == text);
}
