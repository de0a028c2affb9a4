// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/async/detail/wheel.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/thread_pool.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/core/duration.hpp>

using namespace probekit;
using namespace probekit::detail;
using namespace std::chrono_literals;

namespace {

// A clock that is set by hand and drives its wheel, as testing::ManualClock does.
struct HandClock : WheelDriver {
    [[nodiscard]] TimePoint now() const { return time; }
    WheelDriver& attach(Wheel& attached) {
        wheel = &attached;
        return *this;
    }
    void remove_wheel(Wheel&) noexcept override { wheel = nullptr; }

    TimePoint time{1h};
    Wheel* wheel = nullptr;
};

// An owner of a node that says what happens to it.
struct Owner : RefCounted<Owner>, WheelNode {
    explicit Owner(std::vector<std::string>& happened) : WheelNode(hooks), log(happened) {}
    void destroy() noexcept {
        log.push_back("destroyed");
        delete this;
    }

    std::vector<std::string>& log;
    std::function<void()> on_retain = {};
    std::function<void()> on_fire = {};

    static const WheelHooks hooks;
};

const WheelHooks Owner::hooks{
    .retain =
        [](WheelNode& node) noexcept {
            auto& owner = static_cast<Owner&>(node);
            owner.retain();
            if (owner.on_retain) owner.on_retain();
        },
    .fire =
        [](WheelNode& node) {
            const auto owner = Ref<Owner>::adopt(&static_cast<Owner&>(node));
            owner->log.push_back("fired");
            if (owner->on_fire) owner->on_fire();
        },
};

// The same for several threads.
struct Counter : RefCounted<Counter>, WheelNode {
    explicit Counter(std::atomic<int>& count) : WheelNode(hooks), fires(count) {}
    void destroy() noexcept { delete this; }
    std::atomic<int>& fires;
    static const WheelHooks hooks;
};

const WheelHooks Counter::hooks{
    .retain = [](WheelNode& node) noexcept { static_cast<Counter&>(node).retain(); },
    .fire =
        [](WheelNode& node) {
            const auto counter = Ref<Counter>::adopt(&static_cast<Counter&>(node));
            ++counter->fires;
        },
};

struct Setting {
    asio::io_context io;
    HandClock clock;
    Ref<Wheel> wheel = Wheel::of(io.get_executor(), clock);
    std::vector<std::string> log;
    Ref<Owner> owner{new Owner{log}};
};

} // namespace

TEST_CASE("a node fires when its time has come, once") {
    Setting test;
    test.wheel->arm(*test.owner, test.clock.time + 5s);
    test.clock.time += 5s - 1ns;
    test.wheel->process();
    CHECK(test.log.empty());
    CHECK(test.wheel->next_due() == test.clock.time + 1ns);
    test.clock.time += 1ns;
    test.wheel->process();
    test.wheel->process();
    CHECK(test.log == std::vector<std::string>{"fired"});
    CHECK_FALSE(test.wheel->armed(*test.owner));
}

TEST_CASE("arming again moves a node, disarming takes it out") {
    Setting test;
    test.wheel->arm(*test.owner, test.clock.time + 1s);
    test.wheel->arm(*test.owner, test.clock.time + 2s);
    test.clock.time += 1s;
    test.wheel->process();
    CHECK(test.log.empty());
    CHECK(test.wheel->disarm(*test.owner));
    CHECK_FALSE(test.wheel->disarm(*test.owner));
    test.clock.time += 5s;
    test.wheel->process();
    CHECK(test.log.empty());
}

TEST_CASE("an owner that lets go between the firing and its callback is still there") {
    Setting test;
    test.wheel->arm(*test.owner, test.clock.time);
    // What another thread might do: it sees no armed node any more, and so lets the owner go. It
    // can see that only after the node is unlinked, and the reference has to be taken before.
    bool was_linked = false;
    test.owner->on_retain = [&, node = test.owner.get()] {
        was_linked = node->linked();
        test.owner = {};
    };
    test.wheel->process();
    CHECK(was_linked);
    CHECK(test.log == std::vector<std::string>{"fired", "destroyed"});
}

TEST_CASE(
    "an exception passes to the caller of process(), and the nodes behind fire the next time") {
    Setting test;
    const Ref<Owner> second{new Owner{test.log}};
    test.owner->on_fire = [] { throw std::runtime_error{"listener"}; };
    test.wheel->arm(*test.owner, test.clock.time);
    test.wheel->arm(*second, test.clock.time);
    CHECK_THROWS_AS(test.io.run(), std::runtime_error);
    test.io.run();
    CHECK(test.log == std::vector<std::string>{"fired", "fired"});
}

