// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/probes/exec_probe.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <asio/awaitable.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "../process/process_tools.hpp"

namespace {

using namespace probekit;
using namespace probekit::tests;
using namespace std::chrono_literals;

struct Attempt {
    int calls = 0;
    std::error_code error;
    ProbeResult result;

    auto handler() {
        return [this](std::error_code code, ProbeResult what) {
            ++calls;
            error = code;
            result = std::move(what);
        };
    }
    bool was_aborted() const { return calls == 1 && error == asio::error::operation_aborted; }
};

ExecAction command(std::string script) { return {.command = {"/bin/sh", "-c", std::move(script)}}; }

/// Runs until nothing is left to do. The limit only ends a test that hangs.
void run_dry(asio::io_context& io) {
    io.restart();
    io.run_for(30s);
    REQUIRE(io.stopped());
}

Attempt probe_once(const ExecAction& action, const ExecOptions& options = {},
                   Duration timeout = 20s) {
    asio::io_context io;
    Attempt attempt;
    ExecProbe{io, action, options}.async_probe(timeout, attempt.handler());
    CHECK(attempt.calls == 0); // never from inside the call
    run_dry(io);
    CHECK(attempt.calls == 1);
    CHECK(has_no_children());
    return attempt;
}

std::size_t open_descriptors() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"})
        ++count;
    return count;
}

/// The path of a FIFO. A command opens it for writing and leaves it to its children; the end of
/// file shows that all of them have ended.
struct Fifo {
    TemporaryFolder folder;
    std::string path = (folder.path() / "fifo").string();
    int read_end = -1;

    Fifo() {
        REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
        read_end = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        REQUIRE(read_end >= 0);
        REQUIRE(::fcntl(read_end, F_SETFL, 0) == 0); // only the opening must not block
    }
    Fifo(const Fifo&) = delete;
    Fifo& operator=(const Fifo&) = delete;
    ~Fifo() { ::close(read_end); }

    /// Blocks until something has been written, or the last process that had it open has closed it.
    std::string next() const {
        pollfd entry = {.fd = read_end, .events = POLLIN, .revents = 0};
        ::poll(&entry, 1, -1);
        char buffer[64];
        const ssize_t bytes = ::read(read_end, buffer, sizeof buffer);
        return {buffer, static_cast<std::size_t>(bytes > 0 ? bytes : 0)};
    }
    /// Blocks until the last process that has it open has closed it.
    bool all_have_ended() const {
        char buffer[64];
        ssize_t bytes = 0;
        do { bytes = ::read(read_end, buffer, sizeof buffer); } while (bytes > 0);
        return bytes == 0;
    }

    /// Runs the event loop until the command has reported that it runs.
    void wait_until_ready(asio::io_context& io) const {
        pollfd entry = {.fd = read_end, .events = POLLIN, .revents = 0};
        while (::poll(&entry, 1, 1) == 0) io.poll();
        CHECK(next() == "\n");
    }
};

/// Everything of a program that an attempt could change.
std::string state_of_program(int terminal) {
    std::ostringstream text;
    text << std::filesystem::current_path() << " group " << ::getpgrp() << " session "
         << ::getsid(0) << " foreground " << ::tcgetpgrp(terminal);
    termios modes = {};
    ::tcgetattr(terminal, &modes);
    text << " modes " << modes.c_iflag << ' ' << modes.c_oflag << ' ' << modes.c_cflag << ' '
         << modes.c_lflag;
    const mode_t mask = ::umask(0);
    ::umask(mask);
    text << " umask " << mask << " users " << ::getuid() << ' ' << ::geteuid() << ' ' << ::getgid()
         << " signals";
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    for (int signal = 1; signal != NSIG; ++signal) {
        struct sigaction action = {};
        if (::sigaction(signal, nullptr, &action) != 0) continue;
        text << ' ' << ::sigismember(&blocked, signal) << ','
             << reinterpret_cast<std::uintptr_t>(action.sa_handler) << ',' << action.sa_flags;
    }
    for (const auto resource : {RLIMIT_NOFILE, RLIMIT_CORE, RLIMIT_STACK}) {
        rlimit limit = {};
        ::getrlimit(resource, &limit);
        text << " limit " << limit.rlim_cur << ' ' << limit.rlim_max;
    }
    return text.str();
}

