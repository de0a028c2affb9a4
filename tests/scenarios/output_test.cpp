// Readers of the supervisor's output that pause: nothing of what it does may depend on them.
#include <string>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "pods.hpp"
#include "supervised.hpp"

using namespace scenarios;

namespace {

/// Counts up to `last` on its standard output, then goes on running.
json chatty(const std::string& last) {
    return shell("chatty", "i=0; while test $i != " + last +
                               "; do i=$((i+1)); echo $i 0123456789012345678901234567890123456789; "
                               "done; while :; do /bin/sleep 0.05; done");
}

/// Prints a little, and is killed by its liveness probe again and again.
json sick() {
    json one = shell("sick", "echo here; trap 'exit 0' TERM; while :; do /bin/sleep 0.05; done");
    one["livenessProbe"] = {
        {"exec", {{"command", {"false"}}}}, {"periodSeconds", 1}, {"failureThreshold", 2}};
    return one;
}

auto restarted(const std::string& name, int times) {
    return [name, times](const json& line) {
        return is_pod(line) && container(line, name)["restartCount"] == times;
    };
}

} // namespace

TEST_CASE("nobody reads standard error: probes, restarts and the end go on") {
    Supervised supervised{pod("p", {chatty("never"), sick()}).dump(), {.logs = "prefix"}};
    supervised.until(restarted("sick", 3));
    CHECK(supervised.stop() == 0);
    // What has been written is what the containers wrote, without a gap.
    int next = 1;
    while (const auto line = supervised.program().errors().line()) {
        const std::string prefix = "[pod/p/chatty] ";
        if (!line->starts_with(prefix)) continue;
        if (line->find('9') == std::string::npos) break; // the last one may be cut off
        if (std::stoi(line->substr(prefix.size())) != next) FAIL_CHECK(*line);
        ++next;
    }
    CHECK(next > 500); // the pipe of standard error was full
}

TEST_CASE("who reads standard error late misses no line of a container") {
    Supervised supervised{pod("p", {chatty("20000"), sick()}).dump(), {.logs = "prefix"}};
    supervised.until(restarted("sick", 2));
    int next = 1;
    int here = 0;
    while (next <= 20000) {
        const auto line = supervised.program().errors().line();
        REQUIRE(line);
        if (*line == "[pod/p/sick] here") ++here;
        const std::string prefix = "[pod/p/chatty] ";
        if (!line->starts_with(prefix)) continue;
        if (std::stoi(line->substr(prefix.size())) != next) FAIL(*line);
        ++next;
    }
    CHECK(here >= 1);
    CHECK(supervised.stop() == 0);
}

TEST_CASE("nobody reads standard output: what was missed is counted, and each pod shown again") {
    // Its lines are long, so that restarts fill what may wait even with one line for each.
    json noisy = pod("noisy", {shell("c", "echo run; exit 1")});
    noisy["spec"]["containers"][0]["image"] = std::string(60000, 'x'); // which its status repeats
    const json quiet = pod("quiet", {obedient("c")});
    Supervised supervised{noisy.dump() + "\n---\n" + quiet.dump(),
                          {.scale = "1000", .logs = "prefix"}};
    int runs = 0;
    while (runs != 30) {
        const auto line = supervised.program().errors().line();
        REQUIRE(line);
        if (*line == "[pod/noisy/c] run") ++runs;
    }
    const bool reads_again = GENERATE(true, false);
    if (!reads_again) {
        supervised.program().signal(SIGTERM);
        CHECK(supervised.program().wait() == 0); // without a reader
        return;
    }
    supervised.until([](const json& line) {
        return is_pod(line) && line["object"]["metadata"]["name"] == "noisy" &&
               container(line)["restartCount"] >= 29;
    });
    const json shown = supervised.until([](const json& line) {
        return is_pod(line) && line["object"]["metadata"]["name"] == "quiet";
    });
    CHECK(shown["type"] == "MODIFIED");
    CHECK(container(shown)["state"].contains("running"));
    std::string note;
    while (note.find("standard output was not read") == std::string::npos) {
        const auto line = supervised.program().errors().line();
        REQUIRE(line);
        note = *line;
    }
    CHECK(note.find("lines are missing") != std::string::npos);
    CHECK(supervised.stop() == 0);
    CHECK(supervised.lines().back()["type"] == "DELETED");
}
