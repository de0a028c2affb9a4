// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <unordered_set>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "../tools/printing.hpp"
#include "worker_oracle.hpp"

// WorkerFsm against the oracle, a second, naive statement of the same rules. Every sequence of what
// may happen to a container and of what an attempt may give is tried, for all kinds and small
// thresholds. Paths that lead to the same state of both machines are followed once.
namespace {

using namespace oracle;

/// All of both machines that the future depends on, as one number; times relative to `now`, in
/// seconds.
std::uint64_t key(const Node& node, TimePoint now) {
    const Status& s = node.status;
    const Kubelet& k = node.kubelet;
    const WorkerFsm<>& f = node.ours.fsm;
    std::uint64_t number = 0;
    const auto add = [&number](auto value, std::uint64_t limit) {
        number = number * limit + std::min(static_cast<std::uint64_t>(value), limit - 1);
    };
    const auto seconds = [](Duration span) {
        return std::max<Duration::rep>(span / 1s, -100) + 100;
    };
    for (const bool fact :
         {s.running, s.may_restart, s.started, s.deleted, k.on_hold, k.last_passed, f.judged(),
          f.policy().counter().last(), f.check_pending()})
        add(fact, 2);
    add(seconds(now - s.started_at), 256);
    add(seconds(f.due() - now), 256);
    add(k.cached, 4);
    add(f.health(), 4);
    add(f.state(), 8);
    add(k.run, 16);
    add(f.run(), 16);
    return number;
}

struct Count {
    std::size_t states = 0;
    std::size_t steps = 0;
};

/// Follows all sequences of at most `depth` ticks.
Count explore(const ProbeSpec& spec, bool adopted, int depth) {
    Count count;
    TimePoint now{};
    std::vector<Node> front;
    for (const bool started : {false, true})
        for (const Answer answer : answers) {
            Node node = Node::first(spec, adopted, started, now);
            REQUIRE(node.tick(node.status, now, answer));
            front.push_back(node);
        }
    for (int tick = 1; tick <= depth; ++tick) {
        now += period;
        std::unordered_set<std::uint64_t> seen;
        std::vector<Node> following;
        for (const Node& node : front)
            for (const Change change : changes) {
                const std::optional<Status> status = changed(node.status, change, now);
                if (!status) continue;
                for (const Answer answer : answers) {
                    Node next = node;
                    const bool keep_going = next.tick(*status, now, answer);
                    ++count.steps;
                    const Kubelet& k = next.kubelet;
                    const Ours& o = next.ours;
                    if (!next.agree(keep_going)) {
                        CAPTURE(to_string(spec.kind), spec.success_threshold,
                                spec.failure_threshold, adopted, tick);
                        CAPTURE(int(change), int(answer), keep_going, o.keep_going, k.calls,
                                o.calls, int(k.cached), int(o.cached()), k.on_hold,
                                to_string(o.fsm.state()), k.run, o.fsm.run(), o.found_fault);
                        FAIL("the two machines differ");
                    }
                    if (keep_going && seen.insert(key(next, now)).second) following.push_back(next);
                }
            }
        count.states += following.size();
        front = std::move(following);
    }
    return count;
}

} // namespace

TEST_CASE("Every sequence of target events and outcomes is judged as the kubelet judges it",
          "[oracle]") {
    constexpr int depth = 5;
    Count all;
    for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness})
        for (const int success : {1, 2})
            for (const int failure : {1, 2, 3})
                for (const Duration delay : {Duration{0s}, Duration{12s}})
                    for (const bool adopted : {false, true}) {
                        const ProbeSpec spec{.kind = kind,
                                             .initial_delay = delay,
                                             .period = period,
                                             .success_threshold = success,
                                             .failure_threshold = failure,
                                             .error_threshold = 0};
                        if (!is_valid(spec)) continue;
                        const Count count = explore(spec, adopted, depth);
                        all.states += count.states;
                        all.steps += count.steps;
                    }
    std::printf("oracle: %zu states, %zu steps compared\n", all.states, all.steps);
    CHECK(all.states > 10'000);
}