/// 0: attempts of every kind leave all of it unchanged. 1: they do not. 2: there is no terminal.
int attempts_change_nothing() {
    const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (::setsid() < 0 || master < 0 || ::grantpt(master) != 0 || ::unlockpt(master) != 0) return 2;
    const int terminal = ::open(
        ::ptsname(master), O_RDWR | O_CLOEXEC); // the first that a session opens becomes its own
    if (terminal < 0 || ::tcgetpgrp(terminal) != ::getpgrp()) return 2;
    struct sigaction handler = {};
    handler.sa_handler = count_signal;
    handler.sa_flags = SA_RESTART | SA_NOCLDSTOP;
    sigset_t blocked;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGUSR2);
    ::sigaddset(&blocked, SIGCHLD);
    if (::sigaction(SIGCHLD, &handler, nullptr) != 0 ||
        ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr) != 0)
        return 2;

    const std::string before = state_of_program(terminal);
    asio::io_context io;
    asio::cancellation_signal cancel;
    ExecAction elsewhere = command("umask 0; cd /tmp; exit 3");
    elsewhere.working_directory = "/";
    // A command that reads from the terminal is stopped, as it is not in the foreground; and killed
    // at the timeout.
    Attempt attempts[4];
    ExecProbe{io, elsewhere}.async_probe(20s, attempts[0].handler());
    ExecProbe{io, command("cat /dev/tty")}.async_probe(50ms, attempts[1].handler());
    ExecProbe{io, {.command = {"/no/such/program"}}}.async_probe(20s, attempts[2].handler());
    ExecProbe{io, command("exec sleep 1000")}.async_probe(
        1h, asio::bind_cancellation_slot(cancel.slot(), attempts[3].handler()));
    io.poll();
    const bool same_meanwhile = state_of_program(terminal) == before;
    cancel.emit(asio::cancellation_type::terminal);
    io.run();
    const bool all_seen =
        attempts[0].result.status == 3 && attempts[1].result.cause == Errc::timed_out &&
        attempts[2].error == std::errc::no_such_file_or_directory && attempts[3].was_aborted();
    return same_meanwhile && all_seen && state_of_program(terminal) == before ? 0 : 1;
}

} // namespace

TEST_CASE("exit status 0 is success, any other failure") {
    const Attempt good = probe_once(command("exit 0"));
    CHECK(!good.error);
    CHECK(good.result.outcome == Outcome::success);
    CHECK(good.result.phase == Phase::finish);
    CHECK(good.result.status == 0);
    CHECK(!good.result.cause);
    CHECK(good.result.time_in(Phase::spawn) > 0ns);
    CHECK(good.result.time_in(Phase::run) > 0ns);
    CHECK(good.result.time_in(Phase::connect) == 0ns);

    for (const int status : {1, 2, 127, 255}) {
        const Attempt bad = probe_once(command("exit " + std::to_string(status)));
        CHECK(!bad.error);
        CHECK(bad.result.outcome == Outcome::failure);
        CHECK(bad.result.phase == Phase::finish);
        CHECK(bad.result.status == status);
        CHECK(bad.result.cause == Errc::exit_status);
        CHECK(bad.result.message().empty());
    }

    const Attempt killed = probe_once(command("kill -KILL $$"));
    CHECK(killed.result.outcome == Outcome::failure);
    CHECK(killed.result.status == 128 + SIGKILL);
    CHECK(killed.result.cause == Errc::killed_by_signal);
}

