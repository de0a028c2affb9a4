// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/detail/message.hpp>

#include <string>
#include <system_error>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace std::chrono_literals;
using namespace probekit;

namespace {

std::string spawn_message(const std::vector<std::string>& command, std::errc why) {
    ProbeResult result;
    result.phase = Phase::spawn;
    result.cause = std::make_error_code(why);
    return detail::exec_message(command, result, {});
}

} // namespace

TEST_CASE("A program that cannot be executed is named in full, without its arguments") {
    CHECK(spawn_message({"/opt/my tool", "a b"}, std::errc::no_such_file_or_directory) ==
          "fork/exec /opt/my tool: no such file or directory");
    CHECK(spawn_message({"./x"}, std::errc::permission_denied) ==
          "fork/exec ./x: permission denied");
    CHECK(spawn_message({"/x"}, std::errc::executable_format_error) ==
          "fork/exec /x: exec format error");
}

TEST_CASE("A program that is not in PATH is reported in Go's words") {
    for (const std::errc why : {std::errc::no_such_file_or_directory, std::errc::permission_denied})
        CHECK(spawn_message({"my \"tool\"", "a"}, why) ==
              R"(exec: "my \"tool\"": executable file not found in $PATH)");
    CHECK(spawn_message({"tool"}, std::errc::argument_list_too_long) ==
          "fork/exec tool: argument list too long");
}

TEST_CASE("A command that timed out is quoted as Go quotes it") {
    ProbeResult result = ProbeResult::failure(Errc::timed_out);
    result.detail = "1.5s";
    const std::vector<std::string> command{"sh", "-c", "echo \"a\\b\"\nsleep 9"};
    CHECK(detail::exec_message(command, result, {}) ==
          R"(command timed out: "sh -c echo \"a\\b\"\nsleep 9" timed out after 1.5s)");
    CHECK(detail::exec_message({"sleep", "10"}, result, 2s) ==
          R"(command timed out: "sleep 10" timed out after 2s)");
}

TEST_CASE("For any other end of a command the message is its output") {
    CHECK(detail::exec_message({"x"}, ProbeResult::failure("bad\n", Errc::exit_status), {}) ==
          "bad\n");
    CHECK(
        detail::exec_message({"x"}, ProbeResult::failure("", Errc::killed_by_signal), {}).empty());
}

TEST_CASE("Errors of dialling are reported in Go's words") {
    const auto code = [](std::errc why) { return std::make_error_code(why); };
    CHECK(detail::dial_message("127.0.0.1", "127.0.0.1:80", Phase::connect,
                               code(std::errc::connection_refused)) ==
          "dial tcp 127.0.0.1:80: connect: connection refused");
    CHECK(detail::dial_message("::1", "[::1]:80", Phase::connect, Errc::timed_out) ==
          "dial tcp [::1]:80: i/o timeout");
    CHECK(detail::dial_message("", "/run/app.sock", Phase::connect,
                               code(std::errc::no_such_file_or_directory), "unix") ==
          "dial unix /run/app.sock: connect: no such file or directory");
    CHECK(detail::dial_message("x", "", Phase::resolve, Errc::no_such_host) ==
          "dial tcp: lookup x: no such host");
    CHECK(detail::dial_message("x", "", Phase::resolve, Errc::timed_out) ==
          "dial tcp: lookup x: i/o timeout");
    CHECK(detail::dial_message("127.0.0.1", "127.0.0.1:80", Phase::connect,
                               code(std::errc::network_unreachable)) ==
          "dial tcp 127.0.0.1:80: connect: network is unreachable");
    CHECK(detail::dial_message("127.0.0.1", "127.0.0.1:80", Phase::connect,
                               code(std::errc::too_many_files_open)) ==
          "dial tcp 127.0.0.1:80: socket: too many open files");
}
