// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/timing_wheel.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace probekit;
using namespace std::chrono_literals;

namespace {

struct Entry : TimingWheel::Node {
    int id = 0;
};

/// Takes all nodes that are due at `now`, in the order of the wheel.
std::vector<int> due_at(TimingWheel& wheel, TimePoint now) {
    wheel.advance(now);
    std::vector<int> ids;
    while (TimingWheel::Node* node = wheel.pop()) ids.push_back(static_cast<Entry*>(node)->id);
    return ids;
}

constexpr TimePoint zero{};

} // namespace

TEST_CASE("in an empty wheel nothing is ever due") {
    TimingWheel wheel{zero};
    CHECK(wheel.empty());
    CHECK(wheel.next_due() == TimePoint::max());
    wheel.advance(zero + 24h * 365);
    CHECK(wheel.pop() == nullptr);
    CHECK(wheel.peek() == nullptr);
    CHECK(wheel.pop_any() == nullptr);
}

TEST_CASE("a node fires at its very nanosecond and not before, at every level") {
    const Duration span = GENERATE(
        Duration{0}, Duration{1}, Duration{999'999}, Duration{1ms}, Duration{255ms},
        Duration{256ms}, Duration{257ms}, Duration{65'535ms}, Duration{65'536ms}, Duration{5min},
        Duration{6h}, Duration{24h * 40}, Duration{24h * 60}, Duration{24h * 365 * 20});
    const TimePoint origin =
        GENERATE(TimePoint{}, TimePoint{Duration{1'234'567'891'234'567}}, TimePoint{-3s});
    TimingWheel wheel{origin};
    Entry entry;
    wheel.insert(entry, origin + span);
    CHECK(entry.linked());
    CHECK(wheel.next_due() == origin + span);
    if (span > Duration{0}) {
        wheel.advance(origin + span - Duration{1});
        CHECK(wheel.pop() == nullptr);
        CHECK(wheel.next_due() == origin + span);
    }
    wheel.advance(origin + span);
    CHECK(wheel.next_due() == TimePoint::min());
    CHECK(wheel.peek() == &entry);
    CHECK(wheel.pop() == &entry);
    CHECK_FALSE(entry.linked());
    CHECK(wheel.empty());
    CHECK(wheel.next_due() == TimePoint::max());
}

TEST_CASE("a node that is overdue when it is inserted fires at the next advance") {
    TimingWheel wheel{zero};
    wheel.advance(zero + 10s);
    Entry late, earlier_than_the_origin;
    wheel.insert(late, zero + 3s);
    wheel.insert(earlier_than_the_origin, zero - 1h);
    CHECK(wheel.next_due() == zero - 1h);
    CHECK(due_at(wheel, zero + 10s).size() == 2);
}

TEST_CASE("nodes due within one millisecond fire in the order of their times, and at the same time "
          "in the order of insertion") {
    const Duration ahead =
        GENERATE(Duration{0}, Duration{5ms}, Duration{300ms}, Duration{24h * 60});
    const bool at_once = GENERATE(false, true);
    TimingWheel wheel{zero};
    std::vector<Entry> entries(100);
    std::vector<int> expected(100);
    for (int i = 0; i != 100; ++i) {
        entries[static_cast<std::size_t>(i)].id = i;
        expected[static_cast<std::size_t>(i)] = i;
        wheel.insert(entries[static_cast<std::size_t>(i)],
                     zero + ahead + Duration{1000 * (i * 37 % 50)});
    }
    const auto time_of = [](int id) { return id * 37 % 50; };
    std::stable_sort(expected.begin(), expected.end(),
                     [&](int a, int b) { return time_of(a) < time_of(b); });
    std::vector<int> fired;
    for (int step = at_once ? 49 : 0; step != 50; ++step) {
        CHECK(wheel.next_due() == zero + ahead + (at_once ? Duration{} : Duration{1000 * step}));
        for (const int id : due_at(wheel, zero + ahead + Duration{1000 * step}))
            fired.push_back(id);
    }
    CHECK(fired == expected);
    CHECK(wheel.empty());
}

TEST_CASE("a node at TimePoint::max() never fires") {
    TimingWheel wheel{zero - 5s};
    Entry never;
    wheel.insert(never, TimePoint::max());
    wheel.advance(zero + 24h * 365 * 100);
    CHECK(wheel.pop() == nullptr);
    CHECK(wheel.next_due() == TimePoint::max());
    wheel.erase(never);
    CHECK(wheel.empty());
}

TEST_CASE("the earliest moment is exact again after the earliest node is erased") {
    TimingWheel wheel{zero};
    std::vector<std::unique_ptr<Entry>> entries;
    for (int i = 0; i != 20; ++i) {
        entries.push_back(std::make_unique<Entry>());
        wheel.insert(*entries.back(), zero + 1s + i * Duration{7'000'000});
    }
    for (int i = 0; i != 20; ++i) {
        CHECK(wheel.next_due() == zero + 1s + i * Duration{7'000'000});
        wheel.erase(*entries[static_cast<std::size_t>(i)]);
    }
    CHECK(wheel.next_due() == TimePoint::max());
}

TEST_CASE("a node that is ready may still be erased") {
    TimingWheel wheel{zero};
    Entry first, second;
    wheel.insert(first, zero + 5ms);
    wheel.insert(second, zero + 5ms);
    wheel.advance(zero + 5ms);
    wheel.erase(first);
    CHECK(wheel.pop() == &second);
    CHECK(wheel.pop() == nullptr);
    CHECK(wheel.empty());
}

TEST_CASE("time that goes backwards fires nothing and loses nothing") {
    TimingWheel wheel{zero};
    Entry entry;
    wheel.advance(zero + 1h);
    wheel.insert(entry, zero + 1h + 5ms);
    wheel.advance(zero + 1min);
    CHECK(wheel.pop() == nullptr);
    wheel.advance(zero + 1h + 5ms);
    CHECK(wheel.pop() == &entry);
}

TEST_CASE("pop_any empties a wheel of nodes near and far") {
    TimingWheel wheel{zero};
    std::vector<std::unique_ptr<Entry>> entries;
    for (const Duration span :
         {Duration{0}, Duration{3ms}, Duration{10min}, Duration{24h * 1000}}) {
        entries.push_back(std::make_unique<Entry>());
        wheel.insert(*entries.back(), zero + span);
    }
    entries.push_back(std::make_unique<Entry>());
    wheel.insert(*entries.back(), TimePoint::max());
    std::set<TimingWheel::Node*> seen;
    while (TimingWheel::Node* node = wheel.pop_any()) seen.insert(node);
    CHECK(seen.size() == entries.size());
    CHECK(wheel.empty());
}

TEST_CASE("periods of any mixture fire in the order of their time, at the same time in the order "
          "they were put in") {
    const auto periods =
        GENERATE(std::vector<Duration>{10s}, std::vector<Duration>{1s, 10s, 3s},
                 std::vector<Duration>{50ms, 2min, 7s, 300ms}, std::vector<Duration>{10s, 6h});
    const Duration step = GENERATE(Duration{0}, Duration{70ms},
                                   Duration{40s}); // 0: from one moment that is due to the next
    TimingWheel wheel{zero};
    std::multimap<TimePoint, int> model;
    std::vector<Entry> entries(200);
    Entry timeout; // inserted and erased with each firing, due between the others
    const auto arm = [&](int id, TimePoint from) {
        const TimePoint due = from + periods[static_cast<std::size_t>(id) % periods.size()];
        wheel.insert(entries[static_cast<std::size_t>(id)], due);
        model.emplace(due, id);
    };
    for (int id = 0; id != 200; ++id) {
        entries[static_cast<std::size_t>(id)].id = id;
        arm(id, zero + Duration{(id * 37 % 50) * 21'000'000});
    }
    TimePoint now = zero;
    for (int fired = 0; fired < 5'000;) {
        now = step == Duration{0} ? wheel.next_due() : now + step;
        const std::vector<int> due = due_at(wheel, now);
        for (const int id : due) {
            REQUIRE(model.begin()->second == id);
            model.erase(model.begin());
        }
        for (const int id : due) {
            wheel.insert(timeout, now + 1s);
            wheel.erase(timeout);
            arm(id, std::max(entries[static_cast<std::size_t>(id)].due(),
                             now - 1s)); // late if steps are long
            ++fired;
        }
        REQUIRE(wheel.next_due() == model.begin()->first);
    }
    while (wheel.pop_any() != nullptr) {}
}

TEST_CASE("random operations have the same results as with a sorted map") {
    const unsigned seed = GENERATE(1u, 2u, 3u, 4u);
    std::mt19937_64 random{seed};
    TimePoint now = zero + Duration{static_cast<Duration::rep>(random() % 1'000'000'000'000)};
    TimingWheel wheel{now};
    std::multimap<TimePoint, int> model;
    std::vector<std::unique_ptr<Entry>> entries;
    for (int i = 0; i != 400; ++i) {
        entries.push_back(std::make_unique<Entry>());
        entries.back()->id = i;
    }
    // Spans of every magnitude: the exponent is distributed evenly. Half of the moments are
    // rounded, so that nodes inserted at very different times are due at the same moment.
    const auto span = [&] {
        return Duration{static_cast<Duration::rep>(random() >> (random() % 45 + 16))};
    };
    const auto forget = [&](int id) {
        const auto found = std::find_if(model.begin(), model.end(),
                                        [&](const auto& pair) { return pair.second == id; });
        REQUIRE(found != model.end());
        model.erase(found);
    };
    for (int round = 0; round != 20'000; ++round) {
        Entry& entry = *entries[random() % entries.size()];
        if (entry.linked()) {
            wheel.erase(entry);
            forget(entry.id);
        } else {
            TimePoint due = now + span();
            if (random() % 2 != 0) {
                const Duration grid{Duration::rep{1} << (random() % 30 + 15)};
                due += grid - due.time_since_epoch() % grid;
            }
            wheel.insert(entry, due);
            model.emplace(due, entry.id);
        }
        REQUIRE(wheel.size() == model.size());
        if (random() % 4 == 0)
            REQUIRE(wheel.next_due() == (model.empty() ? TimePoint::max() : model.begin()->first));
        if (random() % 8 == 0) {
            now += span() / 8;
            const std::vector<int> due = due_at(wheel, now);
            for (const int id : due) {
                REQUIRE(model.begin()->second == id);
                model.erase(model.begin());
            }
            REQUIRE((model.empty() || model.begin()->first > now));
        }
    }
    while (wheel.pop_any() != nullptr) {}
}
