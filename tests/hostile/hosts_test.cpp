// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// Programs that do, or have had done to them, what the library does not expect; each is a program
// of its own. Forks without an execution are in forks_test.cpp.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/probekit.hpp>

#include "../process/process_tools.hpp"
#include "../tools/system_call_filter.hpp"
#include "host.hpp"

using namespace probekit;
using namespace probekit::tests;
using namespace std::chrono_literals;

namespace {

/// All of it in the state that the program is in, and nothing is left or has changed.
void check_everything(const OwnChild& server, const std::vector<std::error_code>& errors = {}) {
    const Standing before = standing();
    {
        Household household{server};
        household.run(4);
        household.check_verdicts(errors);
        if (errors.empty()) household.check_processes();
    }
    check_standing(before);
}

void reap_everything(int) {
    const int error = errno;
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {}
    errno = error;
}

void set_action(int signal, void (*handler)(int), int flags = 0) {
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = flags;
    REQUIRE(::sigaction(signal, &action, nullptr) == 0);
}

/// A context with a thread of its own, whose workers share a gate and a limit with other contexts.
class Room {
    struct RoomWatcher {
        Room* room;
        std::error_code truth;

        void attempt_begun(const AttemptBegun&) const {
            if (room->limit_->in_flight() > 2) ++room->wrong;
        }
        void attempt_ended(const AttemptEnded& ended) const {
            if (ended.error || ended.result.cause != truth) ++room->wrong;
            ++room->attempts;
        }
    };
    using Worker = ProbeWorker<AnyProbe, KubeletPolicy, RoomWatcher>;

public:
    explicit Room(AttemptLimit& limit) : limit_(&limit) {}
    ~Room() {
        io->stop();
        thread_.join();
        io.reset(); // before its workers
    }

    void start(const OwnChild& server, const StartupGate& gate) {
        const auto add = [&](std::error_code truth, AnyProbe probe) {
            Worker& worker =
                workers_.emplace_back(std::move(probe), ProbeSpec{.period = 1ms, .timeout = 90s},
                                      RoomWatcher{this, truth});
            worker.limit(*limit_);
            worker.start(gate);
        };
        add({}, ExecProbe{*io, {.command = {"/bin/true"}}});
        add(Errc::exit_status, ExecProbe{*io, {.command = {"/bin/false"}}});
        add({}, TcpProbe{*io, {.port = server.port()}});
        add({}, HttpGetProbe{*io, {.port = server.port()}});
        add(Errc::http_status, HttpGetProbe{*io, {.port = server.port(), .path = "/bad"}});
        thread_ = std::thread{[this] { io->run(); }};
    }

    std::unique_ptr<asio::io_context> io = std::make_unique<asio::io_context>(1);
    std::atomic<int> attempts = 0;
    std::atomic<int> wrong = 0;

private:
    AttemptLimit* limit_;
    std::deque<Worker> workers_;
    std::thread thread_;
};

/// Something that is done on a thread all the time, from one moment on to another.
class Meanwhile {
public:
    template <class Work>
    explicit Meanwhile(Work work)
        : thread_([this, work = std::move(work)]() mutable {
              while (!over_) work();
          }) {}
    Meanwhile(const Meanwhile&) = delete;
    Meanwhile& operator=(const Meanwhile&) = delete;
    ~Meanwhile() {
        over_ = true;
        thread_.join();
    }

private:
    std::atomic<bool> over_ = false;
    std::thread thread_;
};

} // namespace

TEST_CASE("a host that ignores SIGCHLD, or lets others reap its children, has all it should have") {
    // An older system has lost the status that somebody else has taken.
    std::vector<std::error_code> lost;
    if (!kernel_is_at_least(6, 15)) lost = {Errc::status_lost};
    const auto host = [&](const std::string& name, auto action) {
        as_host(name, [&] {
            const OwnChild server;
            action();
            check_everything(server, lost);
            set_action(SIGCHLD, SIG_DFL);
            check_everything(server);
        });
    };
    host("SIGCHLD is ignored", [] { set_action(SIGCHLD, SIG_IGN); });
    host("children do not become zombies", [] { set_action(SIGCHLD, SIG_DFL, SA_NOCLDWAIT); });
    host("a handler reaps", [] { set_action(SIGCHLD, reap_everything, SA_NOCLDSTOP); });
    as_host("a thread reaps", [&] {
        const OwnChild server;
        {
            const Meanwhile reaper{[] { reap_everything(0); }};
            check_everything(server, lost);
        }
        check_everything(server);
    });
}

