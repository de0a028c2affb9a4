// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/policy.hpp>

#include <optional>

#include <catch2/catch_test_macros.hpp>

#include "../tools/printing.hpp"

using namespace probekit;

namespace {

const ProbeResult success = ProbeResult::success();
const ProbeResult warning = ProbeResult::warning({});
const ProbeResult failure = ProbeResult::failure(Errc::http_status);
const ProbeResult unknown;

constexpr ProbeSpec spec{.success_threshold = 2, .failure_threshold = 2};

struct MoveOnly {
    MoveOnly() = default;
    MoveOnly(MoveOnly&&) = default;
    std::optional<Health> judge(const ProbeResult&, const ProbeSpec&) noexcept { return {}; }
};
struct MayThrow {
    std::optional<Health> judge(const ProbeResult&, const ProbeSpec&) { return {}; }
};
struct SaysBool {
    bool judge(const ProbeResult&, const ProbeSpec&) noexcept { return true; }
};
struct Immovable {
    Immovable() = default;
    Immovable(const Immovable&) = delete;
    std::optional<Health> judge(const ProbeResult&, const ProbeSpec&) noexcept { return {}; }
};

} // namespace

static_assert(Policy<KubeletPolicy> && Policy<MoveOnly>);
static_assert(!Policy<MayThrow> && !Policy<SaysBool> && !Policy<Immovable> && !Policy<int>);
static_assert(sizeof(KubeletPolicy) == 8);

TEST_CASE("KubeletPolicy judges nothing below the threshold, and each result from there on") {
    KubeletPolicy policy;
    CHECK(policy.judge(success, spec) == std::nullopt);
    CHECK(policy.judge(success, spec) == Health::passing);
    CHECK(policy.judge(success, spec) == Health::passing);
    CHECK(policy.judge(failure, spec) == std::nullopt);
    CHECK(policy.judge(success, spec) == std::nullopt);
    CHECK(policy.judge(failure, spec) == std::nullopt);
    CHECK(policy.judge(failure, spec) == Health::failing);
    CHECK(policy.run() == 2);
}

TEST_CASE("A warning counts as a success, and unknown as a failure") {
    KubeletPolicy policy;
    CHECK(policy.judge(success, spec) == std::nullopt);
    CHECK(policy.judge(warning, spec) == Health::passing);
    CHECK(policy.judge(failure, spec) == std::nullopt);
    CHECK(policy.judge(unknown, spec) == Health::failing);
}

TEST_CASE(
    "Going on hold forgets the run, a new start everything, a new target nothing on the grid") {
    KubeletPolicy policy;
    (void)policy.judge(failure, spec);
    policy.on_target_replaced(spec);
    CHECK(policy.run() == 1);
    CHECK(policy.judge(failure, spec) == Health::failing);

    policy.on_hold();
    CHECK(policy.run() == 0);
    CHECK_FALSE(policy.counter().last());
    policy.on_start();
    CHECK(policy.counter().last());

    (void)policy.judge(failure, spec);
    ProbeSpec scoped = spec;
    scoped.pacing.cadence = Cadence::target_start;
    policy.on_target_replaced(scoped);
    CHECK(policy.run() == 0);
    CHECK(policy.counter().last());
}
