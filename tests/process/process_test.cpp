// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/process/process.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <asio/awaitable.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>

#include "process_tools.hpp"

namespace {

using namespace probekit;
using namespace probekit::tests;
using namespace std::chrono_literals;

struct End {
    int calls = 0;
    std::error_code error;
    ExitStatus status;

    auto handler() {
        return [this](std::error_code code, ExitStatus how) {
            ++calls;
            error = code;
            status = how;
        };
    }
    bool is(ExitStatus how) const { return calls == 1 && !error && status == how; }
    bool was_aborted() const { return calls == 1 && error == asio::error::operation_aborted; }
};

/// Runs until nothing is left to do. The time is only there to end a test that hangs.
void run_dry(asio::io_context& io) {
    io.restart();
    io.run_for(30s);
    REQUIRE(io.stopped());
}

/// A handler that is cancelled by a slot.
template <class Handler>
struct Cancellable {
    using cancellation_slot_type = asio::cancellation_slot;
    asio::cancellation_slot slot;
    Handler handler;
    cancellation_slot_type get_cancellation_slot() const noexcept { return slot; }
    void operator()(std::error_code error, ExitStatus status) { handler(error, status); }
};
template <class Handler>
Cancellable(asio::cancellation_slot, Handler) -> Cancellable<Handler>;

/// A process that runs until its stdin is closed, and says when it is there.
struct Runner {
    Pipe input;
    Pipe output;

    ProcessSpec spec(const std::string& script = "echo; read word; exit 3") {
        ProcessSpec result = shell(script);
        result.stdin_fd = input.read_end;
        result.stdout_fd = output.write_end;
        return result;
    }
    /// After the start: only the process holds its ends now.
    void let_go() {
        ::close(std::exchange(input.read_end, -1));
        output.close_write_end();
    }
    void wait_until_ready() { REQUIRE(output.next() == "\n"); }
    void end() { input.close_write_end(); }
};

} // namespace

TEST_CASE("a process is awaited any number of times, and again after its end") {
    asio::io_context io;
    Process process{io};
    CHECK(!process.running());
    CHECK(process.pid() == -1);
    CHECK(process.last_pid() == -1);
    Runner runner;
    REQUIRE(!process.start(runner.spec()));
    CHECK(process.running());
    const int pid = process.pid();
    CHECK(pid > 0);
    CHECK(process.last_pid() == pid);

    std::vector<int> order;
    End first;
    End second;
    process.async_wait([&](std::error_code error, ExitStatus status) {
        order.push_back(1);
        first.handler()(error, status);
        CHECK(!process.running());
        CHECK(has_no_children()); // completed after the reaping
    });
    process.async_wait([&](std::error_code error, ExitStatus status) {
        order.push_back(2);
        second.handler()(error, status);
    });
    io.poll();
    CHECK(order.empty());
    runner.end();
    run_dry(io);
    CHECK(first.is({3, 0}));
    CHECK(second.is({3, 0}));
    CHECK(order == std::vector{1, 2});
    CHECK(process.pid() == -1);
    CHECK(process.last_pid() == pid);

    End later;
    process.async_wait(later.handler());
    CHECK(later.calls == 0); // never from inside the call
    run_dry(io);
    CHECK(later.is({3, 0}));
}

TEST_CASE("a process can be started again after its end, whether it was awaited or not") {
    asio::io_context io;
    Process process{io};
    Runner runner;
    REQUIRE(!process.start(runner.spec("exec >&-; read word; exit 3")));
    runner.let_go();
    CHECK(process.start(shell("exit 4")) == std::errc::device_or_resource_busy);
    runner.end();
    End end;
    process.async_wait(end.handler());
    run_dry(io);
    CHECK(end.is({3, 0}));

    Pipe pipe;
    ProcessSpec spec = shell("exit 5");
    spec.stdout_fd = pipe.write_end;
    REQUIRE(!process.start(spec));
    pipe.drain(); // it has closed everything, and is about to end
    while (process.running()) {}
    REQUIRE(!process.start(shell("exit 6")));
    End again;
    process.async_wait(again.handler());
    run_dry(io);
    CHECK(again.is({6, 0}));
    CHECK(has_no_children());
}

