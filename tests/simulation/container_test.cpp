#include <probekit/simulation/container.hpp>

#include <chrono>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using namespace std::chrono_literals;
using simulation::Container;

TEST_CASE("a container is validated by its probes, each by the rules of its kind") {
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

TEST_CASE("starts are exact, or truncated to whole seconds") {
    CHECK(Container{}.start_precision() == 0s);
    CHECK(Container{.starts_in_whole_seconds = true}.start_precision() == 1s);
}

TEST_CASE("the settings for restarts are passed to the container's machine") {
    const Container container{.restart_policy = RestartPolicy::never,
                              .back_off = {.base = 3s},
                              .termination_grace_period = 7s};
    CHECK(container.settings() == ContainerSettings{.restart_policy = RestartPolicy::never,
                                                    .back_off = {.base = 3s},
                                                    .termination_grace_period = 7s});
}