TEST_CASE("a host that forks on another thread has nothing held up by what its children inherit") {
    as_host("forks beside", [] {
        const OwnChild server;
        const Standing before = standing();
        {
            // They have copies of whatever is open at that moment, and keep them for a while.
            const Meanwhile forks{[] {
                const pid_t child = ::fork();
                if (child == 0) {
                    const timespec while_ = {.tv_sec = 0, .tv_nsec = 5'000'000};
                    ::nanosleep(&while_, nullptr);
                    ::_exit(5);
                }
                int status = 0;
                if (::waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 5) std::abort();
            }};
            Household household{server};
            household.run(20);
            household.check_verdicts();
            household.check_processes();
        }
        check_standing(before);
    });
    as_host("spawns beside", [] {
        const OwnChild server;
        const Standing before = standing();
        {
            const Meanwhile spawns{[] {
                const char* const command[] = {"/bin/sh", "-c", "exit 5", nullptr};
                pid_t child = -1;
                int status = 0;
                if (::posix_spawn(&child, command[0], nullptr, nullptr,
                                  const_cast<char* const*>(command), environ) != 0 ||
                    ::waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 5)
                    std::abort();
            }};
            Household household{server};
            household.run(20);
            household.check_verdicts();
            household.check_processes();
        }
        check_standing(before);
    });
}

TEST_CASE("a host whose environment changes all the time has its commands run with what they had") {
    as_host("setenv beside", [] {
        const OwnChild server;
        ::setenv("GIVEN", "right", 1);
        const Standing before = standing();
        {
            Household household{server}; // the last to read the environment
            ExecProbe probe{household.io,
                            {.command = {"/bin/sh", "-c", "test \"$GIVEN\" = right"}}};
            const Meanwhile changes{[number = 0]() mutable {
                const std::string name = "HOSTILE_" + std::to_string(++number % 500);
                ::setenv(name.c_str(),
                         std::string(static_cast<std::size_t>(number % 100), 'x').c_str(), 1);
                ::setenv("GIVEN", "wrong", 1);
                if (number % 3 == 0) ::unsetenv("GIVEN");
                if (number % 500 == 0) ::clearenv();
            }};
            int passed = 0;
            for (int i = 0; i != 10; ++i)
                probe.async_probe(90s, [&](std::error_code error, const ProbeResult& result) {
                    passed += !error && result.passed() ? 1 : 0;
                });
            household.run(10);
            household.check_verdicts();
            household.check_processes({.environment = {"PATH=/bin"}, .inherit_environment = false});
            CHECK(passed == 10);
        }
        check_standing(before);
    });
}