TEST_CASE("the output is stdout followed by stderr") {
    const std::string talk = "echo err1 >&2; echo out1; echo err2 >&2; echo out2; ";
    const Attempt bad = probe_once(command(talk + "exit 1"));
    CHECK(bad.result.output == "out1\nout2\nerr1\nerr2\n");
    CHECK(bad.result.output_bytes == 20);
    CHECK(bad.result.message() == "out1\nout2\nerr1\nerr2\n");

    const Attempt good = probe_once(command(talk));
    CHECK(good.result.output.empty());
    CHECK(good.result.output_bytes == 20);
    CHECK(probe_once(command(talk), {.keep_output = true}).result.output ==
          "out1\nout2\nerr1\nerr2\n");
}

TEST_CASE("output is kept up to its limit, and the rest drained and counted") {
    const auto talk = [](int out, int err) {
        return command("head -c " + std::to_string(out) + " /dev/zero | tr '\\0' o; head -c " +
                       std::to_string(err) + " /dev/zero | tr '\\0' e >&2; exit 1");
    };
    const ProbeResult big_out = probe_once(talk(1'000'000, 1'000'000)).result;
    CHECK(big_out.status == 1);
    CHECK(big_out.output == std::string(10240, 'o'));
    CHECK(big_out.output_bytes == 2'000'000);

    const ProbeResult big_err = probe_once(talk(240, 1'000'000)).result;
    CHECK(big_err.output == std::string(240, 'o') + std::string(10000, 'e'));
    CHECK(big_err.output_bytes == 1'000'240);

    const ProbeResult small = probe_once(talk(3, 3), {.output_limit = 5}).result;
    CHECK(small.output == "oooee");
    CHECK(small.output_bytes == 6);

    const ProbeResult nothing = probe_once(talk(3, 3), {.output_limit = 0}).result;
    CHECK(nothing.output.empty());
    CHECK(nothing.output_bytes == 6);

    const ProbeResult everything =
        probe_once(talk(200'000, 100'000), {.output_limit = 1'000'000}).result;
    CHECK(everything.output == std::string(200'000, 'o') + std::string(100'000, 'e'));
}

TEST_CASE("a command that cannot be executed is a prober error, and moves no counter") {
    const TemporaryFolder folder;
    const auto error_of = [](const std::string& program) {
        const Attempt attempt = probe_once({.command = {program, "an argument"}});
        CHECK(attempt.result.outcome == Outcome::unknown);
        CHECK(attempt.result.phase == Phase::spawn);
        CHECK(attempt.result.status == -1);
        CHECK(attempt.result.cause == attempt.error);
        CHECK(!is_local_fault(attempt.error));
        return attempt.error;
    };
    CHECK(error_of("no-such-program-anywhere") == std::errc::no_such_file_or_directory);
    CHECK(error_of("/no/such/program") == std::errc::no_such_file_or_directory);
    CHECK(error_of(folder.file("text", "hello", 0644)) == std::errc::permission_denied);
    CHECK(error_of(folder.file("script", "exit 0\n", 0755)) == std::errc::executable_format_error);
    CHECK(probe_once({.command = {"/no/such/program"}}).result.message() ==
          "fork/exec /no/such/program: no such file or directory");
    ExecAction nowhere = command("exit 0");
    nowhere.working_directory = "/no/such/folder";
    CHECK(probe_once(nowhere).error == std::errc::no_such_file_or_directory);
}

TEST_CASE("the constructor rejects invalid settings") {
    asio::io_context io;
    const auto fields = [&](const ExecAction& action, const ExecOptions& options = {}) {
        std::vector<std::string> result;
        try {
            const ExecProbe probe{io, action, options};
        } catch (const ConfigException& thrown) {
            for (const ConfigError& error : thrown.errors()) result.push_back(error.field);
        }
        return result;
    };
    CHECK(fields({}) == std::vector<std::string>{"command"});
    CHECK(fields({.command = {""}}) == std::vector<std::string>{"command[0]"});
    CHECK(fields({.command = {"a", std::string("b\0c", 3)}, .environment = {"x"}},
                 {.kill_grace = -1s}) ==
          std::vector<std::string>{"command[1]", "environment[0]", "kill_grace"});
    CHECK(fields(command("exit 0"),
                 {.kill_grace = -1s, .limits = {{RLIMIT_NOFILE, 5, 5}, {RLIMIT_CORE, 6, 5}}}) ==
          std::vector<std::string>{"kill_grace", "limits[1].soft"});
    CHECK(fields(command("exit 0")).empty());
}

