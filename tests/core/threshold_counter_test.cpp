// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/threshold_counter.hpp>

#include <bit>
#include <limits>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;

static_assert(sizeof(ThresholdCounter) == 8);

namespace {

constexpr ProbeSpec spec{.success_threshold = 2, .failure_threshold = 3};

/// The counter after these results.
template <class... Passed>
constexpr ThresholdCounter after(Passed... passed) {
    ThresholdCounter counter;
    (counter.count(passed), ...);
    return counter;
}

} // namespace

static_assert(after().run() == 0 && after().last());
static_assert(after(true).run() == 1 && after(true).last());
static_assert(after(false).run() == 1 && !after(false).last());
static_assert(after(true, true).run() == 2);
static_assert(after(false, false, true).run() == 1);
static_assert(after(true, true, false, false, false).run() == 3);

static_assert(!after().reached(spec));
static_assert(!after(true).reached(spec));
static_assert(after(true, true).reached(spec));
static_assert(!after(false, false).reached(spec));
static_assert(after(false, false, false).reached(spec));
static_assert(!after(false, false, true).reached(spec));
static_assert(!after(false, false, true, false).reached(spec));
static_assert(after(false, false, false, false).reached(spec)); // and it stays reached

TEST_CASE("count() returns the length of the run, with this result") {
    ThresholdCounter counter;
    CHECK(counter.count(false) == 1);
    CHECK(counter.count(false) == 2);
    CHECK(counter.count(true) == 1);
}

TEST_CASE("restart() keeps what the last result was") {
    ThresholdCounter counter = after(false, false);
    counter.restart();
    CHECK(counter.run() == 0);
    CHECK_FALSE(counter.last());
    CHECK_FALSE(counter.reached(spec));
    CHECK(counter.count(false) == 1);
}

TEST_CASE("A run stops growing at the largest int") {
    struct Layout { // of a counter: with a check each millisecond it takes 25 days to get there
        int run;
        bool last;
        char padding[3];
    };
    auto counter =
        std::bit_cast<ThresholdCounter>(Layout{std::numeric_limits<int>::max() - 1, true, {}});
    REQUIRE(counter.run() == std::numeric_limits<int>::max() - 1);
    CHECK(counter.count(true) == std::numeric_limits<int>::max());
    CHECK(counter.count(true) == std::numeric_limits<int>::max());
    CHECK(counter.reached(spec));
    CHECK(counter.count(false) == 1);
}