TEST_CASE("process() fires only so many nodes that other handlers get their turn") {
    Setting test;
    std::vector<Ref<Owner>> owners;
    for (int i = 0; i != 1000; ++i) {
        owners.push_back(Ref{new Owner{test.log}});
        test.wheel->arm(*owners.back(), test.clock.time);
    }
    test.wheel->process();
    CHECK(test.log.size() == 256);
    asio::post(test.io, [&] { test.log.push_back("other"); });
    test.io.run();
    CHECK(test.log.size() == 1001);
    CHECK(test.log.back() == "fired");
}

TEST_CASE("a node that a callback arms for now fires the next time") {
    Setting test;
    int times = 0;
    test.owner->on_fire = [&, node = test.owner.get()] {
        if (++times != 3) test.wheel->arm(*node, test.clock.time);
    };
    test.wheel->arm(*test.owner, test.clock.time);
    CHECK(test.io.run_one() == 1);
    CHECK(times == 1);
    test.io.run();
    CHECK(times == 3);
}

TEST_CASE("on the real clock an empty wheel lets run() return, and one that waits does not") {
    asio::io_context io;
    std::vector<std::string> log;
    const Ref<Wheel> wheel = Wheel::of(io.get_executor());
    CHECK(Wheel::of(io.get_executor()).get() == wheel.get());
    const Ref<Owner> owner{new Owner{log}};
    wheel->arm(*owner, wheel->now() + 24h);
    io.poll();
    CHECK_FALSE(io.stopped());
    CHECK(wheel->disarm(*owner));
    io.run();
    CHECK(log.empty());
    io.restart();
    wheel->arm(*owner, wheel->now() + 2ms);
    wheel->arm(*owner, wheel->now() + 1ms);
    io.run();
    CHECK(log == std::vector<std::string>{"fired"});
    wheel->arm(*owner, TimePoint::max()); // never: nothing to wait for
    io.restart();
    io.run();
    CHECK(log.size() == 1);
    wheel->disarm(*owner);
}

TEST_CASE("a clock of unknown pace is asked often enough") {
    // Ten times as fast as the real one.
    struct Fast {
        [[nodiscard]] TimePoint now() const {
            const TimePoint real = std::chrono::steady_clock::now();
            return begin + (real - begin) * 10;
        }
        TimePoint begin = std::chrono::steady_clock::now();
    } clock;
    asio::io_context io;
    std::vector<std::string> log;
    const Ref<Wheel> wheel = Wheel::of(io.get_executor(), clock);
    const Ref<Owner> owner{new Owner{log}};
    const TimePoint due = clock.now() + 100ms;
    TimePoint fired;
    owner->on_fire = [&] { fired = clock.now(); };
    wheel->arm(*owner, due);
    io.run();
    CHECK(fired >= due);
}

TEST_CASE("the context may go first") {
    std::vector<std::string> log;
    Ref<Wheel> wheel;
    Ref<Owner> owner{new Owner{log}};
    {
        asio::io_context io;
        wheel = Wheel::of(io.get_executor());
        wheel->arm(*owner, wheel->now() + 1h);
    }
    CHECK_FALSE(owner->linked());
    wheel->arm(*owner, wheel->now());
    CHECK_FALSE(owner->linked());
    CHECK_FALSE(wheel->disarm(*owner));
    wheel = {};
    owner = {};
    CHECK(log == std::vector<std::string>{"destroyed"});
}

TEST_CASE("the driver may be destroyed first") {
    asio::io_context io;
    std::vector<std::string> log;
    const Ref<Owner> owner{new Owner{log}};
    Ref<Wheel> wheel;
    {
        HandClock clock;
        wheel = Wheel::of(io.get_executor(), clock);
        wheel->arm(*owner, clock.time + 1s);
        wheel->forget_driver();
    }
    CHECK(wheel->disarm(*owner));
}

TEST_CASE("threads arm, disarm and fire at once") {
    asio::thread_pool pool{3};
    const Ref<Wheel> wheel = Wheel::of(pool.get_executor());
    std::atomic<int> fired = 0;
    std::atomic<int> expected = 0;
    for (int i = 0; i != 3; ++i)
        asio::post(pool, [&] {
            for (int j = 0; j != 2000; ++j) {
                const Ref<Counter> counter{new Counter{fired}};
                wheel->arm(*counter, wheel->now() + std::chrono::microseconds{j % 7});
                // If disarm() is true the node does not fire; else it has fired or is about to.
                if (j % 2 == 0 && wheel->disarm(*counter)) continue;
                if (j % 2 != 0) {
                    Ref<Counter> kept = counter; // a linked node must not die
                    asio::post(pool, [kept, &wheel, &expected] {
                        if (!wheel->disarm(*kept)) ++expected;
                    });
                    continue;
                }
                ++expected;
            }
        });
    pool.wait();
    CHECK(fired == expected);
}