TEST_CASE("a command gets its environment, its working directory and an empty stdin") {
    const TemporaryFolder folder;
    ::setenv("PROBEKIT_TEST_VARIABLE", "inherited", 1);
    ExecAction action = command("echo $PROBEKIT_TEST_VARIABLE $OTHER; pwd; cat");
    action.environment = {"OTHER=given"};
    action.working_directory = folder.path().string();
    asio::io_context io;
    ExecProbe probe{io, action, {.keep_output = true}};
    ::setenv("PROBEKIT_TEST_VARIABLE", "changed", 1);
    Attempt attempt;
    probe.async_probe(20s, attempt.handler());
    run_dry(io);
    ::unsetenv("PROBEKIT_TEST_VARIABLE");
    CHECK(attempt.result.output ==
          "inherited given\n" + std::filesystem::canonical(folder.path()).string() + "\n");
    CHECK(probe.action().command == action.command);
}

TEST_CASE("a command runs within the given limits and as the given user") {
    ExecAction action = command("ulimit -S -n; ulimit -H -n; ulimit -c; id -u; id -g; id -G");
    ExecOptions options{.keep_output = true,
                        .limits = {{RLIMIT_NOFILE, 40, 50}, {RLIMIT_CORE, 0, RLIM_INFINITY}}};
    if (!has_clone()) {
        CHECK(probe_once(action, options).error == std::errc::function_not_supported);
        return;
    }
    const std::string before =
        probe_once(command("ulimit -n; id"), {.keep_output = true}).result.output;
    const std::string limits = "40\n50\n0\n";
    CHECK(probe_once(action, options).result.output.starts_with(limits));
    options.user = 65534;
    options.group = 65533;
    const Attempt changed = probe_once(action, options);
    if (is_root())
        CHECK(changed.result.output == limits + "65534\n65533\n65533\n");
    else {
        CHECK(changed.error == std::errc::operation_not_permitted);
        CHECK(changed.result.outcome == Outcome::unknown);
        CHECK(changed.result.phase == Phase::spawn);
    }
    // The program itself is unchanged.
    CHECK(probe_once(command("ulimit -n; id"), {.keep_output = true}).result.output == before);
}

TEST_CASE("a command that exceeds a given limit fails") {
    if (!has_clone()) SKIP("limits need clone");
    const TemporaryFolder folder;
    const Attempt attempt = probe_once(command("echo much >" + folder.path().string() + "/file"),
                                       {.limits = {{RLIMIT_FSIZE, 0, 0}}});
    CHECK(attempt.result.cause == Errc::killed_by_signal);
    CHECK(attempt.result.status == 128 + SIGXFSZ);
}

TEST_CASE("at the timeout the group is killed, and the attempt is a failure") {
    const Fifo fifo;
    const ExecAction action = command(
        "exec 9>" + fifo.path + "; trap '' TERM; echo lost; sleep 1000 & echo >&9; sleep 1000");
    const Attempt attempt = probe_once(action, {}, 50ms);
    CHECK(!attempt.error);
    CHECK(attempt.result.outcome == Outcome::failure);
    CHECK(attempt.result.phase == Phase::run);
    CHECK(attempt.result.status == -1);
    CHECK(attempt.result.cause == Errc::timed_out);
    CHECK(attempt.result.cause == std::errc::timed_out);
    CHECK(attempt.result.detail == "50ms");
    CHECK(attempt.result.output.empty()); // as in the kubelet
    CHECK(attempt.result.elapsed() >= 50ms);
    CHECK(attempt.result.message() ==
          "command timed out: \"/bin/sh -c " + action.command[2] + "\" timed out after 50ms");
    CHECK(attempt.result.message(1s) ==
          "command timed out: \"/bin/sh -c " + action.command[2] + "\" timed out after 1s");
    CHECK(fifo.all_have_ended());
}