TEST_CASE("a host that blocks all signals, or gets one every millisecond, notices nothing of it") {
    as_host("all signals are blocked", [] {
        const OwnChild server;
        for (const int signal : {SIGPIPE, SIGHUP, SIGINT, SIGTERM}) set_action(signal, SIG_IGN);
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
        check_everything(server);
        sigset_t pending;
        ::sigpending(&pending);
        for (int signal = 1; signal != NSIG; ++signal)
            if (signal != SIGCHLD) CHECK(::sigismember(&pending, signal) != 1);
    });
    as_host("a storm of signals", [] {
        const OwnChild server;
        set_action(SIGVTALRM, [](int) {}); // without SA_RESTART: every call may be interrupted
        set_action(SIGUSR1, [](int) {});
        const pthread_t loop = ::pthread_self();
        {
            const Meanwhile storm{[loop] {
                ::pthread_kill(loop, SIGUSR1);
                const timespec pause = {.tv_sec = 0, .tv_nsec = 200'000};
                ::nanosleep(&pause, nullptr);
            }};
            check_everything(server);
        }
        check_everything(server);
    });
}

TEST_CASE(
    "a host that may not make all system calls gets what is right, or an error, and no zombie") {
    using tools::SystemCallFilter;
    const auto host = [&](const std::string& what, auto refuse, bool works) {
        for (const int denial : {ENOSYS, EPERM}) {
            const std::error_code error{denial, std::system_category()};
            as_host(what + ": " + error.message(), [&] {
                const OwnChild server;
                SystemCallFilter filter;
                refuse(filter, static_cast<std::uint32_t>(denial));
                if (!filter.install()) SKIP("no filters of system calls here");
                if (works) return check_everything(server);
                const Standing before = standing();
                {
                    Household household{server};
                    household.run(4);
                    household.check_verdicts({error, Errc::status_lost});
                    CHECK(household.errors() >= 8); // the commands
                    Process process{household.io};
                    if (!process.start({.command = {"/bin/sleep", "1000"}})) {
                        std::error_code waited;
                        process.async_wait([&](std::error_code why, ExitStatus) { waited = why; });
                        const auto end = Steady::now() + 90s;
                        while (!waited && Steady::now() < end) household.io.run_one_for(90s);
                        CHECK(waited == Errc::status_lost);
                        CHECK_FALSE(process.running());
                    }
                }
                check_standing(before);
            });
        }
    };
    host(
        "clone",
        [](SystemCallFilter& filter, std::uint32_t error) {
            // The leak sanitizer clones without CLONE_VFORK.
            filter.refuse(SYS_clone3, error);
            filter.refuse_if(SYS_clone, 0, BPF_JSET, CLONE_VFORK, error);
        },
        false);
    host(
        "waitid",
        [](SystemCallFilter& filter, std::uint32_t error) { filter.refuse(SYS_waitid, error); },
        false);
    // glibc knows no other way to go back to clone() than ENOSYS of clone3().
    host(
        "clone for pidfds",
        [](SystemCallFilter& filter, std::uint32_t error) {
            filter.refuse(SYS_clone3, ENOSYS).refuse(SYS_pidfd_open, error);
            filter.refuse_if(SYS_clone, 0, BPF_JSET, CLONE_PIDFD, error);
        },
        true);
    host(
        "pidfd_send_signal",
        [](SystemCallFilter& filter, std::uint32_t error) {
            filter.refuse(SYS_pidfd_send_signal, error);
        },
        true);
    host(
        "close_range",
        [](SystemCallFilter& filter, std::uint32_t error) {
            filter.refuse(SYS_close_range, error);
        },
        true);
    host(
        "all that is newer than Linux 5.0",
        [](SystemCallFilter& filter, std::uint32_t error) {
            for (const int call : {SYS_clone3, SYS_pidfd_open, SYS_pidfd_send_signal,
                                   SYS_close_range, SYS_openat2, SYS_epoll_pwait2})
                filter.refuse(static_cast<std::uint32_t>(call), error);
        },
        true);
}

TEST_CASE(
    "a host without some of its standard streams finds nothing of the library in their place") {
    as_host("closed streams", [] {
        const OwnChild server;
        int saved[3] = {};
        for (int fd = 0; fd != 3; ++fd) saved[fd] = ::fcntl(fd, F_DUPFD_CLOEXEC, 10);
        for (const bool before_the_loop : {false, true})
            for (unsigned closed = 1; closed != 8; ++closed) {
                const auto is_closed = [&](int fd) { return (closed >> fd & 1U) != 0; };
                const auto close_them = [&] {
                    for (int fd = 0; fd != 3; ++fd)
                        if (is_closed(fd)) ::close(fd);
                };
                if (before_the_loop) close_them();
                std::optional<Household> household{std::in_place, server};
                // What has their numbers now is the event loop's, and Asio's.
                const Standing places = standing();
                if (!before_the_loop) close_them();
                household->io.poll(); // sockets, pipes and pidfds are open
                Standing taken;
                for (const std::string& line : standing())
                    for (int fd = 0; fd != 3; ++fd)
                        if (is_closed(fd) && !places.contains(line) &&
                            line.starts_with("descriptor " + std::to_string(fd) + " "))
                            taken.insert(line);
                household->run(1);
                // A process gets the null device where its parent has nothing of its own.
                std::string script = "for fd in";
                for (int fd = 0; fd != 3; ++fd)
                    if (is_closed(fd)) script += ' ' + std::to_string(fd);
                script += "; do test /proc/$$/fd/$fd -ef /dev/null || exit 1; done";
                Process process{household->io};
                const std::error_code error = process.start({.command = {"/bin/sh", "-c", script}});
                int code = -1;
                process.async_wait([&](std::error_code, ExitStatus end) { code = end.code; });
                const auto limit = Steady::now() + 90s;
                while (code < 0 && Steady::now() < limit) household->io.run_one_for(90s);
                for (int fd = 0; fd != 3; ++fd)
                    if (!before_the_loop) ::dup2(saved[fd], fd);
                INFO("closed: " << closed << (before_the_loop ? ", before the loop" : ""));
                CHECK(taken == Standing{});
                household->check_verdicts();
                CHECK_FALSE(error);
                CHECK(code == 0);
                household.reset();
                for (int fd = 0; fd != 3; ++fd) ::dup2(saved[fd], fd);
            }
        check_everything(server);
    });
}

TEST_CASE("a host that may have few descriptors gets errors, leaks none, and later all is right") {
    const auto host = [](const std::string& name, bool all_taken) {
        as_host(name, [all_taken] {
            const OwnChild server;
            const Standing before = standing();
            {
                Household household{server};
                household.run(1);
                rlimit limit = {};
                ::getrlimit(RLIMIT_NOFILE, &limit);
                const rlim_t usual = std::exchange(limit.rlim_cur, 16);
                ::setrlimit(RLIMIT_NOFILE, &limit);
                std::vector<int> taken;
                while (all_taken) {
                    taken.push_back(::dup(0));
                    if (taken.back() < 0) break;
                }
                household.run(10);
                for (const int fd : taken) ::close(fd);
                limit.rlim_cur = usual;
                ::setrlimit(RLIMIT_NOFILE, &limit);
                household.check_verdicts({{EMFILE, std::system_category()}});
                if (all_taken) CHECK(household.errors() > 0);
                household.run(4);
                household.check_verdicts();
                household.check_processes();
            }
            check_standing(before);
        });
    };
    host("RLIMIT_NOFILE is 16", false);
    host("all of 16 descriptors are taken", true);
}

TEST_CASE("a host that may have no more memory gets errors, and later all is right") {
#if defined(PROBEKIT_SANITIZED)
    SKIP("sanitizers need address space of their own");
#else
    as_host("RLIMIT_AS", [] {
        const OwnChild server;
        const Standing before = standing();
        {
            Household household{server};
            SupervisedProcess restarted{
                household.io, {.command = {"/bin/false"}}, {.back_off = {.base = 1ms, .max = 1ms}}};
            restarted.start();
            Process process{household.io};
            household.run(1);

            std::vector<void*> taken;
            std::vector<void*> holes;
            taken.reserve(1'000'000);
            holes.reserve(1000);
            while (holes.size() != holes.capacity()) {
                holes.push_back(std::malloc(200));
                taken.push_back(std::malloc(24)); // keeps them apart
            }
            rlimit limit = {};
            ::getrlimit(RLIMIT_AS, &limit);
            const rlim_t usual = limit.rlim_cur;
            limit.rlim_cur = std::stoul(tools::contents("/proc/self/statm")) *
                             static_cast<rlim_t>(::getpagesize());
            ::setrlimit(RLIMIT_AS, &limit);
            for (std::size_t size = 1 << 24; size >= 256; size /= 2)
                while (void* const memory = std::malloc(size)) taken.push_back(memory);
            for (void* const hole : holes) std::free(hole); // all that is left

            household.run(10);
            const std::uint64_t starts = restarted.snapshot().starts;
            int thrown = 0;
            std::error_code error;
            try {
                error = process.start({.command = {"/bin/true"}});
            } catch (const std::bad_alloc&) { ++thrown; }
            try {
                const HttpGetProbe probe{household.io, {.port = server.port()}};
            } catch (const std::bad_alloc&) { ++thrown; }

            for (void* const memory : taken) std::free(memory);
            limit.rlim_cur = usual;
            ::setrlimit(RLIMIT_AS, &limit);
            CHECK(thrown == 2);
            CHECK_FALSE(error);
            household.check_verdicts({{ENOMEM, std::system_category()}});
            household.run(4);
            household.check_verdicts();
            household.check_processes();
            while (restarted.snapshot().starts < starts + 3 && household.io.run_one_for(90s) != 0) {
            }
            CHECK(restarted.snapshot().starts >= starts + 3);
        }
        check_standing(before);
    });
#endif
}

TEST_CASE("a host with four contexts that share a gate and a limit may destroy one, and the gate") {
    as_host("four contexts", [] {
        const OwnChild server;
        const Standing before = standing();
        {
            AttemptLimit limit{2};
            std::vector<std::unique_ptr<Room>> rooms;
            for (int i = 0; i != 4; ++i) rooms.push_back(std::make_unique<Room>(limit));
            std::optional<StartupGate> gate{std::in_place, *rooms.front()->io};
            for (const auto& room : rooms) room->start(server, *gate);
            const auto wait = [&](int more) {
                const auto end = Steady::now() + 90s;
                std::vector<int> wanted;
                for (const auto& room : rooms) wanted.push_back(room->attempts + more);
                for (std::size_t i = 0; i != rooms.size(); ++i)
                    while (rooms[i]->attempts < wanted[i] && Steady::now() < end) ::sched_yield();
                for (std::size_t i = 0; i != rooms.size(); ++i)
                    CHECK(rooms[i]->attempts >= wanted[i]);
            };
            for (const auto& room : rooms) CHECK(room->attempts == 0);
            for (int i = 0; i != 50; ++i) gate->open(), gate->close();
            gate->open();
            wait(20);
            rooms.erase(rooms.begin()); // the gate's own
            wait(20);
            gate.reset();
            wait(20);
            for (const auto& room : rooms) CHECK(room->wrong == 0);
            rooms.clear();
            CHECK(limit.in_flight() == 0);
            CHECK(limit.waiting() == 0);
        }
        check_standing(before);
    });
}

TEST_CASE("a host whose handlers all throw loses none of them, and no change") {
    as_host("throwing handlers", [] {
        const OwnChild server;
        const Standing before = standing();
        {
            Household household{server};
            asio::io_context& io = household.io;
            int called = 0;
            const auto thrower = [&](auto&&...) {
                ++called;
                throw std::runtime_error{"a handler's"};
            };
            ExecProbe command{io, {.command = {"/bin/false"}}};
            ExecProbe missing{io, {.command = {"/no/such/program"}}};
            TcpProbe connection{io, {.port = server.port()}};
            HttpGetProbe page{io, {.port = server.port()}};
            FunctionProbe function{io, [] { return true; }};
            StartupGate gate{io};
            Process process{io};
            REQUIRE_FALSE(process.start({.command = {"/bin/sleep", "1000"}}));
            constexpr int rounds = 5;
            for (int i = 0; i != rounds; ++i) {
                command.async_probe(90s, thrower);
                missing.async_probe(90s, thrower);
                connection.async_probe(90s, thrower);
                page.async_probe(90s, thrower);
                function.async_probe(90s, thrower);
                gate.async_wait(thrower);
                process.async_wait(thrower);
            }
            process.async_terminate({}, thrower);
            gate.open();
            constexpr int handlers = 7 * rounds + 1;

            SupervisedProcess supervised{
                io, {.command = {"/bin/sleep", "1000"}}, {.restart_policy = RestartPolicy::never}};
            supervised.probe(ProbeKind::readiness, TcpProbe{io, {.port = server.port()}},
                             {.period = 1ms});
            std::string changes;
            supervised.on_change([&](const SupervisionChange& change) {
                changes += std::string{to_string(change.event)} + ' ';
                if (change.event == SupervisionChange::Event::ready) supervised.async_stop(thrower);
                throw std::runtime_error{"a callback's"};
            });
            supervised.start();

            int caught = 0;
            const auto end = Steady::now() + 90s;
            while ((called <= handlers || !changes.ends_with("over ")) && Steady::now() < end) {
                try {
                    io.run_one_for(90s);
                } catch (const std::runtime_error&) { ++caught; }
            }
            CHECK(called == handlers + 1); // async_stop's, too
            CHECK(changes == "started ready exited unready over ");
            CHECK(caught == called + 5);
            household.run(4);
            household.check_verdicts();
            household.check_processes();
        }
        check_standing(before);
    });
}
