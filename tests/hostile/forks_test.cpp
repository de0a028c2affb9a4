#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/probekit.hpp>

#include "../tools/forked.hpp"
#include "../tools/loopback.hpp"
#include "host.hpp"

// A child that a program forks, and that does not execute another program, has copies of all of our
// objects. Whatever it does with them, and in whatever order it destroys them, as exit() would, the
// parent's objects work on.
using namespace probekit;
using namespace std::chrono_literals;
using tools::in_child;

namespace {

template <class Done>
void run_until(asio::io_context& io, Done done) {
    const auto end = std::chrono::steady_clock::now() + 100s;
    io.restart();
    while (!done() && std::chrono::steady_clock::now() < end) io.run_one_for(100ms);
    REQUIRE(done());
}

/// Everything that a program may have alive when it forks.
struct Alive {
    explicit Alive(const tests::OwnChild& server) : household(server) {
        good =
            !process.start({.command = {"/bin/sleep", "1000"}, .output = ProcessOutput::capture});
        process.async_wait([this](std::error_code, ExitStatus status) { end = status; });
        supervised.probe(ProbeKind::readiness, TcpProbe{household.io, {.port = server.port()}},
                         {.period = 1ms});
        supervised.start();
        run_until(household.io, [this] { return supervised.ready(); });
        gate.async_wait([this](std::error_code) { opened = true; });
        household.run(2);
        household.io.poll(); // attempts are in flight
    }

    tests::Household household;
    bool good = false;
    std::optional<ExitStatus> end;
    bool opened = false;
    Process process{household.io};
    SupervisedProcess supervised{household.io, {.command = {"/bin/sleep", "1000"}}};
    StartupGate gate{household.io};
};

} // namespace

TEST_CASE(
    "a forked child that ends by exit(), returns from main() or is unwound ends nothing of its "
    "parent's") {
    enum class End { by_exit, by_return, by_exception };
    const auto host = [](const std::string& name, End how, bool notified) {
        tests::as_host(name + (notified ? ", notified" : ""), [how, notified] {
            const tests::OwnChild server;
            const tests::Standing before = tests::standing();
            static std::optional<Alive> global; // exit() destroys it
            std::optional<Alive> local;
            std::optional<Alive>& alive = how == End::by_exit ? global : local;
            alive.emplace(server);
            REQUIRE(alive->good);
            const int pid = alive->supervised.snapshot().pid;
            const pid_t child = ::fork();
            if (child == 0) {
                const int silence = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
                ::dup2(silence, 1);
                ::dup2(silence, 2);
                if (notified) alive->household.io.notify_fork(asio::execution_context::fork_child);
                if (how == End::by_exit) std::exit(0);
                if (how == End::by_exception) throw std::runtime_error{"up to main()"};
                return;
            }
            int status = 0;
            REQUIRE(::waitpid(child, &status, 0) == child);
            CHECK(WIFEXITED(status));
            CHECK((WEXITSTATUS(status) == 0) == (how != End::by_exception));

            CHECK(alive->process.running());
            alive->household.run(4);
            alive->household.check_verdicts();
            CHECK_FALSE(alive->end);
            CHECK(alive->supervised.snapshot().pid == pid);
            CHECK(alive->supervised.snapshot().starts == 1);
            CHECK(alive->supervised.ready());
            alive->gate.open();
            CHECK_FALSE(alive->process.signal(SIGTERM));
            std::optional<ExitStatus> stopped;
            alive->supervised.async_stop([&](std::error_code, ExitStatus last) { stopped = last; });
            run_until(alive->household.io, [&] { return alive->end && stopped && alive->opened; });
            CHECK(alive->end->signal == SIGTERM);
            CHECK(stopped->signal == SIGTERM);
            alive.reset();
            tests::check_standing(before);
        });
    };
    for (const bool notified : {false, true}) {
        host("ends by exit()", End::by_exit, notified);
        host("returns from main()", End::by_return, notified);
        host("is unwound", End::by_exception, notified);
    }
}

