// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// Commands that cannot be executed, do not end, end badly, or leave processes behind. Each with
// what a worker makes of it.
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <probekit/probes/exec_probe.hpp>

#include "../tools/temporary_folder.hpp"
#include "watched.hpp"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

Watched run(std::vector<std::string> command, Duration timeout = 20s,
            const ExecOptions& options = {}) {
    asio::io_context io;
    return watch(io, ExecProbe{io, {.command = std::move(command)}, options}, timeout);
}
Watched run_shell(const std::string& script, Duration timeout = 20s,
                  const ExecOptions& options = {}) {
    return run({"/bin/sh", "-c", script}, timeout, options);
}

bool has_no_children() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

void check_error(const Watched& seen, std::errc error) {
    CHECK(seen.error == error);
    CHECK(seen.result.outcome == Outcome::unknown);
    CHECK(seen.result.phase == Phase::spawn);
    CHECK_FALSE(seen.counted);
    CHECK(seen.health == Health::passing);
    CHECK(has_no_children());
}

void check_failure(const Watched& seen, std::error_code cause, int status) {
    CHECK_FALSE(seen.error);
    CHECK(seen.counted);
    CHECK(seen.health == Health::failing);
    CHECK(seen.result.outcome == Outcome::failure);
    CHECK(seen.result.cause == cause);
    CHECK(seen.result.status == status);
    CHECK(has_no_children());
}

} // namespace

TEST_CASE("a command that cannot be executed is a prober error") {
    const tools::TemporaryFolder folder;
    SECTION("a program that does not exist") {
        check_error(run({"/no/such/program"}), std::errc::no_such_file_or_directory);
    }
    SECTION("a folder") {
        check_error(run({folder.path().string()}), std::errc::permission_denied);
    }
    SECTION("a file without the right to be executed") {
        check_error(run({folder.file("plain", "#!/bin/sh\nexit 0\n", 0644)}),
                    std::errc::permission_denied);
    }
    SECTION("a script without #!") {
        check_error(run({folder.file("script", "exit 0\n", 0755)}),
                    std::errc::executable_format_error);
    }
    SECTION("an empty file") {
        check_error(run({folder.file("empty", "", 0755)}), std::errc::executable_format_error);
    }
    SECTION("a script whose interpreter does not exist") {
        check_error(run({folder.file("script", "#!/no/such/interpreter\n", 0755)}),
                    std::errc::no_such_file_or_directory);
    }
    SECTION("a program that is being written") {
        const std::string program = folder.file("busy", "#!/bin/sh\nexit 0\n", 0755);
        const int writer = ::open(program.c_str(), O_WRONLY | O_CLOEXEC);
        REQUIRE(writer >= 0);
        check_error(run({program}), std::errc::text_file_busy);
        ::close(writer);
        CHECK(run({program}).result.passed());
    }
    SECTION("an endless chain of links") {
        const std::string link = folder.path().string() + "/loop";
        REQUIRE(::symlink("loop", link.c_str()) == 0);
        check_error(run({link}), std::errc::too_many_symbolic_link_levels);
    }
    SECTION("a path that is too long") {
        check_error(run({"/" + std::string(5000, 'x')}), std::errc::filename_too_long);
    }
    SECTION("an argument that is too long") {
        check_error(run({"/bin/true", std::string(1 << 20, 'x')}),
                    std::errc::argument_list_too_long);
    }
    SECTION("a path that goes through a file") {
        check_error(run({folder.file("plain", "x", 0755) + "/program"}),
                    std::errc::not_a_directory);
    }
}

TEST_CASE("a command that ends badly fails") {
    SECTION("another exit status than 0") {
        check_failure(run_shell("exit 7"), Errc::exit_status, 7);
    }
    SECTION("killed by a signal of its own") {
        check_failure(run_shell("kill -SEGV $$"), Errc::killed_by_signal, 128 + SIGSEGV);
    }
    SECTION("killed by SIGKILL, as when memory runs out") {
        check_failure(run_shell("kill -KILL $$"), Errc::killed_by_signal, 128 + SIGKILL);
    }
    SECTION("a shell that does not find its program") {
        check_failure(run_shell("no-such-program 2>&-"), Errc::exit_status, 127);
    }
    SECTION("its output is reported") {
        const Watched seen = run_shell("echo why; echo and why >&2; exit 1");
        check_failure(seen, Errc::exit_status, 1);
        CHECK(seen.result.message() == "why\nand why\n");
    }
    SECTION("bytes that are not text are reported unchanged") {
        const Watched seen = run_shell("printf 'a\\0b\\377'; exit 1");
        CHECK(seen.result.output == std::string("a\0b\377", 4));
    }
}

TEST_CASE("a command that exceeds a limit of its own fails") {
    SECTION("of its memory") {
        const Watched seen = run_shell("ulimit -v 100; exec true");
        CHECK(seen.counted);
        CHECK(seen.result.outcome == Outcome::failure);
    }
    SECTION("of a file's size") {
        const tools::TemporaryFolder folder;
        const Watched seen = run_shell(
            "ulimit -f 0; exec dd if=/dev/zero of=" + folder.path().string() + "/x bs=1k count=1");
        CHECK(seen.counted);
        CHECK(seen.result.outcome == Outcome::failure);
    }
    SECTION("of its descriptors") {
        const Watched seen = run_shell("ulimit -n 3; cat 9</dev/null; exec 9</dev/null");
        CHECK(seen.counted);
        CHECK(seen.result.outcome == Outcome::failure);
    }
}

TEST_CASE("a command that does not end is ended at the timeout") {
    const auto check_timeout = [](const Watched& seen) {
        check_failure(seen, Errc::timed_out, -1);
        CHECK(seen.result.output.empty());
        CHECK(seen.result.message().find("timed out after 60ms") != std::string::npos);
    };
    SECTION("it sleeps") { check_timeout(run_shell("exec sleep 100", 60ms)); }
    SECTION("it ignores SIGTERM") {
        check_timeout(
            run_shell("trap '' TERM; while :; do sleep 100; done", 60ms, {.kill_grace = 20ms}));
    }
    SECTION("it has been stopped") { check_timeout(run_shell("kill -STOP $$", 60ms)); }
    SECTION("it has closed its output") {
        check_timeout(run_shell("exec >&- 2>&-; sleep 100", 60ms));
    }
    SECTION("it floods its output") { check_timeout(run_shell("exec yes", 60ms)); }
    SECTION("it waits for its children") {
        check_timeout(run_shell("sleep 100 & sleep 100 & wait", 60ms));
    }
    SECTION("it reads its input, which has ended") { CHECK(run_shell("cat").result.passed()); }
}

TEST_CASE("processes that a command leaves behind delay nothing") {
    SECTION("a child in the background that holds its output") {
        const Watched seen = run_shell("sleep 2 & exit 3");
        check_failure(seen, Errc::exit_status, 3);
    }
    SECTION("a daemon that has forked twice and left the session") {
        const Watched seen = run_shell("(setsid sleep 2 & exit 0) & wait; exit 0");
        CHECK(seen.counted);
        CHECK(seen.result.passed());
        CHECK(has_no_children());
    }
}

TEST_CASE("a command that floods its output ends, and its output is bounded") {
    const Watched seen = run_shell("head -c 3000000 /dev/zero; exit 1");
    check_failure(seen, Errc::exit_status, 1);
    CHECK(seen.result.output.size() == 10240);
    CHECK(seen.result.output_bytes == 3'000'000);
}
