// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/runtime/detail/spec_cache.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/core/probe_spec.hpp>

using namespace probekit;
using namespace probekit::detail;
using namespace std::chrono_literals;

namespace {

/// One that differs from the default in each field, and from all others by its number in one.
std::vector<ProbeSpec> one_per_field() {
    std::vector<ProbeSpec> specs(13);
    specs[1].kind = ProbeKind::liveness;
    specs[2].initial_delay = 1s;
    specs[3].period = 1s;
    specs[4].timeout = 2s;
    specs[5].success_threshold = 2;
    specs[6].failure_threshold = 2;
    specs[7].termination_grace_period = 1s;
    specs[8].pacing.cadence = Cadence::target_start;
    specs[9].pacing.spread = 1s;
    specs[10].pacing.jitter = 1s;
    specs[11].pacing.seed = 1;
    specs[12].pacing.slack = 0s;
    return specs;
}

} // namespace

TEST_CASE("equal specs are one object, others are not") {
    const Ref cache{new SpecCache};
    std::vector<SharedSpec> shared;
    for (const ProbeSpec& spec : one_per_field()) shared.push_back(cache->share(spec));
    CHECK(cache->size() == shared.size());
    std::size_t at = 0;
    for (const ProbeSpec& spec : one_per_field()) {
        CHECK(*shared[at] == spec);
        CHECK(&*cache->share(spec) == &*shared[at]);
        ++at;
    }
    CHECK(cache->size() == shared.size());
}

TEST_CASE("a spec is destroyed with its last holder") {
    const Ref cache{new SpecCache};
    std::optional<SharedSpec> first = cache->share({.period = 1s});
    const SharedSpec other = cache->share({.period = 2s});
    std::optional<SharedSpec> second = *first;
    first.reset();
    CHECK(cache->size() == 2);
    CHECK((**second).period == 1s);
    second.reset();
    CHECK(cache->size() == 1);
    CHECK((*cache->share({.period = 1s})).period == 1s);
}

TEST_CASE("any number of different specs are found again") {
    const Ref cache{new SpecCache};
    std::vector<SharedSpec> shared;
    for (std::uint64_t seed = 1; seed <= 1000; ++seed)
        shared.push_back(cache->share({.pacing = {.seed = seed}}));
    CHECK(cache->size() == 1000);
    for (std::uint64_t seed = 1; seed <= 1000; ++seed)
        CHECK(&*cache->share({.pacing = {.seed = seed}}) ==
              &*shared[static_cast<std::size_t>(seed - 1)]);
    for (std::size_t i = 0; i < shared.size(); i += 2) shared[i] = shared.back();
    shared.erase(shared.begin() + 10, shared.end());
    CHECK(cache->size() == 6); // the even seeds up to ten, and the last
    shared.clear();
    CHECK(cache->size() == 0);
}

TEST_CASE("a spec outlives its context, and the cache that gave it") {
    std::optional<SharedSpec> spec;
    {
        asio::io_context io;
        spec = ContextState::of(io.get_executor())->local<SpecCache>().share({.period = 3s});
    }
    CHECK((**spec).period == 3s);
}

TEST_CASE("contexts share nothing") {
    asio::io_context one;
    asio::io_context two;
    const SharedSpec first = ContextState::of(one.get_executor())->local<SpecCache>().share({});
    const SharedSpec second = ContextState::of(two.get_executor())->local<SpecCache>().share({});
    CHECK(&*first != &*second);
}

TEST_CASE("threads may share and release the same specs at once") {
    const Ref cache{new SpecCache};
    bool right[2] = {true, true};
    const auto share_and_release = [&](bool& all_right) {
        for (int round = 0; round != 20'000; ++round) {
            const ProbeSpec wanted{.failure_threshold = 1 + round % 3};
            all_right = all_right && *cache->share(wanted) == wanted;
        }
    };
    std::thread other{[&] { share_and_release(right[1]); }};
    share_and_release(right[0]);
    other.join();
    CHECK(right[0]);
    CHECK(right[1]);
    CHECK(cache->size() == 0);
}
