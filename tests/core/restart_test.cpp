// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/restart.hpp>

#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using namespace std::chrono_literals;

static_assert(ExitStatus{}.ok());
static_assert(!ExitStatus{.code = 1}.ok() && !ExitStatus{.signal = 9}.ok());
static_assert(ExitStatus{.code = 3}.as_shell() == 3 && ExitStatus{.signal = 9}.as_shell() == 137);

static_assert(should_restart(RestartPolicy::always, {}) &&
              should_restart(RestartPolicy::always, {.code = 1}));
static_assert(!should_restart(RestartPolicy::on_failure, {}) &&
              should_restart(RestartPolicy::on_failure, {.code = 1}) &&
              should_restart(RestartPolicy::on_failure, {.signal = 15}));
static_assert(!should_restart(RestartPolicy::never, {}) &&
              !should_restart(RestartPolicy::never, {.code = 1}));

namespace {

constexpr TimePoint at(Duration since_start) { return TimePoint{since_start}; }

/// How long a process waits each time, if it ends as soon as it is started.
std::vector<Duration> waits(RestartBackOff back_off, int exits) {
    std::vector<Duration> all;
    TimePoint now = at(100s);
    for (int i = 0; i != exits; ++i) {
        const TimePoint next = back_off.after_exit(now);
        all.push_back(next - now);
        CHECK(back_off.current() == next - now);
        now = next;
    }
    return all;
}
using Waits = std::vector<Duration>;

} // namespace

TEST_CASE("Exits are restarted at once, then after 10 s, doubling to 300 s") {
    CHECK(waits(RestartBackOff{}, 9) == Waits{0s, 10s, 20s, 40s, 80s, 160s, 300s, 300s, 300s});
    CHECK(waits(RestartBackOff{{.base = 1s, .max = 60s}}, 8) ==
          Waits{0s, 1s, 2s, 4s, 8s, 16s, 32s, 60s});
    CHECK(waits(RestartBackOff{{.base = 10s, .max = 4s}}, 4) ==
          Waits{0s, 4s, 4s, 4s}); // max limits base too
    CHECK(waits(RestartBackOff{{.base = 0s}}, 4) == Waits{0s, 0s, 0s, 0s});
    CHECK(waits(RestartBackOff{{.base = Duration::max() / 2 - 100s, .max = Duration::max()}}, 2)
              .size() == 2);
}

TEST_CASE("Back-off can be computed at compile time") {
    static_assert([] {
        RestartBackOff back_off;
        return back_off.after_exit(at(5s)) == at(5s) && back_off.after_exit(at(6s)) == at(16s) &&
               back_off.current() == 10s;
    }());
}

TEST_CASE("After more than 10 minutes of running the next restart counts as the first") {
    RestartBackOff back_off;
    CHECK(back_off.after_exit(at(0s)) == at(0s));
    CHECK(back_off.after_exit(at(1s)) == at(11s)); // started at 11 s
    SECTION("more than 10 minutes") {
        CHECK(back_off.after_exit(at(611s + 1ns)) == at(611s + 1ns));
        CHECK(back_off.current() == 0s);
        CHECK(back_off.after_exit(at(612s)) == at(622s));
    }
    SECTION("exactly 10 minutes") { CHECK(back_off.after_exit(at(611s)) == at(631s)); }
    SECTION("more than 10 minutes, then killed for a probe") {
        CHECK(back_off.after_kill(at(611s + 1ns)) == at(611s + 1ns));
        CHECK(back_off.current() == 0s);
        CHECK(back_off.after_exit(at(612s)) == at(622s));
    }
}

TEST_CASE("After a kill for a probe the delay counts from the exit before it") {
    // As observed: with a kill every 42 s, the sixth meets a delay that has grown longer than that.
    RestartBackOff back_off;
    Waits starts;
    for (const Duration killed : {43s, 85s, 127s, 169s, 211s, 253s})
        starts.push_back(back_off.after_kill(at(killed)).time_since_epoch());
    CHECK(starts == Waits{43s, 85s, 127s, 169s, 211s, 291s});
    CHECK(back_off.current() == 80s);
}

TEST_CASE("With wait_from_kill a wait counts from the kill itself, as in a kubelet; a kill that "
          "meets no wait is restarted at once") {
    RestartBackOff back_off{{.wait_from_kill = true}};
    Waits starts;
    for (const Duration killed : {43s, 85s, 127s, 169s, 211s, 253s, 375s})
        starts.push_back(back_off.after_kill(at(killed)).time_since_epoch());
    CHECK(starts == Waits{43s, 85s, 127s, 169s, 211s, 333s, 535s});
    CHECK(back_off.current() == 160s);
    CHECK(back_off.after_exit(at(536s)) == at(836s));
}

TEST_CASE("A first kill does not double the delay, but a kill after an exit does") {
    RestartBackOff back_off;
    CHECK(back_off.after_kill(at(10s)) == at(10s));
    CHECK(back_off.current() == 0s);
    SECTION("then exits: as if they were the first") {
        CHECK(back_off.after_exit(at(20s)) == at(20s));
        CHECK(back_off.after_exit(at(21s)) == at(31s));
    }
    SECTION("then kills in quick succession") {
        CHECK(back_off.after_kill(at(12s)) == at(12s)); // the first after an exit: at once
        CHECK(back_off.after_kill(at(13s)) == at(22s)); // 10 s after the kill at 12 s
        CHECK(back_off.after_kill(at(23s)) == at(33s)); // 20 s after the one at 13 s
    }
}

TEST_CASE("Exits and kills share one delay") {
    RestartBackOff back_off;
    CHECK(back_off.after_exit(at(0s)) == at(0s));
    CHECK(back_off.after_kill(at(4s)) == at(10s)); // 10 s after the exit at 0 s
    CHECK(back_off.after_exit(at(12s)) == at(32s));
}

TEST_CASE("reset() forgets everything but the settings") {
    RestartBackOff back_off{{.base = 3s}};
    (void)back_off.after_exit(at(0s));
    (void)back_off.after_exit(at(0s));
    back_off.reset();
    CHECK(back_off.current() == 0s);
    CHECK(back_off.after_kill(at(5s)) == at(5s));
    CHECK(back_off.after_exit(at(6s)) == at(6s));
    CHECK(back_off.after_exit(at(7s)) == at(10s));
}
