// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/runtime/attempt_limit.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using detail::LimitAccess;
using detail::LimitState;
using detail::LimitWaiter;
using detail::Ref;

static_assert(std::is_nothrow_move_constructible_v<AttemptLimit> &&
              !std::is_copy_constructible_v<AttemptLimit>);

namespace {

Ref<LimitState> state_of(const AttemptLimit& limit) { return LimitAccess::state(limit); }

class Waiter final : public LimitWaiter {
public:
    explicit Waiter(Ref<LimitState> limit) : limit_(std::move(limit)) {}
    ~Waiter() { static_cast<void>(limit_->withdraw(*this)); }

    std::atomic<int> granted = 0;
    std::atomic<int> references = 0;
    std::atomic<bool> kept_when_granted = false;
    std::function<void()> then = [] {};

private:
    void retain_owner() noexcept override { ++references; }
    void release_owner() noexcept override { --references; }
    void limit_granted() override {
        kept_when_granted = references > 0;
        ++granted;
        then();
    }

    Ref<LimitState> limit_;
};

} // namespace

TEST_CASE("a limit without permits is a mistake") {
    try {
        AttemptLimit limit{0};
        FAIL("no exception");
    } catch (const ConfigException& exception) {
        CHECK(exception.errors() == ConfigErrors{{"max_in_flight", "must be greater than zero"}});
    }
}

TEST_CASE("permits are acquired until none is left, and the next waiter waits") {
    AttemptLimit limit{2};
    const auto state = state_of(limit);
    Waiter a{state}, b{state}, c{state};
    CHECK(state->acquire(a));
    CHECK(state->acquire(b));
    CHECK(limit.in_flight() == 2);
    CHECK_FALSE(state->acquire(c));
    CHECK(limit.in_flight() == 2);
    CHECK(limit.waiting() == 1);
    CHECK(c.granted == 0);

    state->release_permit();
    CHECK(c.granted == 1);
    CHECK(c.kept_when_granted);
    CHECK(c.references == 0);
    CHECK(a.granted == 0); // it acquired its permit at once, so it is not notified
    CHECK(limit.in_flight() == 2);
    CHECK(limit.waiting() == 0);

    state->release_permit();
    state->release_permit();
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("first come, first served") {
    AttemptLimit limit{1};
    const auto state = state_of(limit);
    Waiter holder{state}, a{state}, b{state}, c{state};
    REQUIRE(state->acquire(holder));
    CHECK_FALSE(state->acquire(a));
    CHECK_FALSE(state->acquire(b));
    CHECK_FALSE(state->acquire(c));
    std::vector<int> order;
    a.then = [&] { order.push_back(1); };
    b.then = [&] { order.push_back(2); };
    c.then = [&] { order.push_back(3); };
    for (int i = 0; i != 3; ++i) state->release_permit();
    CHECK(order == std::vector{1, 2, 3});
    CHECK(limit.in_flight() == 1);
    CHECK_FALSE(state->acquire(a)); // behind c, which holds the permit
}

TEST_CASE("a waiter that has withdrawn is passed over") {
    AttemptLimit limit{1};
    const auto state = state_of(limit);
    Waiter holder{state}, a{state}, b{state}, c{state};
    REQUIRE(state->acquire(holder));
    CHECK_FALSE(state->withdraw(a)); // it never waited
    CHECK_FALSE(state->acquire(a));
    CHECK_FALSE(state->acquire(b));
    CHECK_FALSE(state->acquire(c));
    CHECK(state->withdraw(b));
    CHECK(limit.waiting() == 2);
    CHECK_FALSE(state->withdraw(b));
    state->release_permit();
    CHECK(a.granted == 1);
    CHECK_FALSE(state->withdraw(a)); // its permit has been granted, and must be released
    state->release_permit();
    CHECK(b.granted == 0);
    CHECK(c.granted == 1);
    CHECK(limit.waiting() == 0);
    state->release_permit();
    CHECK(state->acquire(b));
}

TEST_CASE("a permit may be released inside the call that grants it") {
    AttemptLimit limit{1};
    const auto state = state_of(limit);
    Waiter holder{state}, a{state}, b{state};
    REQUIRE(state->acquire(holder));
    CHECK_FALSE(state->acquire(a));
    CHECK_FALSE(state->acquire(b));
    a.then = [&] { state->release_permit(); };
    state->release_permit();
    CHECK(a.granted == 1);
    CHECK(b.granted == 1);
    CHECK(limit.in_flight() == 1);
}

TEST_CASE("the reference to a waiter that throws is released") {
    AttemptLimit limit{1};
    const auto state = state_of(limit);
    Waiter holder{state}, a{state};
    REQUIRE(state->acquire(holder));
    CHECK_FALSE(state->acquire(a));
    a.then = [] { throw 7; };
    CHECK_THROWS_AS(state->release_permit(), int);
    CHECK(a.references == 0);
    CHECK(limit.in_flight() == 1); // a holds the permit all the same
}

TEST_CASE("waiters keep the state of a limit that is destroyed") {
    std::optional<AttemptLimit> limit{1};
    const auto state = state_of(*limit);
    Waiter holder{state}, a{state};
    REQUIRE(state->acquire(holder));
    CHECK_FALSE(state->acquire(a));
    limit.reset();
    state->release_permit();
    CHECK(a.granted == 1);
}

TEST_CASE("a limit may be moved") {
    AttemptLimit limit{1};
    const auto state = state_of(limit);
    Waiter holder{state};
    REQUIRE(state->acquire(holder));
    AttemptLimit moved{std::move(limit)};
    CHECK(moved.in_flight() == 1);
}

TEST_CASE("never more than the limit are in flight, whatever the threads do") {
    constexpr std::size_t permits = 3;
    constexpr int threads = 4;
    constexpr int rounds = 500;
    AttemptLimit limit{permits};
    const auto state = state_of(limit);
    std::atomic<std::size_t> inside = 0;
    std::atomic<int> done = 0;
    std::atomic<bool> too_many = false;

    const auto work = [&] {
        if (++inside > permits || limit.in_flight() > permits) too_many = true;
        --inside;
        ++done;
    };
    std::vector<std::thread> users;
    for (int i = 0; i != threads; ++i) {
        users.emplace_back([&] {
            for (int round = 0; round != rounds; ++round) {
                Waiter waiter{state};
                if (!state->acquire(waiter)) {
                    // Some withdraw; a waiter too late for that has been granted its permit.
                    if (round % 5 == 0 && state->withdraw(waiter)) {
                        ++done;
                        continue;
                    }
                    while (waiter.granted == 0) std::this_thread::yield();
                }
                work();
                state->release_permit();
                while (waiter.references != 0) std::this_thread::yield();
            }
        });
    }
    for (std::thread& user : users) user.join();
    CHECK_FALSE(too_many);
    CHECK(done == threads * rounds);
    CHECK(limit.in_flight() == 0);
    CHECK(limit.waiting() == 0);
}
