// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/probes/detail/dial_fsm.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using namespace std::chrono_literals;
using detail::DialFsm;
using Lane = DialFsm::Lane;
using Order = DialFsm::Order;

namespace {

constexpr TimePoint never = TimePoint::max();

TimePoint at(Duration since_start) { return TimePoint{1h} + since_start; }

std::string text(const DialFsm::Decision& decision) {
    std::string all;
    for (const Lane lane : DialFsm::lanes) {
        const char* const name = lane == Lane::first ? "first " : "other ";
        if (decision.order(lane) == Order::dial) all += std::string{"dial "} + name;
        if (decision.order(lane) == Order::abandon) all += std::string{"abandon "} + name;
    }
    return decision.over ? all + "over" : all;
}

/// An address: how long it takes to say something (never: it swallows packets), and what.
struct Address {
    Duration after;
    bool answers;
};

struct Ending {
    std::optional<int> winner; ///< 0 to 9: of the first family; from 10 on: of the other
    Duration when;
    friend bool operator==(const Ending&, const Ending&) = default;
};

/// Go's dialSerial(), read from top to bottom.
Ending serially(const std::vector<Address>& addresses, Duration start, Duration deadline) {
    Duration now = start;
    for (std::size_t i = 0; i != addresses.size(); ++i) {
        const Duration left = deadline - now;
        if (left <= 0s) break;
        Duration share = left / static_cast<int>(addresses.size() - i);
        if (share < 2s) share = left < 2s ? left : 2s;
        const Address& address = addresses[i];
        if (address.after < share) {
            now += address.after;
            if (address.answers) return {static_cast<int>(i), now};
        } else {
            now += share;
        }
    }
    return {std::nullopt, std::min(now, deadline)};
}

/// Go's dialParallel().
Ending in_parallel(const std::vector<Address>& first, const std::vector<Address>& other,
                   Duration deadline) {
    const Ending primary = serially(first, 0s, deadline);
    if (other.empty() || (primary.winner && primary.when <= 300ms)) return primary;
    const Duration begin = primary.winner ? 300ms : std::min<Duration>(300ms, primary.when);
    Ending fallback = serially(other, begin, deadline);
    if (fallback.winner) *fallback.winner += 10;
    if (!primary.winner && !fallback.winner)
        return {std::nullopt, std::max(primary.when, fallback.when)};
    if (!fallback.winner || (primary.winner && primary.when < fallback.when)) return primary;
    return fallback;
}

/// What the machine makes of the same, on a virtual clock.
Ending by_machine(const std::vector<Address>& first, const std::vector<Address>& other,
                  Duration deadline) {
    struct Dialling {
        TimePoint ends = never;
        std::size_t next = 0;
    };
    const std::array<const std::vector<Address>*, 2> addresses{&first, &other};
    std::array<Dialling, 2> lanes;
    DialFsm machine{{first.size(), other.size()}, at(deadline)};
    TimePoint now = at(0s);
    DialFsm::Decision decision = machine.start(now);
    for (;;) {
        std::optional<Lane> abandoned;
        for (const Lane lane : DialFsm::lanes) {
            const auto i = static_cast<std::size_t>(lane);
            if (decision.order(lane) == Order::dial) {
                const Address& address = addresses[i]->at(lanes[i].next++);
                lanes[i].ends = address.after == Duration::max() ? never : now + address.after;
            }
            if (decision.order(lane) == Order::abandon) abandoned = lane;
        }
        if (decision.over) return {std::nullopt, now - at(0s)};
        if (abandoned) {
            decision = machine.failed(*abandoned, now);
            continue;
        }
        const TimePoint next = std::min(lanes[0].ends, lanes[1].ends);
        if (std::min(next, machine.next_due()) >= at(deadline)) return {std::nullopt, deadline};
        if (machine.next_due() <= next) {
            now = machine.next_due();
            decision = machine.due(now);
            continue;
        }
        now = next;
        const auto i = static_cast<std::size_t>(lanes[0].ends <= lanes[1].ends ? 0 : 1);
        lanes[i].ends = never;
        if (addresses[i]->at(lanes[i].next - 1).answers)
            return {static_cast<int>(10 * i + lanes[i].next - 1), now - at(0s)};
        decision = machine.failed(static_cast<Lane>(i), now);
    }
}

} // namespace