TEST_CASE(
    "the timeout counts from the execution of the command, however long that takes to come about") {
    const TemporaryFolder folder;
    const std::string program = folder.file("program", "#!/bin/sh\nexec sleep 1000\n", 0755);
    // While a process has a write lease on the program, its execution waits until the lease is
    // given back.
    const SignalAction asked{SIGIO, count_signal};
    const int lease = ::open(program.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(lease >= 0);
    if (::fcntl(lease, F_SETLEASE, F_WRLCK) != 0) SKIP("no leases on files here");
    constexpr Duration timeout = 100ms;
    constexpr Duration delay = timeout / 2;
    std::atomic<bool> is_over = false;
    std::thread holder{[&] {
        while (::fcntl(lease, F_GETLEASE) == F_WRLCK && !is_over) std::this_thread::yield();
        const auto end = std::chrono::steady_clock::now() + delay;
        while (std::chrono::steady_clock::now() < end) std::this_thread::yield();
        ::fcntl(lease, F_SETLEASE, F_UNLCK);
    }};
    const Attempt attempt = probe_once({.command = {program}}, {}, timeout);
    is_over = true;
    holder.join();
    ::close(lease);
    CHECK(attempt.result.cause == Errc::timed_out);
    CHECK(attempt.result.time_in(Phase::spawn) >= delay);
    CHECK(attempt.result.time_in(Phase::run) >= timeout);
}

TEST_CASE("with a grace period SIGTERM comes first") {
    const Fifo fifo;
    asio::io_context io;
    Attempt attempt;
    asio::cancellation_signal cancel;
    const auto begin_and_cancel = [&](const std::string& trap, Duration grace) {
        const std::string script = "exec 9>" + fifo.path + "; trap '" + trap +
                                   "' TERM; sleep 1000 & echo >&9; wait; sleep 1000";
        ExecProbe probe{io, command(script), {.kill_grace = grace}};
        probe.async_probe(1h, asio::bind_cancellation_slot(cancel.slot(), attempt.handler()));
        fifo.wait_until_ready(io);
        cancel.emit(asio::cancellation_type::terminal);
        run_dry(io);
    };
    SECTION("a command may end in its own time") {
        begin_and_cancel("echo bye >&9; exit 0", 1h);
        CHECK(fifo.next() == "bye\n");
    }
    SECTION("a command that writes much while it ends is not blocked by its pipe") {
        begin_and_cancel("head -c 300000 /dev/zero; exit 0", 1h);
        CHECK(attempt.result.output_bytes == 300000);
    }
    SECTION("processes that it leaves behind are killed with it") {
        begin_and_cancel("(trap \"\" TERM; sleep 1000) & exit 0", 1h);
    }
    SECTION("a command that does not end is killed") { begin_and_cancel("", 10ms); }
    CHECK(attempt.was_aborted());
    CHECK(has_no_children());
    CHECK(fifo.all_have_ended());
}

TEST_CASE("a command that ends within the grace period after its timeout still fails") {
    const Attempt attempt =
        probe_once(command("trap 'exit 0' TERM; sleep 1000 & wait"), {.kill_grace = 20s}, 50ms);
    CHECK(!attempt.error);
    CHECK(attempt.result.outcome == Outcome::failure);
    CHECK(attempt.result.cause == Errc::timed_out);
}

TEST_CASE("a result that has arrived beats the deadline and the cancellation") {
    asio::io_context io;
    const Fifo fifo;
    Attempt attempt;
    asio::cancellation_signal cancel;
    const bool timeout = GENERATE(true, false);
    ExecProbe probe{io, command("exec 9>" + fifo.path + "; echo >&9; exit 0")};
    probe.async_probe(timeout ? 1ns : Duration{1h},
                      asio::bind_cancellation_slot(cancel.slot(), attempt.handler()));
    // The event loop is late: the command has ended, and the deadline has passed, before the loop
    // runs.
    CHECK(fifo.next() == "\n");
    CHECK(fifo.all_have_ended());
    siginfo_t info = {};
    REQUIRE(::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0);
    if (!timeout) cancel.emit(asio::cancellation_type::total);
    run_dry(io);
    CHECK(attempt.calls == 1);
    CHECK(!attempt.error);
    CHECK(attempt.result.outcome == Outcome::success);
}

TEST_CASE("nothing of a cancelled attempt is left when its handler runs") {
    const asio::cancellation_type type =
        GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial,
                 asio::cancellation_type::total);
    asio::io_context io;
    const Fifo fifo;
    asio::cancellation_signal cancel;
    const std::size_t before = open_descriptors();
    bool called = false;
    ExecProbe probe{io, command("exec 9>" + fifo.path + "; sleep 1000 & echo >&9; sleep 1000")};
    probe.async_probe(1h, asio::bind_cancellation_slot(
                              cancel.slot(), [&](std::error_code error, ProbeResult result) {
                                  called = true;
                                  CHECK(error == asio::error::operation_aborted);
                                  CHECK(result.outcome == Outcome::unknown);
                                  CHECK(fifo.all_have_ended());
                                  CHECK(has_no_children());
                                  CHECK(open_descriptors() <= before + 3); // epoll's own
                              }));
    fifo.wait_until_ready(io);
    cancel.emit(type);
    CHECK(!called);
    run_dry(io);
    CHECK(called);
}

