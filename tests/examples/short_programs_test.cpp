#include <chrono>
#include <csignal>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "loopback.hpp"
#include "program.hpp"
#include "temporary_folder.hpp"

namespace {

using tools::BoundPort;
using tools::Program;

/// Reads on until a line has all of these in it.
template <class... Texts>
std::string line_with(Program& program, const Texts&... texts) {
    while (const auto line = program.output().line())
        if (((line->find(texts) != std::string::npos) && ...)) return *line;
    FAIL("the program has ended");
    return {};
}

std::string address(const BoundPort& port) { return "127.0.0.1:" + std::to_string(port.number()); }

} // namespace

TEST_CASE("wait_for_port waits until the port is up") {
    BoundPort port;
    Program program{{.command = {WAIT_FOR_PORT, "127.0.0.1", std::to_string(port.number()), "90"}}};
    port.listen();
    CHECK(program.output().line() == address(port) + " is up");
    CHECK(program.wait() == 0);
}

TEST_CASE("wait_for_port gives up in time") {
    const BoundPort port;
    Program program{
        {.command = {WAIT_FOR_PORT, "127.0.0.1", std::to_string(port.number()), "0.1"}}};
    CHECK(program.output().line() == address(port) + " is not up");
    CHECK(program.wait() == 1);
}

TEST_CASE("wait_for_port names what is wrong with its arguments") {
    Program none{{.command = {WAIT_FOR_PORT}}};
    CHECK(none.errors().line() == "usage: wait_for_port HOST PORT [SECONDS]");
    CHECK(none.wait() == 2);
    for (const char* const port : {"0", "65536", "-1"}) {
        Program no_port{{.command = {WAIT_FOR_PORT, "127.0.0.1", port}}};
        CHECK(no_port.errors().line() == "port: must be between 1 and 65535");
        CHECK(no_port.wait() == 2);
    }
}

TEST_CASE("backend_set keeps the backends that are ready") {
    BoundPort up;
    const BoundPort down;
    up.listen();
    Program program{{.command = {BACKEND_SET, address(up), address(down)}}};

    line_with(program, address(up) + ": Readiness probe succeeded; ready: " + address(up));
    up.release();
    line_with(program, address(up) + ": Readiness probe failed", "connection refused; ready:");
    program.signal(SIGTERM);
    program.output().rest();
    CHECK(program.wait() == 0);
}

TEST_CASE("custom_probe runs a lambda and a class as probes") {
    const tools::TemporaryFolder folder;
    const std::string file = folder.file("beat", "beat");
    Program program{{.command = {CUSTOM_PROBE, file}}};

    line_with(program, "Liveness probe succeeded");
    line_with(program, "Readiness probe failed: " + file + " has not been touched for a second");
    program.signal(SIGTERM);
    program.output().rest();
    CHECK(program.wait() == 0);
}

TEST_CASE("supervise_child restarts its command when the port no longer answers") {
    BoundPort port;
    port.listen();
    Program program{{.command = {SUPERVISE_CHILD, std::to_string(port.number()), "sleep", "600"}}};
    line_with(program, "started: Startup probe succeeded");
    line_with(program, "ready");
    port.release();
    line_with(program, "killed: Liveness probe failed", "connection refused");
    line_with(program, "exited: killed by signal 15");
    line_with(program, "restarting");
    program.signal(SIGTERM);
    line_with(program, "over");
    program.output().rest();
    CHECK(program.wait() == 0);
}

TEST_CASE("supervise_child names what is wrong with its arguments") {
    Program none{{.command = {SUPERVISE_CHILD}}};
    CHECK(none.errors().line() == "usage: supervise_child PORT COMMAND [ARGUMENTS...]");
    CHECK(none.wait() == 2);
    Program no_port{{.command = {SUPERVISE_CHILD, "0", "true"}}};
    CHECK(no_port.errors().line() == "port: must be between 1 and 65535");
    CHECK(no_port.wait() == 2);
}

TEST_CASE("probekit_check probes once") {
    BoundPort port;
    const std::string url = "tcp://" + address(port);
    Program down{{.command = {PROBEKIT_CHECK, url}}};
    CHECK(down.errors().line() == "dial tcp " + address(port) + ": connect: connection refused");
    CHECK(down.wait() == 1);
    port.listen();
    CHECK(Program{{.command = {PROBEKIT_CHECK, url}}}.wait() == 0);
    CHECK(Program{{.command = {PROBEKIT_CHECK, "--timeout", "60", "--", "true"}}}.wait() == 0);
    Program fails{{.command = {PROBEKIT_CHECK, "--", "sh", "-c", "echo why; exit 3"}}};
    CHECK(fails.errors().line() == "why");
    CHECK(fails.wait() == 1);
    // Something listens, and never answers.
    Program silent{
        {.command = {PROBEKIT_CHECK, "--timeout", "0.1", "http://" + address(port) + "/healthz"}}};
    CHECK(silent.errors().line().value_or("").starts_with("Get \"http://" + address(port) +
                                                          "/healthz\": "));
    CHECK(silent.wait() == 1);
}

TEST_CASE("probekit_check names what is wrong with its arguments") {
    struct Row {
        std::vector<std::string> arguments;
        std::string error;
    };
    for (const Row& row : std::vector<Row>{
             {{}, "usage: probekit_check [--timeout SECONDS] URL | -- COMMAND [ARGUMENTS...]"},
             {{"tcp://127.0.0.1"}, "port: must be between 1 and 65535"},
             {{"https://127.0.0.1/"}, "neither http:// nor tcp://: https://127.0.0.1/"},
             {{"http://[::1"}, "parse \"http://[::1\": missing ']' in host"},
             {{"--timeout", "-1", "tcp://:80"}, "--timeout: must be seconds above 0: -1"}}) {
        std::vector<std::string> command{PROBEKIT_CHECK};
        command.insert(command.end(), row.arguments.begin(), row.arguments.end());
        Program program{{.command = command}};
        CHECK(program.errors().line() == row.error);
        CHECK(program.wait() == 2);
    }
}