TEST_CASE("a process that cannot be started says why, and nothing is left") {
    asio::io_context io;
    Process process{io};
    End never;
    process.async_wait(never.handler());
    run_dry(io);
    CHECK(never.error == std::errc::no_child_process);

    ProcessSpec spec;
    CHECK(process.start(spec) == std::errc::invalid_argument); // no command
    spec.command = {"/no/such/program"};
    CHECK(process.start(spec) == std::errc::no_such_file_or_directory);
    spec.output = ProcessOutput::capture;
    CHECK(process.start(spec) == std::errc::no_such_file_or_directory);
    spec.environment = {"without equals sign"};
    CHECK(process.start(spec) == std::errc::invalid_argument);
    CHECK(!process.running());
    CHECK(process.signal(SIGTERM) == std::errc::no_such_process);
    CHECK(process.output().empty());
    End failed;
    process.async_terminate({}, failed.handler());
    run_dry(io);
    CHECK(failed.error == std::errc::no_child_process);

    REQUIRE(!process.start(shell("exit 0")));
    End end;
    process.async_wait(end.handler());
    run_dry(io);
    CHECK(end.is({0, 0}));
}

TEST_CASE("a running process keeps run() going through its waits only") {
    asio::io_context io;
    Process process{io};
    Runner runner;
    ProcessSpec spec = runner.spec();
    spec.output = ProcessOutput::capture;
    REQUIRE(!process.start(spec));
    run_dry(io); // returns at once

    asio::cancellation_signal cancel;
    End wait;
    End terminate;
    process.async_wait(Cancellable{cancel.slot(), wait.handler()});
    io.restart();
    io.poll();
    CHECK(!io.stopped());
    cancel.emit(asio::cancellation_type::total);
    run_dry(io);
    CHECK(wait.was_aborted());
    CHECK(process.running());
    process.signal(SIGKILL);
}

TEST_CASE("a cancelled wait leaves the process and the other waits alone") {
    asio::io_context io;
    Process process{io};
    Runner runner;
    REQUIRE(!process.start(runner.spec()));
    asio::cancellation_signal cancel;
    End cancelled;
    End other;
    process.async_wait(Cancellable{cancel.slot(), cancelled.handler()});
    process.async_wait(other.handler());
    cancel.emit(asio::cancellation_type::terminal);
    io.poll();
    CHECK(cancelled.was_aborted());
    CHECK(other.calls == 0);
    runner.end();
    run_dry(io);
    CHECK(other.is({3, 0}));
    CHECK(cancelled.calls == 1);
}

TEST_CASE("terminate signals the group, and the process may end in its own way") {
    asio::io_context io;
    Process process{io};
    Runner runner;
    REQUIRE(!process.start(runner.spec("trap 'exit 7' TERM; sleep 1000 & echo; wait")));
    runner.let_go();
    runner.wait_until_ready();
    End wait;
    End terminate;
    process.async_wait(wait.handler());
    process.async_terminate({}, terminate.handler());
    run_dry(io);
    CHECK(wait.is({7, 0}));
    CHECK(terminate.is({7, 0}));
    CHECK(runner.output.drain().empty()); // the sleeper has been killed, too
}

TEST_CASE("a process that does not end within the grace period is killed") {
    asio::io_context io;
    Process process{io};
    Runner runner;
    REQUIRE(!process.start(runner.spec("trap '' TERM; echo; read word")));
    runner.wait_until_ready();
    End terminate;

    SECTION("by the one termination there is") {
        process.async_terminate({.grace = 10ms}, terminate.handler());
    }
    SECTION("at once, if there is no grace") {
        process.async_terminate({.grace = 0s}, terminate.handler());
    }
    SECTION("by a later termination, which may shorten the time") {
        End first;
        process.async_terminate({.grace = 1h}, [](std::error_code, ExitStatus) {});
        process.async_terminate({.grace = 10ms}, terminate.handler());
        process.async_terminate({.grace = Duration::max()}, [](std::error_code, ExitStatus) {});
        run_dry(io);
    }
    run_dry(io);
    CHECK(terminate.is({0, SIGKILL}));
    CHECK(!process.running());
}

