// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/outcome.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;

// The words are part of the interface: they stand in logs, metrics and the kubelet's events.
static_assert(to_string(Outcome::success) == "success");
static_assert(to_string(Outcome::warning) == "warning");
static_assert(to_string(Outcome::failure) == "failure");
static_assert(to_string(Outcome::unknown) == "unknown");

static_assert(to_string(Health::unknown) == "unknown");
static_assert(to_string(Health::passing) == "passing");
static_assert(to_string(Health::failing) == "failing");

static_assert(to_string(ProbeKind::startup) == "Startup");
static_assert(to_string(ProbeKind::liveness) == "Liveness");
static_assert(to_string(ProbeKind::readiness) == "Readiness");

static_assert(
    noexcept(to_string(Outcome::success)) && noexcept(to_string(Health::unknown)) && noexcept(
        to_string(ProbeKind::startup)) && noexcept(to_string(Phase::none)));
static_assert(sizeof(Outcome) == 1 && sizeof(Health) == 1 && sizeof(ProbeKind) == 1 &&
              sizeof(Phase) == 1);

TEST_CASE("Phases have their names, in their order") {
    constexpr std::string_view names[] = {"none",     "resolve", "connect", "handshake", "request",
                                          "response", "body",    "spawn",   "run",       "finish"};
    for (int i = 0; i != 10; ++i) CHECK(to_string(static_cast<Phase>(i)) == names[i]);
}