TEST_CASE("the addresses of a name are dialled one after the other, families beside each other") {
    enum class Event { start, first_failed, other_failed, due };
    struct Step {
        Duration when;
        Event event;
        std::string decision;
        std::optional<Duration> next_due;
    };
    struct Row {
        std::string name;
        std::array<std::size_t, 2> counts;
        Duration deadline;
        std::vector<Step> steps;
    };
    using enum Event;
    const std::vector<Row> rows{
        {"one of each family: the second after 300 ms",
         {1, 1},
         1s,
         {{0s, start, "dial first ", 300ms},
          {300ms, due, "dial other ", {}},
          {400ms, other_failed, "", {}},
          {500ms, first_failed, "over", {}}}},
        {"at once, if the first has failed",
         {1, 1},
         1s,
         {{0s, start, "dial first ", 300ms}, {10ms, first_failed, "dial other ", {}}}},
        {"two of a family: each gets half of the time",
         {2, 0},
         5s,
         {{0s, start, "dial first ", 2500ms},
          {2500ms, due, "abandon first ", {}},
          {2500ms, first_failed, "dial first ", {}},
          {3s, first_failed, "over", {}}}},
        {"at least two seconds",
         {3, 0},
         5s,
         {{0s, start, "dial first ", 2s},
          {2s, due, "abandon first ", {}},
          {2s, first_failed, "dial first ", 4s},
          {4s, due, "abandon first ", {}},
          {4s, first_failed, "dial first ", {}}}},
        {"all of it, if that is less",
         {2, 0},
         1500ms,
         {{0s, start, "dial first ", {}}, {200ms, first_failed, "dial first ", {}}}},
        {"none after the deadline",
         {2, 2},
         1s,
         {{0s, start, "dial first ", 300ms},
          {300ms, due, "dial other ", {}},
          {1s, first_failed, "", {}},
          {1s, other_failed, "over", {}}}},
        {"what is refused leaves its time to the others",
         {3, 0},
         9s,
         {{0s, start, "dial first ", 3s}, {1s, first_failed, "dial first ", 5s}}},
        {"a call before its time changes nothing",
         {1, 1},
         1s,
         {{0s, start, "dial first ", 300ms}, {299ms, due, "", 300ms}}},
    };
    for (const Row& row : rows) {
        DialFsm machine{row.counts, at(row.deadline)};
        for (const Step& step : row.steps) {
            INFO(row.name << " at " << step.when / 1ms << " ms");
            const TimePoint now = at(step.when);
            const DialFsm::Decision decision =
                step.event == start ? machine.start(now)
                : step.event == due
                    ? machine.due(now)
                    : machine.failed(step.event == first_failed ? Lane::first : Lane::other, now);
            CHECK(text(decision) == step.decision);
            CHECK(machine.next_due() == (step.next_due ? at(*step.next_due) : never));
        }
    }
}

TEST_CASE("without a deadline no address is abandoned") {
    DialFsm machine{{2, 1}, never};
    CHECK(text(machine.start(at(0s))) == "dial first ");
    CHECK(text(machine.due(at(300ms))) == "dial other ");
    CHECK(machine.next_due() == never);
    CHECK(text(machine.failed(Lane::first, at(1h))) == "dial first ");
}

TEST_CASE("a late event loop takes no address's time") {
    DialFsm machine{{2, 1}, at(5s)};
    CHECK(text(machine.start(at(0s))) == "dial first ");
    machine.postpone(4s);
    CHECK(machine.next_due() == at(4300ms));
    CHECK(text(machine.due(at(4300ms))) == "dial other ");
    CHECK(machine.next_due() == at(6500ms));
}

TEST_CASE("the machine ends as Go's dialer does, for any addresses") {
    // Never at the same moment, so that who comes first is plain.
    const std::vector<Address> kinds{{Duration::max(), false}, {7ms, false},   {19ms, true},
                                     {411ms, false},           {1603ms, true}, {2809ms, false}};
    std::size_t compared = 0;
    const auto lists = [&](std::size_t most) {
        std::vector<std::vector<Address>> all{{}};
        for (std::size_t from = 0, length = 0; length != most; ++length)
            for (const std::size_t end = all.size(); from != end; ++from)
                for (const Address& kind : kinds) {
                    all.push_back(all[from]);
                    all.back().push_back(kind);
                }
        return all;
    };
    for (const auto& first : lists(3)) {
        if (first.empty()) continue;
        for (auto other : lists(2)) {
            for (Address& address : other)
                if (address.after != Duration::max()) address.after += 2ms;
            for (const Duration deadline : {250ms, 1001ms, 3001ms, 5003ms, 30007ms}) {
                const Ending wanted = in_parallel(first, other, deadline);
                const Ending seen = by_machine(first, other, deadline);
                if (seen != wanted) {
                    std::string name;
                    for (const Address& each : first)
                        name += std::to_string(each.after / 1ms) + (each.answers ? "! " : " ");
                    name += "| ";
                    for (const Address& each : other)
                        name += std::to_string(each.after / 1ms) + (each.answers ? "! " : " ");
                    INFO(name << "within " << deadline / 1ms);
                    CHECK(seen.winner == wanted.winner);
                    CHECK(seen.when / 1ms == wanted.when / 1ms);
                }
                ++compared;
            }
        }
    }
    CHECK(compared == 258 * 43 * 5);
}
