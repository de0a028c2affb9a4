// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/schedule.hpp>

#include <limits>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using namespace std::chrono_literals;

// worker_grid_test.cpp tests Schedule within WorkerFsm. This is what it does alone, at compile
// time.
namespace {
constexpr TimePoint at(Duration since_start) { return TimePoint{since_start}; }
} // namespace

static_assert(sizeof(Schedule) <= 40);

static_assert(detail::grid_point_from(at(3s), 10s, at(3s)) == at(3s));
static_assert(detail::grid_point_from(at(3s), 10s, at(-50s)) == at(3s));
static_assert(detail::grid_point_from(at(3s), 10s, at(3s + 1ns)) == at(13s));
static_assert(detail::grid_point_from(at(3s), 10s, at(13s)) == at(13s));
static_assert(detail::grid_point_from(at(3s), 10s, at(24s)) == at(33s));
static_assert(detail::grid_point_from(at(3s), Duration::max(), at(24s)) == TimePoint::max());
static_assert(detail::grid_point_from(at(3s), 10s, TimePoint::max()) == TimePoint::max());
static_assert(detail::grid_point_from(at(3s), 10s, TimePoint::max() - 1ns) == TimePoint::max());

static_assert([] {
    const ProbeSpec spec{.initial_delay = 5s, .period = 2s};
    Schedule schedule;
    schedule.start(spec, at(0s), at(0s), 0);
    const bool first = schedule.delayed(spec, at(4s)) && schedule.plan(spec, at(0s)) == at(6s);
    const int none = schedule.begin_check(spec, at(6s));
    const bool second = schedule.plan(spec, at(6s)) == at(8s);
    const int three = schedule.begin_check(spec, at(15s));
    return first && none == 0 && second && three == 3 && schedule.next_point() == at(16s);
}());

TEST_CASE("The number of skipped points fits in an int") {
    const ProbeSpec spec{.period = 1ns};
    Schedule schedule;
    schedule.start(spec, at(0s), at(0s), 0);
    CHECK(schedule.plan(spec, at(0s)) == at(0s));
    CHECK(schedule.begin_check(spec, at(1h)) == std::numeric_limits<int>::max());
    CHECK(schedule.next_point() == at(1h + 1ns));
}

TEST_CASE("splitmix64 gives the numbers that its author published") {
    std::uint64_t state = 1234567;
    CHECK(detail::splitmix64(state) == 6457827717110365317U);
    CHECK(detail::splitmix64(state) == 3203168211198807973U);
}
