#include <probekit/simulation/container.hpp>

#include <chrono>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using namespace std::chrono_literals;
using simulation::Container;

TEST_CASE("a container's mistakes are those of its probes, each kind by the rules of its place") {
    const Container container{
        .startup = ProbeSpec{.kind = ProbeKind::readiness, .success_threshold = 2},
        .liveness = ProbeSpec{.period = 0s, .timeout = -1s},
        .readiness = ProbeSpec{.kind = ProbeKind::liveness,
                               .success_threshold = 2,
                               .termination_grace_period = 5s},
    };
    CHECK(validate(container) ==
          ConfigErrors{{"startup.success_threshold", "must be 1"},
                       {"liveness.period", "must be greater than zero"},
                       {"liveness.timeout", "must be greater than zero"},
                       {"readiness.termination_grace_period", "must not be set for readiness"}});
    CHECK(validate(Container{}).empty());
}

TEST_CASE("a probe's own grace period wins, and none is shorter than two seconds") {
    const Container container{.termination_grace_period = 10s};
    CHECK(container.grace_period({}) == 10s);
    CHECK(container.grace_period({.termination_grace_period = 40s}) == 40s);
    CHECK(container.grace_period({.termination_grace_period = 1s}) == 2s);
    CHECK(Container{.termination_grace_period = 0s}.grace_period({}) == 2s);
    CHECK(Container{}.grace_period({}) == 30s);
}