TEST_CASE("any signal can end a process") {
    asio::io_context io;
    Process process{io};
    Runner runner;
    REQUIRE(!process.start(runner.spec()));
    End terminate;
    process.async_terminate({.signal = SIGINT}, terminate.handler());
    run_dry(io);
    CHECK(terminate.is({0, SIGINT}));

    REQUIRE(!process.start(runner.spec()));
    CHECK(!process.signal(SIGUSR1));
    End wait;
    process.async_wait(wait.handler());
    run_dry(io);
    CHECK(wait.is({0, SIGUSR1}));
}

TEST_CASE("a cancelled termination has sent its signal, and does not kill") {
    asio::io_context io;
    Process process{io};
    Runner runner;
    REQUIRE(!process.start(
        runner.spec("trap 'echo; exec >&-' TERM; echo; while ! read word; do :; done; exit 9")));
    runner.let_go();
    runner.wait_until_ready();
    asio::cancellation_signal cancel;
    End terminate;
    process.async_terminate({.grace = 1h}, Cancellable{cancel.slot(), terminate.handler()});
    cancel.emit(asio::cancellation_type::partial);
    run_dry(io); // which would take an hour if the grace period were still observed
    CHECK(terminate.was_aborted());
    CHECK(runner.output.drain() == "\n");
    CHECK(process.running());
    End end;
    process.async_wait(end.handler());
    process.signal(SIGKILL);
    run_dry(io);
    CHECK(end.is({0, SIGKILL}));
}

TEST_CASE("a process that is destroyed while it runs is killed with its group, and reaped") {
    asio::io_context io;
    auto process = std::make_unique<Process>(io);
    Runner runner;
    REQUIRE(!process->start(runner.spec("trap '' TERM; sleep 1000 & echo; read word")));
    runner.let_go();
    runner.wait_until_ready();
    End wait;

    SECTION("by the event loop") {
        process->async_wait(wait.handler());
        process.reset();
        CHECK(wait.calls == 0);
        run_dry(io);
        CHECK(wait.was_aborted());
    }
    SECTION("without anybody waiting") {
        process.reset();
        run_dry(io);
    }
    SECTION("from a handler") {
        asio::post(io, [&] { process.reset(); });
        run_dry(io);
    }
    SECTION("by assigning another one") {
        *process = Process{io};
        CHECK(!process->running());
        run_dry(io);
    }
    CHECK(runner.output.drain().empty());
    CHECK(has_no_children());
}

TEST_CASE("process and execution context may go in any order") {
    auto io = std::make_unique<asio::io_context>();
    std::optional<Process> process{std::in_place, *io};
    Runner runner;
    REQUIRE(!process->start(runner.spec("trap '' TERM; sleep 1000 & echo; read word")));
    runner.let_go();
    runner.wait_until_ready();
    End wait;

    SECTION("context first, no wait") {
        io.reset();
        process.reset();
    }
    SECTION("context first, a wait pending") {
        process->async_wait(wait.handler());
        io->poll();
        io.reset();
        process.reset();
    }
    SECTION("context first, while it is being terminated") {
        process->async_terminate({}, wait.handler());
        io.reset();
        process.reset();
    }
    SECTION("process first, and its context does not run any more") {
        process.reset();
        io.reset();
    }
    SECTION("process first, a wait pending") {
        process->async_wait(wait.handler());
        io->poll();
        process.reset();
        io.reset();
    }
    CHECK(wait.calls == 0);
    CHECK(runner.output.drain().empty());
    CHECK(has_no_children());
}

TEST_CASE("a process that has ended does not run, reaped or not, and its id is still known") {
    asio::io_context io;
    Runner runner;
    Process process{io};
    REQUIRE(!process.start(runner.spec()));
    const int pid = process.pid();
    runner.end();
    siginfo_t info{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT) == 0);
    CHECK(!process.running());
    CHECK(process.pid() == -1);
    CHECK(process.last_pid() == pid);
}

