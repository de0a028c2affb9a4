// Few descriptors: what can be had is used, and what cannot be done at once is done in turn.
#include <set>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "pods.hpp"
#include "supervised.hpp"

using namespace scenarios;

TEST_CASE("many pods are ready after their first check, and none of their hooks fails") {
    // Under the soft limit not even the containers would have room; the hard one leaves little.
    const std::string limit = GENERATE("--nofile=64:4096", "--nofile=170:170");
    CAPTURE(limit);
    constexpr std::size_t count = 60;
    std::string manifest;
    for (std::size_t i = 0; i != count; ++i) {
        const json hook{{"exec", {{"command", {"true"}}}}};
        json c = shell("c", "exec /bin/sleep 1000");
        c["readinessProbe"] = hook;
        c["readinessProbe"]["periodSeconds"] = 1000000;
        c["readinessProbe"]["timeoutSeconds"] = 1000;
        c["lifecycle"] = {{"postStart", hook}, {"preStop", hook}};
        if (i == 0) c["command"][2] = "ulimit -Sn > soft; exec /bin/sleep 1000";
        manifest += pod("p" + std::to_string(i), {c}).dump() + "\n---\n";
    }
    Supervised supervised{manifest, {.scale = "1", .wrapper = {"/usr/bin/prlimit", limit}}};
    std::set<std::string> ready_ones;
    supervised.until([&](const json& line) {
        if (ready(true)(line)) ready_ones.insert(line["object"]["metadata"]["name"]);
        return ready_ones.size() == count;
    });
    // What a container may open is what the supervisor was given.
    CHECK(contents(supervised.folder() / "soft") + ":" ==
          limit.substr(limit.find('=') + 1, limit.find(':') - limit.find('=') - 1) + "\n:");
    CHECK(supervised.stop() == 0);
    for (const char* const reason : {"Unhealthy", "FailedPostStartHook", "FailedPreStopHook"})
        CHECK(supervised.all(event(reason)).empty());
}
