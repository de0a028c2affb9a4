#include <floors/floors.hpp>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <support/meter.hpp>

namespace bench {
namespace {

struct Command {
    int pidfd = -1;
    int out = -1;
    int err = -1;
};

struct Start {
    int out = -1;
    int err = -1;
    int error = 0;
};

constexpr long close_range_call = 436;

// In the parent's memory: system calls only.
int run(void* memory) {
    Start& start = *static_cast<Start*>(memory);
    const std::uint64_t default_action[4] = {};
    const std::uint64_t no_signals = 0;
    for (int signal = 1; signal <= 64; ++signal)
        ::syscall(SYS_rt_sigaction, signal, default_action, nullptr, sizeof no_signals);
    ::syscall(SYS_setpgid, 0, 0);
    const long null = ::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
    ::syscall(SYS_dup3, null, 0, 0);
    ::syscall(SYS_dup3, start.out, 1, 0);
    ::syscall(SYS_dup3, start.err, 2, 0);
    ::syscall(close_range_call, 3U, ~0U, 0U);
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, nullptr, sizeof no_signals);
    const char* const arguments[] = {"/bin/true", nullptr};
    ::syscall(SYS_execve, arguments[0], arguments, environ);
    start.error = errno;
    return 127;
}

Command begin(int epoll, unsigned number) {
    int out[2];
    int err[2];
    if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(err, O_CLOEXEC) != 0) {
        std::perror("pipe");
        std::exit(1);
    }
    ::fcntl(out[0], F_SETFL, O_NONBLOCK);
    ::fcntl(err[0], F_SETFL, O_NONBLOCK);

    Start start = {.out = out[1], .err = err[1]};
    Command command = {.out = out[0], .err = err[0]};
    const std::uint64_t all_signals = ~std::uint64_t{0};
    std::uint64_t before = 0;
    alignas(16) char stack[16384];
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all_signals, &before, sizeof before);
    const int pid = ::clone(run, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD, &start,
                            &command.pidfd);
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, sizeof before);
    if (pid < 0 || start.error != 0) {
        std::perror("clone");
        std::exit(1);
    }
    ::close(out[1]);
    ::close(err[1]);
    epoll_event wanted = {.events = EPOLLIN, .data = {.u32 = number}};
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, command.pidfd, &wanted);
    return command;
}

bool end(int epoll, const Command& command) {
    siginfo_t info = {};
    ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(command.pidfd), &info,
             WEXITED | WNOHANG | __WALL);
    ::epoll_ctl(epoll, EPOLL_CTL_DEL, command.pidfd,
                nullptr); // a pidfd lives on in the set otherwise
    ::close(command.pidfd);
    char buffer[16384];
    bool quiet = true;
    for (const int pipe : {command.out, command.err}) {
        quiet = ::read(pipe, buffer, sizeof buffer) == 0 && quiet;
        ::close(pipe);
    }
    return quiet && info.si_code == CLD_EXITED && info.si_status == 0;
}

} // namespace

Cost exec_floor(const Load& load) {
    Meter meter{load};
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<Command> commands;
    for (unsigned i = 0; i != load.in_flight; ++i) commands.push_back(begin(epoll, i));
    for (;;) {
        epoll_event events[128];
        const int count = ::epoll_wait(epoll, events, 128, -1);
        for (int i = 0; i < count; ++i) {
            const unsigned number = events[i].data.u32;
            if (meter.count(end(epoll, commands[number]))) return meter.cost();
            commands[number] = begin(epoll, number);
        }
    }
}

Cost fork_floor(const Load& load) {
    Meter meter{load};
    for (;;) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            const char* const arguments[] = {"/bin/true", nullptr};
            ::execve(arguments[0], const_cast<char* const*>(arguments), environ);
            ::_exit(127);
        }
        int status = -1;
        ::waitpid(pid, &status, 0);
        if (meter.count(status == 0)) return meter.cost();
    }
}

} // namespace bench