TEST_CASE("a detached process is neither killed nor reaped") {
    asio::io_context io;
    Runner runner;
    int pid = -1;
    End wait;
    {
        Process process{io};
        REQUIRE(!process.start(runner.spec()));
        pid = process.pid();
        process.async_wait(wait.handler());
        process.detach();
        CHECK(!process.running());
        CHECK(process.pid() == -1);
        CHECK(process.signal(SIGKILL) == std::errc::no_such_process);
    }
    run_dry(io);
    CHECK(wait.was_aborted());
    runner.end();
    int status = 0;
    CHECK(::waitpid(pid, &status, 0) == pid);
    CHECK(WEXITSTATUS(status) == 3);
}

TEST_CASE("a termination ends with the process it was for") {
    asio::io_context io;
    Process process{io};
    Runner detached;
    REQUIRE(!process.start(detached.spec()));
    const int pid = process.pid();
    End first;
    process.async_terminate({.signal = 0, .grace = 1ns}, first.handler());
    process.detach();
    Runner next;
    REQUIRE(!process.start(next.spec()));
    End second;
    process.async_terminate({.signal = 0, .grace = 1h}, second.handler());
    for (int i = 0; i != 10; ++i) io.poll(); // what is due comes now
    next.end();
    run_dry(io);
    CHECK(first.was_aborted());
    CHECK(second.is({.code = 3}));
    detached.end();
    CHECK(::waitpid(pid, nullptr, 0) == pid);
}

TEST_CASE("a process may be moved while it runs") {
    asio::io_context io;
    Runner runner;
    Process first{io};
    REQUIRE(!first.start(runner.spec()));
    End wait;
    first.async_wait(wait.handler());
    Process second{std::move(first)};
    CHECK(second.running());
    first = std::move(second);
    CHECK(first.running());
    runner.end();
    run_dry(io);
    CHECK(wait.is({3, 0}));
}

TEST_CASE("captured output is kept up to its limit, and the rest is drained") {
    asio::io_context io;
    Process process{io};
    ProcessSpec spec = shell("head -c 1000000 /dev/zero | tr '\\0' x; exit 2");
    spec.output = ProcessOutput::capture;
    End wait;

    SECTION("the default limit") {
        REQUIRE(!process.start(spec));
        process.async_wait(wait.handler());
        run_dry(io);
        CHECK(process.output() == std::string(10240, 'x'));
    }
    SECTION("another limit") {
        spec.output_limit = 3;
        REQUIRE(!process.start(spec));
        process.async_wait(wait.handler());
        run_dry(io);
        CHECK(process.output() == "xxx");
    }
    SECTION("a limit beyond everything") {
        spec.output_limit = 2'000'000;
        REQUIRE(!process.start(spec));
        process.async_wait(wait.handler());
        run_dry(io);
        CHECK(process.output() == std::string(1'000'000, 'x'));
    }
    SECTION("nothing is to be kept") {
        spec.output_limit = 0;
        REQUIRE(!process.start(spec));
        process.async_wait(wait.handler());
        run_dry(io);
        CHECK(process.output().empty());
    }
    CHECK(wait.is({2, 0}));
    REQUIRE(!process.start(shell("exit 0")));
    CHECK(process.output().empty()); // of the new process
}

TEST_CASE("stdout and stderr are captured as they arrive, and are complete when a wait completes") {
    asio::io_context io;
    Process process{io};
    ProcessSpec spec = shell("echo one; echo two >&2; echo three");
    spec.output = ProcessOutput::capture;
    REQUIRE(!process.start(spec));
    std::string seen;
    process.async_wait([&](std::error_code, ExitStatus) { seen = process.output(); });
    run_dry(io);
    CHECK(seen == "one\ntwo\nthree\n");

    Pipe errors;
    spec.stderr_fd = errors.write_end;
    REQUIRE(!process.start(spec));
    process.async_wait([&](std::error_code, ExitStatus) { seen = process.output(); });
    run_dry(io);
    CHECK(seen == "one\nthree\n");
    CHECK(errors.drain() == "two\n");
}