TEST_CASE("a forked child leaves the processes of its parent alone") {
    auto io = std::make_unique<asio::io_context>();
    auto process = std::make_unique<Process>(*io);
    auto waited = std::make_unique<Process>(*io);
    REQUIRE_FALSE(process->start({.command = {"sleep", "1000"}}));
    REQUIRE_FALSE(waited->start({.command = {"sleep", "1000"}, .output = ProcessOutput::capture}));
    std::optional<ExitStatus> status;
    waited->async_wait([&](std::error_code, ExitStatus end) { status = end; });
    io->poll();
    const bool context_first = GENERATE(false, true);
    const bool notified = GENERATE(false, true);

    CHECK(in_child([&] {
        if (notified) io->notify_fork(asio::execution_context::fork_child);
        bool good = !waited->running() && process->pid() == -1;
        good = good && process->signal(SIGKILL) == std::errc::no_such_process;
        std::error_code error;
        process->async_terminate({}, [&](std::error_code why, ExitStatus) { error = why; });
        if (notified) {
            io->restart();
            io->poll();
            good = good && error == std::errc::no_child_process;
        }
        if (context_first) io.reset();
        process.reset();
        waited.reset();
        io.reset();
        return good;
    }));

    CHECK(process->running());
    CHECK(waited->running());
    CHECK_FALSE(status);
    CHECK_FALSE(waited->signal(SIGTERM)); // the parent's event loop still hears of the end
    run_until(*io, [&] { return status.has_value(); });
    CHECK(status->signal == SIGTERM);
}

TEST_CASE("a forked child starts processes of its own by the handles of its parent") {
    asio::io_context io;
    Process process{io};
    REQUIRE_FALSE(process.start({.command = {"sleep", "1000"}}));
    CHECK(in_child([&] {
        io.notify_fork(asio::execution_context::fork_child);
        if (process.start({.command = {"sh", "-c", "exit 3"}})) return false;
        int code = -1;
        process.async_wait([&](std::error_code, ExitStatus end) { code = end.code; });
        io.restart();
        io.run();
        return code == 3;
    }));
    CHECK(process.running());
}

TEST_CASE("a forked child leaves the attempts and the timers of its parent alone") {
    asio::io_context server_io;
    tools::LoopbackServer server{server_io, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"};
    auto io = std::make_unique<asio::io_context>();
    auto get = std::make_unique<HttpGetProbe>(*io, HttpGetAction{.port = server.port()});
    auto command = std::make_unique<ExecProbe>(*io, ExecAction{.command = {"sleep", "1000"}});
    auto worker =
        std::make_unique<ProbeWorker<AnyProbe>>(AnyProbe{FunctionProbe{*io, [] { return true; }}},
                                                ProbeSpec{.initial_delay = 20ms, .period = 20ms});
    std::optional<Outcome> outcome;
    asio::cancellation_signal stop;
    std::error_code stopped;
    bool passed = false;
    get->async_probe(100s,
                     [&](std::error_code, const ProbeResult& result) { outcome = result.outcome; });
    command->async_probe(1000s, asio::bind_cancellation_slot(
                                    stop.slot(), [&](std::error_code error, const ProbeResult&) {
                                        stopped = error;
                                    }));
    worker->on_verdict([&](const Verdict& verdict) { passed = verdict.passed(); });
    worker->start();
    io->poll(); // the socket and the pidfd are in the event loop
    const bool context_first = GENERATE(false, true);

    CHECK(in_child([&] {
        stop.emit(asio::cancellation_type::terminal);
        worker->stop();
        worker->start();
        if (context_first) io.reset();
        get.reset();
        command.reset();
        worker.reset();
        io.reset();
        return true;
    }));

    run_until(server_io, [&] { return !server.request.empty(); });
    run_until(*io, [&] { return outcome.has_value() && passed; });
    CHECK(outcome == Outcome::success);
    CHECK_FALSE(stopped);
    stop.emit(asio::cancellation_type::terminal); // the command still ran
    run_until(*io, [&] { return static_cast<bool>(stopped); });
}
