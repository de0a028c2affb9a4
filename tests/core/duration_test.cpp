// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/duration.hpp>

#include <string>
#include <utility>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace probekit;
using namespace std::chrono_literals;

static_assert(detail::saturating_add(TimePoint{1s}, 2s) == TimePoint{3s});
static_assert(detail::saturating_add(TimePoint{1s}, -2s) == TimePoint{-1s});
static_assert(detail::saturating_add(TimePoint{1ns}, Duration::max()) == TimePoint::max());
static_assert(detail::saturating_add(TimePoint{0ns}, Duration::max()) == TimePoint::max());
static_assert(detail::saturating_add(TimePoint{-1ns}, Duration::max()) ==
              TimePoint{Duration::max() - 1ns});
static_assert(detail::saturating_add(TimePoint::max(), 1ns) == TimePoint::max());
static_assert(detail::saturating_add(TimePoint::max(), 0ns) == TimePoint::max());

TEST_CASE("Durations are written as Go writes them") {
    // Each checked against Go's time.Duration.String().
    const auto [span, text] = GENERATE(
        std::pair<Duration, std::string>{0ns, "0s"}, std::pair<Duration, std::string>{1ns, "1ns"},
        std::pair<Duration, std::string>{999ns, "999ns"},
        std::pair<Duration, std::string>{1us, "1\u00b5s"},
        std::pair<Duration, std::string>{1100ns, "1.1\u00b5s"},
        std::pair<Duration, std::string>{2200us, "2.2ms"},
        std::pair<Duration, std::string>{250ms, "250ms"},
        std::pair<Duration, std::string>{999999us, "999.999ms"},
        std::pair<Duration, std::string>{1s, "1s"},
        std::pair<Duration, std::string>{1500ms, "1.5s"},
        std::pair<Duration, std::string>{3s + 1ns, "3.000000001s"},
        std::pair<Duration, std::string>{1min, "1m0s"},
        std::pair<Duration, std::string>{80s, "1m20s"},
        std::pair<Duration, std::string>{5min, "5m0s"},
        std::pair<Duration, std::string>{1h, "1h0m0s"},
        std::pair<Duration, std::string>{1h + 1ms, "1h0m0.001s"},
        std::pair<Duration, std::string>{-1500ms, "-1.5s"},
        std::pair<Duration, std::string>{-1ns, "-1ns"},
        std::pair<Duration, std::string>{Duration::max(), "2562047h47m16.854775807s"},
        std::pair<Duration, std::string>{Duration::min(), "-2562047h47m16.854775808s"});
    CHECK(detail::go_duration(span) == text);
}
