// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/duration.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using namespace std::chrono_literals;

TEST_CASE("A moment plus a span is the last moment at most") {
    using detail::saturating_add;
    STATIC_CHECK(saturating_add(TimePoint{1s}, 2s) == TimePoint{3s});
    STATIC_CHECK(saturating_add(TimePoint{1s}, -2s) == TimePoint{-1s});
    STATIC_CHECK(saturating_add(TimePoint{1ns}, Duration::max()) == TimePoint::max());
    STATIC_CHECK(saturating_add(TimePoint{0ns}, Duration::max()) == TimePoint::max());
    STATIC_CHECK(saturating_add(TimePoint{-1ns}, Duration::max()) ==
                 TimePoint{Duration::max() - 1ns});
    STATIC_CHECK(saturating_add(TimePoint::max(), 1ns) == TimePoint::max());
    STATIC_CHECK(saturating_add(TimePoint::max(), 0ns) == TimePoint::max());
}