TEST_CASE("output is seen while the process runs") {
    asio::io_context io;
    Process process{io};
    Runner runner;
    ProcessSpec spec = runner.spec("echo early; read word; echo late");
    spec.stdout_fd = -1;
    spec.output = ProcessOutput::capture;
    REQUIRE(!process.start(spec));
    End wait;
    process.async_wait(wait.handler());
    while (process.output() != "early\n" && wait.calls == 0) io.run_one();
    CHECK(process.output() == "early\n");
    runner.end();
    run_dry(io);
    CHECK(process.output() == "early\nlate\n");
}

TEST_CASE("a process that closes its output runs on") {
    asio::io_context io;
    Process process{io};
    Runner runner;
    ProcessSpec spec = runner.spec("echo said; exec >&- 2>&-; read word; exit 3");
    spec.stdout_fd = -1;
    spec.output = ProcessOutput::capture;
    REQUIRE(!process.start(spec));
    End wait;
    process.async_wait(wait.handler());
    io.run_one(); // output, or its end
    runner.end();
    run_dry(io);
    CHECK(wait.is({3, 0}));
    CHECK(process.output() == "said\n");
}

TEST_CASE("what is left of the group is killed with its leader") {
    asio::io_context io;
    Process process{io};
    Runner runner;
    REQUIRE(!process.start(runner.spec("sleep 1000 & exit 4")));
    runner.let_go();
    End wait;
    process.async_wait(wait.handler());
    run_dry(io);
    CHECK(wait.is({4, 0}));
    CHECK(runner.output.drain().empty());
}

TEST_CASE("a process that has left the group and holds the output does not delay the end") {
    asio::io_context io;
    Process process{io};
    Pipe pipe;
    ProcessSpec spec = shell("setsid sleep 1000 & echo $! >&2; echo said");
    spec.output = ProcessOutput::capture;
    spec.stderr_fd = pipe.write_end;
    REQUIRE(!process.start(spec));
    End wait;
    process.async_wait(wait.handler());
    run_dry(io);
    CHECK(wait.is({0, 0}));
    CHECK(process.output() == "said\n");
    ::kill(std::stoi(pipe.next()), SIGKILL);
    CHECK(pipe.drain().empty());
}

TEST_CASE("a program that ignores SIGCHLD gets the exit status where the kernel can tell it") {
    const SignalAction ignored{SIGCHLD, SIG_IGN};
    asio::io_context io;
    Process process{io};
    REQUIRE(!process.start(shell("exit 9")));
    End wait;
    process.async_wait(wait.handler());
    run_dry(io);
    if (kernel_is_at_least(6, 15))
        CHECK(wait.is({9, 0}));
    else
        CHECK(wait.error == Errc::status_lost);
    CHECK(!process.running());
}

TEST_CASE("the handler of SIGCHLD is the program's own") {
    const SignalAction action{SIGCHLD, count_signal};
    signals_seen = 0;
    asio::io_context io;
    Process process{io};
    REQUIRE(!process.start(shell("exit 0")));
    End wait;
    process.async_wait(wait.handler());
    run_dry(io);
    CHECK(wait.is({0, 0}));
    CHECK(signals_seen == 1);
}

TEST_CASE("waits take any completion token") {
    asio::io_context io;
    Process process{io};
    REQUIRE(!process.start(shell("exit 3")));
    auto future = process.async_wait(asio::use_future);
    ExitStatus from_coroutine;
    auto coroutine = [&]() -> asio::awaitable<void> {
        from_coroutine = co_await process.async_wait(asio::use_awaitable);
        REQUIRE(!process.start(shell("read word")));
        const Termination how{.signal = SIGKILL};
        from_coroutine = co_await process.async_terminate(how, asio::use_awaitable);
    };
    asio::co_spawn(io, coroutine(), asio::detached);
    run_dry(io);
    CHECK(future.get() == ExitStatus{3, 0});
}