TEST_CASE("an exec attempt can be cancelled at each of its steps") {
    bool cancelled = true;
    for (int step = 0; cancelled && step != 1000; ++step) {
        asio::io_context io;
        asio::cancellation_signal cancel;
        Attempt attempt;
        ExecProbe probe{io, command("head -c 200000 /dev/zero; exec true")};
        probe.async_probe(1h, asio::bind_cancellation_slot(cancel.slot(), attempt.handler()));
        for (int i = 0; i != step && attempt.calls == 0; ++i) io.run_one();
        cancelled = attempt.calls == 0;
        cancel.emit(asio::cancellation_type::terminal);
        run_dry(io);
        CHECK(attempt.calls == 1);
        if (attempt.error)
            CHECK(attempt.was_aborted());
        else
            CHECK(attempt.result.outcome == Outcome::success);
        CHECK(has_no_children());
    }
    CHECK(!cancelled);
}

TEST_CASE("the execution context may be destroyed at each step of an exec attempt") {
    bool destroyed = true;
    for (int step = 0; destroyed && step != 1000; ++step) {
        const std::size_t before = open_descriptors();
        {
            std::optional<ExecProbe> probe;
            auto io = std::make_unique<asio::io_context>();
            Attempt attempt;
            probe.emplace(*io, command("head -c 200000 /dev/zero; exec true"));
            probe->async_probe(1h, attempt.handler());
            for (int i = 0; i != step && attempt.calls == 0; ++i) io->run_one();
            destroyed = attempt.calls == 0;
            io.reset();
            CHECK(attempt.calls == (destroyed ? 0 : 1));
            CHECK(has_no_children());
        }
        CHECK(open_descriptors() == before);
    }
    CHECK(!destroyed);
}

TEST_CASE("a cancellation after the end of an attempt does nothing") {
    asio::io_context io;
    asio::cancellation_signal cancel;
    Attempt attempt;
    ExecProbe probe{io, command("exit 1")};
    probe.async_probe(1h, asio::bind_cancellation_slot(cancel.slot(), attempt.handler()));
    run_dry(io);
    cancel.emit(asio::cancellation_type::terminal);
    CHECK(attempt.calls == 1);
    CHECK(attempt.result.status == 1);
}

TEST_CASE("a process that the command leaves behind delays nothing and is left alone") {
    const Fifo fifo;
    const bool own_session = GENERATE(true, false);
    // It holds stdout and stderr open forever.
    const Attempt attempt =
        probe_once(command(std::string(own_session ? "setsid " : "") + "/bin/sh -c 'echo $$ >" +
                           fifo.path + "; exec sleep 1000' & echo said; exit 1"),
                   {}, 20s);
    CHECK(attempt.result.status == 1);
    CHECK(attempt.result.output == "said\n");
    const int left_behind = std::stoi(fifo.next());
    CHECK(::kill(left_behind, SIGKILL) == 0);
}

