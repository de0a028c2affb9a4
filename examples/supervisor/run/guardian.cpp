#include "run/guardian.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <map>
#include <string_view>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run/cgroup.hpp"
#include "run/process_table.hpp"

namespace supervisor {
namespace {

using namespace std::chrono_literals;

struct Message {
    char what = 0; ///< '+': watch, '-': forget
    int pid = -1;
};

/// Closes everything but the pipe: whoever waits for the end of the supervisor's output would wait
/// for this process, too.
void keep_only(int pipe) {
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(pipe, STDIN_FILENO);
    ::dup2(null, STDOUT_FILENO);
    ::dup2(null, STDERR_FILENO);
    if (::syscall(SYS_close_range, 3U, ~0U, 0U) == 0) return;
    rlimit limit = {};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    for (rlim_t descriptor = 3; descriptor < limit.rlim_cur; ++descriptor)
        ::close(static_cast<int>(descriptor));
}

void end_all(const std::map<int, std::string>& watched, const std::string& cgroup,
             const std::string& mark) {
    if (!cgroup.empty()) Cgroup::kill(cgroup);
    for (const auto& [pid, started] : watched)
        if (start_time(pid) == started) ::kill(-pid, SIGKILL);
    // What is forked while we look is found by the next look.
    bool one_is_left = true;
    for (int rounds = 0; one_is_left && rounds != 1000; ++rounds) {
        one_is_left = !cgroup.empty() && Cgroup::populated(cgroup);
        for (const int pid : all_processes()) {
            if (!has_variable(pid, [&](std::string_view one) { return one.starts_with(mark); }))
                continue;
            ::kill(pid, SIGKILL);
            one_is_left = true;
        }
        if (one_is_left) std::this_thread::sleep_for(5ms);
    }
    Cgroup::remove(cgroup);
}

/// noexcept: an exception that left it would run the supervisor's destructors in this process, and
/// they remove the containers' cgroups.
[[noreturn]] void guard(int pipe, const std::string& cgroup, const std::string& mark) noexcept {
    // In a session of its own no terminal and no signal to the supervisor's group reaches it.
    ::setsid();
    ::prctl(PR_SET_NAME, "supervisor-end");
    keep_only(pipe);
    if (::chdir("/") != 0) ::_exit(1);
    std::map<int, std::string> watched;
    for (Message message;;) {
        const ssize_t size = ::read(STDIN_FILENO, &message, sizeof message);
        if (size < 0 && errno == EINTR) continue;
        if (size != sizeof message) break; // the supervisor is no more
        if (message.what == '+')
            watched.insert_or_assign(message.pid, start_time(message.pid));
        else
            watched.erase(message.pid);
    }
    end_all(watched, cgroup, mark);
    ::_exit(0);
}

} // namespace

Guardian::Guardian(std::string cgroup, std::string mark)
    : cgroup_(std::move(cgroup)), mark_(std::move(mark)) {
    start();
}

std::error_code Guardian::start() {
    end();
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
        return error_ = std::error_code{errno, std::system_category()};
    const UniqueFd reading{ends[0]};
    pipe_ = UniqueFd{ends[1]};
    ::fcntl(pipe_.get(), F_SETFL, O_NONBLOCK); // it must never hold up what it guards
    // Until it ignores them: a handler of the supervisor's would tell the supervisor.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_ = ::fork();
    if (pid_ == 0) {
        for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD})
            ::signal(signal, SIG_IGN);
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        static_cast<void>(pipe_.release()); // closed with all others
        guard(reading.get(), cgroup_, mark_);
    }
    error_ = pid_ < 0 ? std::error_code{errno, std::system_category()} : std::error_code{};
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return error_;
}

void Guardian::end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
    pid_ = -1;
}

void Guardian::tell(char what, int pid) {
    const Message message{.what = what, .pid = pid};
    // Without a guardian, or if it is stopped, there is nobody to tell.
    if (pid_ > 0 && ::write(pipe_.get(), &message, sizeof message) < 0) return;
}

} // namespace supervisor
