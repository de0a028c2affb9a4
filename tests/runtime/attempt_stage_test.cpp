// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/runtime/detail/attempt_stage.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace probekit::detail;

// The table of an attempt's stages alone: no clock, no probe, no event loop.
namespace {

using S = Stage;
using E = StageEvent;
using A = StageAction;

/// Every stage an attempt may be in, and every event.
std::vector<Stage> all_stages() {
    std::vector<Stage> stages;
    for (std::size_t i = 0; i != stage_count; ++i) stages.push_back(static_cast<Stage>(i));
    return stages;
}
std::vector<StageEvent> all_events() {
    std::vector<StageEvent> events;
    for (std::size_t i = 0; i != stage_event_count; ++i)
        events.push_back(static_cast<StageEvent>(i));
    return events;
}

StageStep cell(Stage stage, StageEvent event) {
    return stage_table[static_cast<std::size_t>(stage)][static_cast<std::size_t>(event)];
}
bool is_possible(Stage stage, StageEvent event) {
    return cell(stage, event).action != A::impossible;
}

} // namespace

static_assert(sizeof(StageStep) == 2);
static_assert(static_cast<std::size_t>(S::cancelling) + 1 == stage_count);
static_assert(static_cast<std::size_t>(E::shutdown) + 1 == stage_event_count);

// The way of an attempt that nothing disturbs, at compile time.
static_assert([] {
    Stage stage = S::idle;
    for (const E event : {E::schedule, E::announce, E::start, E::finish})
        stage = stage_step(stage, event).to;
    return stage == S::idle;
}());

TEST_CASE("each transition stands in the table once") {
    for (const StageTransition& each : stage_transitions) {
        CAPTURE(static_cast<int>(each.from), static_cast<int>(each.event));
        CHECK(std::ranges::count_if(stage_transitions, [&](const StageTransition& other) {
                  return other.from == each.from && other.event == each.event;
              }) == 1);
        CHECK(stage_step(each.from, each.event) == StageStep{each.to, each.action});
    }
}

TEST_CASE("every stage is reached from idle, and left for it") {
    std::vector<Stage> reached{S::idle};
    for (std::size_t i = 0; i != reached.size(); ++i)
        for (const E event : all_events()) {
            const StageStep step = cell(reached[i], event);
            if (step.action != A::impossible && std::ranges::count(reached, step.to) == 0)
                reached.push_back(step.to);
        }
    CHECK(reached.size() == stage_count);
    for (const S stage : all_stages()) {
        CAPTURE(static_cast<int>(stage));
        CHECK(cell(stage, E::shutdown).to == S::idle);
        CHECK(is_possible(stage, E::cancel));
        CHECK(is_possible(stage, E::abandon));
    }
}

TEST_CASE("an attempt that has not begun is called off without a trace") {
    CHECK(stage_step(S::scheduled, E::cancel) == StageStep{S::idle, A::disarm});
    CHECK(stage_step(S::queued, E::cancel) == StageStep{S::idle, A::withdraw});
    CHECK(stage_step(S::idle, E::cancel) == StageStep{S::idle, A::none});
    for (const S stage : all_stages()) {
        if (!waits_to_begin(stage)) continue;
        CAPTURE(static_cast<int>(stage));
        CHECK_FALSE(is_possible(stage, E::finish)); // it has no end to report
        CHECK_FALSE(is_possible(stage, E::start));
    }
}

TEST_CASE("an attempt that is cancelled while it is announced never starts its probe") {
    CHECK(stage_step(S::announced, E::cancel) == StageStep{S::revoked, A::none});
    CHECK(stage_step(S::revoked, E::start) == StageStep{S::revoked, A::finish_revoked});
    CHECK(stage_step(S::revoked, E::finish) == StageStep{S::idle, A::release_permit});
    CHECK(is_cancelled(S::revoked));
    CHECK_FALSE(uses_probe(S::revoked));
}

TEST_CASE("a probe is started from one place, and stopped wherever it is in use") {
    for (const S stage : all_stages())
        for (const E event : all_events()) {
            CAPTURE(static_cast<int>(stage), static_cast<int>(event));
            const A action = cell(stage, event).action;
            CHECK((action == A::start_probe) == (stage == S::announced && event == E::start));
            if (action == A::stop_probe) CHECK(uses_probe(stage));
        }
    CHECK(stage_step(S::running, E::cancel) == StageStep{S::cancelling, A::stop_probe});
    CHECK(stage_step(S::timed_out, E::cancel) == StageStep{S::cancelling, A::stop_probe});
    CHECK(stage_step(S::cancelling, E::cancel) == StageStep{S::cancelling, A::none});
    CHECK(stage_step(S::cancelling, E::time_out) == StageStep{S::cancelling, A::stop_probe});
}

TEST_CASE("a timeout counts as a failure unless the attempt is cancelled before or after it") {
    CHECK(stage_step(S::running, E::time_out) == StageStep{S::timed_out, A::stop_probe});
    CHECK_FALSE(is_cancelled(S::timed_out));
    CHECK(is_cancelled(stage_step(S::timed_out, E::cancel).to));
    CHECK(is_cancelled(stage_step(S::cancelling, E::time_out).to));
}

TEST_CASE("a permit is released where an attempt ends that has begun, and nowhere else") {
    for (const S stage : all_stages())
        for (const E event : all_events()) {
            if (!is_possible(stage, event)) continue;
            CAPTURE(static_cast<int>(stage), static_cast<int>(event));
            const StageStep step = cell(stage, event);
            const bool has_begun = stage != S::idle && !waits_to_begin(stage);
            CHECK((step.action == A::release_permit) == (has_begun && step.to == S::idle));
        }
}

TEST_CASE("after its handle has gone a worker starts nothing, and waits for a probe in use") {
    for (const S stage : all_stages()) {
        CAPTURE(static_cast<int>(stage));
        const StageStep step = stage_step(stage, E::abandon);
        CHECK(step.to == (uses_probe(stage) ? S::cancelling : S::idle));
        CHECK((step.action == A::stop_probe) == uses_probe(stage));
    }
    CHECK(stage_step(S::idle, E::start) == StageStep{S::idle, A::none}); // gone while announced
}