TEST_CASE("a command that closes its output runs on, and one that floods it ends") {
    CHECK(probe_once(command("echo early; exec >&- 2>&-; sleep 0.03; exit 7")).result.status == 7);
    CHECK(probe_once(command("echo early; exec >&-; sleep 0.03; echo late >&2; exit 7"))
              .result.output == "early\nlate\n");
    const Attempt flood = probe_once(command("exec yes"), {}, 100ms);
    CHECK(flood.result.cause == Errc::timed_out);
    CHECK(flood.result.output_bytes > 65536);
}

TEST_CASE("exec attempts may overlap and outlive their probe") {
    asio::io_context io;
    std::vector<Attempt> attempts(5);
    {
        ExecProbe probe{io, command("exit 3")};
        for (Attempt& attempt : attempts) probe.async_probe(20s, attempt.handler());
        ExecProbe moved{std::move(probe)};
    }
    run_dry(io);
    for (const Attempt& attempt : attempts) CHECK(attempt.result.status == 3);
    CHECK(has_no_children());
}

TEST_CASE("a coroutine can await an attempt, which throws only for a prober error") {
    asio::io_context io;
    ExecProbe bad{io, command("exit 3")};
    ExecProbe missing{io, {.command = {"/no/such/program"}}};
    int status = -1;
    std::error_code thrown;
    auto coroutine = [&]() -> asio::awaitable<void> {
        const ProbeResult result = co_await bad.async_probe(20s, asio::use_awaitable);
        status = result.status;
        try {
            co_await missing.async_probe(20s, asio::use_awaitable);
        } catch (const std::system_error& error) { thrown = error.code(); }
    };
    asio::co_spawn(io, coroutine(), asio::detached);
    run_dry(io);
    CHECK(status == 3);
    CHECK(thrown == std::errc::no_such_file_or_directory);
}

TEST_CASE("an attempt runs on an executor known at compile time, and on a strand") {
    asio::io_context io;
    Attempt first;
    BasicExecProbe<asio::io_context::executor_type> known{io, command("exit 1")};
    known.async_probe(20s, first.handler());
    Attempt second;
    auto strand = asio::make_strand(io);
    ExecProbe stranded{strand, command("exit 2")};
    bool on_strand = false;
    stranded.async_probe(20s, [&](std::error_code error, ProbeResult result) {
        on_strand = strand.running_in_this_thread();
        second.handler()(error, std::move(result));
    });
    run_dry(io);
    CHECK(first.result.status == 1);
    CHECK(second.result.status == 2);
    CHECK(on_strand);
}

TEST_CASE("an exec attempt without free descriptors is a local fault, and the next one works") {
    asio::io_context io;
    ExecProbe probe{io, command("exit 0")};
    Attempt warm_up;
    probe.async_probe(20s, warm_up.handler());
    run_dry(io);

    rlimit limits = {};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limits) == 0);
    const rlimit few = {64, limits.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    std::vector<int> all;
    for (int taken = ::dup(0); taken >= 0; taken = ::dup(0)) all.push_back(taken);
    // Any step may fail: the first pipe, the second, the process, or none.
    std::size_t failures = 0;
    for (std::size_t free = 0; free != 7; ++free) {
        Attempt attempt;
        probe.async_probe(20s, attempt.handler());
        run_dry(io);
        CHECK(attempt.calls == 1);
        if (attempt.error) {
            ++failures;
            CHECK(attempt.error == std::errc::too_many_files_open);
            CHECK(is_local_fault(attempt.error));
            CHECK(attempt.result.outcome == Outcome::unknown);
        } else
            CHECK(attempt.result.passed());
        CHECK(has_no_children());
        ::close(all.back());
        all.pop_back();
    }
    for (const int taken : all) ::close(taken);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limits) == 0);
    CHECK(failures >= 4);
    CHECK(failures < 7);
}

