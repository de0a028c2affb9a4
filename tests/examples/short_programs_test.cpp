#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "loopback.hpp"
#include "program.hpp"

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
    const auto file = std::filesystem::temp_directory_path() /
                      ("custom_probe_test." + std::to_string(::getpid()));
    std::ofstream{file} << "beat";
    Program program{{.command = {CUSTOM_PROBE, file.string()}}};

    line_with(program, "Liveness probe succeeded");
    line_with(program,
              "Readiness probe failed: " + file.string() + " has not been touched for a second");
    std::filesystem::remove(file);
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