TEST_CASE("a wait that begins after its Process was destroyed is aborted") {
    asio::io_context io;
    std::optional<Process> process{std::in_place, io};
    asio::awaitable<ExitStatus> lazy = process->async_wait(asio::use_awaitable);
    process.reset();
    std::error_code error;
    auto coroutine = [&]() -> asio::awaitable<void> {
        try {
            co_await std::move(lazy);
        } catch (const std::system_error& thrown) { error = thrown.code(); }
    };
    asio::co_spawn(io, coroutine(), asio::detached);
    run_dry(io);
    CHECK(error == asio::error::operation_aborted);
}

TEST_CASE("a wait takes its memory from its handler's allocator") {
    std::array<std::byte, 4096> memory;
    std::pmr::monotonic_buffer_resource resource{memory.data(), memory.size(),
                                                 std::pmr::null_memory_resource()};
    struct Handler {
        using allocator_type = std::pmr::polymorphic_allocator<char>;
        std::pmr::memory_resource* resource;
        End* end;
        allocator_type get_allocator() const noexcept { return allocator_type{resource}; }
        void operator()(std::error_code error, ExitStatus status) const {
            end->handler()(error, status);
        }
    };
    asio::io_context io;
    Process process{io};
    REQUIRE(!process.start(shell("exit 3")));
    End end;
    process.async_wait(Handler{&resource, &end});
    run_dry(io);
    CHECK(end.is({3, 0}));
}

TEST_CASE("an exception of a handler reaches the caller of run(), and the other waits complete") {
    asio::io_context io;
    Process process{io};
    REQUIRE(!process.start(shell("exit 3")));
    End other;
    process.async_wait(
        [](std::error_code, ExitStatus) { throw std::runtime_error("of the user's"); });
    process.async_wait(other.handler());
    CHECK_THROWS_AS(io.run(), std::runtime_error);
    run_dry(io);
    CHECK(other.is({3, 0}));
}

TEST_CASE("a process may be started, awaited and destroyed from inside its own handler") {
    asio::io_context io;
    auto process = std::make_unique<Process>(io);
    REQUIRE(!process->start(shell("exit 1")));
    std::vector<int> codes;
    std::function<void(std::error_code, ExitStatus)> next = [&](std::error_code,
                                                                ExitStatus status) {
        codes.push_back(status.code);
        if (codes.size() == 3) return process.reset();
        REQUIRE(!process->start(shell("exit " + std::to_string(codes.size() + 1))));
        process->async_wait(next);
    };
    process->async_wait(next);
    run_dry(io);
    CHECK(codes == std::vector{1, 2, 3});
    CHECK(!process);
}

TEST_CASE("processes on the strands of a pool") {
    asio::thread_pool pool{4};
    std::atomic<int> ended = 0;
    std::atomic<int> wrong = 0;
    constexpr int count = 12;
    std::vector<std::unique_ptr<Process>> processes;
    for (int i = 0; i != count; ++i) {
        auto strand = asio::make_strand(pool);
        processes.push_back(std::make_unique<Process>(strand));
        Process& process = *processes.back();
        asio::post(strand, [&, i] {
            ProcessSpec spec =
                shell(i % 3 == 0 ? "exit 1" : "head -c 100000 /dev/zero; exec sleep 1000");
            spec.output = ProcessOutput::capture;
            if (process.start(spec)) ++wrong;
            process.async_wait([&, i](std::error_code error, ExitStatus status) {
                ++ended;
                if (error || status != (i % 3 == 0 ? ExitStatus{1, 0} : ExitStatus{0, SIGTERM}))
                    ++wrong;
                if (i % 3 == 0 && !process.output().empty()) ++wrong;
            });
            if (i % 3 == 1) process.async_terminate({}, [](std::error_code, ExitStatus) {});
            if (i % 3 == 2) process.signal(SIGTERM);
        });
    }
    pool.join();
    CHECK(ended == count);
    CHECK(wrong == 0);
    CHECK(has_no_children());
}