TEST_CASE("a process limit that is reached is a local fault") {
    if (!is_root()) SKIP("needs root to become a user without other processes");
    // RLIMIT_NPROC does not bind root: run as another user, in a process of its own.
    const pid_t tester = ::fork();
    if (tester == 0) {
        const rlimit none = {0, 0};
        if (::setgid(65534) != 0 || ::setuid(65534) != 0 || ::setrlimit(RLIMIT_NPROC, &none) != 0)
            ::_exit(2);
        asio::io_context io;
        ExecProbe probe{io, command("exit 0")};
        bool right = false;
        probe.async_probe(20s, [&](std::error_code error, ProbeResult) {
            right = error == std::errc::resource_unavailable_try_again && is_local_fault(error);
        });
        io.run();
        ::_exit(right ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(tester, &status, 0) == tester);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("a program that ignores SIGCHLD, or reaps all children, loses at most one attempt") {
    const bool ignores = GENERATE(true, false);
    const SignalAction action{SIGCHLD, ignores ? SIG_IGN : SIG_DFL};
    const Fifo fifo;
    asio::io_context io;
    Attempt attempt;
    ExecProbe probe{io, command("exec 9>" + fifo.path + "; echo >&9; exit 9")};
    probe.async_probe(20s, attempt.handler());
    if (!ignores) REQUIRE(::waitpid(-1, nullptr, 0) > 0);
    run_dry(io);
    if (kernel_is_at_least(6, 15))
        CHECK(attempt.result.status == 9);
    else {
        CHECK(attempt.error == Errc::status_lost);
        CHECK(attempt.result.outcome == Outcome::unknown);
    }
}

TEST_CASE(
    "an attempt leaves terminal, working directory, signals and limits of the program unchanged") {
    // Run in a process of its own, which has a terminal.
    const pid_t tester = ::fork();
    if (tester == 0) ::_exit(attempts_change_nothing());
    int status = 0;
    REQUIRE(::waitpid(tester, &status, 0) == tester);
    REQUIRE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2) SKIP("no terminal to be had here");
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("exec attempts run on the strands of a pool, some of them cancelled") {
    asio::thread_pool pool{4};
    std::atomic<int> done = 0;
    std::atomic<int> wrong = 0;
    constexpr int count = 24;
    struct Job {
        asio::strand<asio::thread_pool::executor_type> strand;
        ExecProbe probe;
        asio::cancellation_signal cancel;

        Job(asio::thread_pool& where, const ExecAction& action)
            : strand(asio::make_strand(where)), probe(strand, action, {.kill_grace = 1s}) {}
    };
    std::vector<std::unique_ptr<Job>> jobs;
    for (int i = 0; i != count; ++i) {
        jobs.push_back(std::make_unique<Job>(
            pool,
            command(i % 4 == 0 ? "exit 0" : "head -c 100000 /dev/zero >&2; sleep 1000 & wait")));
        Job& job = *jobs.back();
        asio::post(job.strand, [&, i] {
            job.probe.async_probe(
                i % 4 == 1 ? 20ms : Duration{1h},
                asio::bind_cancellation_slot(
                    job.cancel.slot(), [&, i](std::error_code error, ProbeResult result) {
                        ++done;
                        if (!job.strand.running_in_this_thread()) ++wrong;
                        if (i % 4 == 0 && (error || !result.passed())) ++wrong;
                        if (i % 4 == 1 && (error || result.cause != Errc::timed_out)) ++wrong;
                        if (i % 4 > 1 && error != asio::error::operation_aborted) ++wrong;
                    }));
            if (i % 4 == 2) job.cancel.emit(asio::cancellation_type::terminal);
            if (i % 4 == 3)
                asio::post(job.strand, [&] { job.cancel.emit(asio::cancellation_type::terminal); });
        });
    }
    pool.join();
    CHECK(done == count);
    CHECK(wrong == 0);
    CHECK(has_no_children());
}
