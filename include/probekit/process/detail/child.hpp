// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <poll.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#if defined(__linux__)
#include <linux/ioctl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#endif

#include <probekit/config.hpp>
#include <probekit/core/restart.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A child process that has been started and has not been reaped. Plain numbers: the holder has to
/// close the descriptor.
struct Child {
    int pid = -1;
    int pidfd = -1; ///< readable once the process has ended; -1 where the system has no such thing
};

/// Whether a child has ended. `lost`: its status will never be known, since another part of the
/// program reaped it and the system cannot tell, or since this program may not wait for it.
enum class ChildState : std::uint8_t { running, ended, lost };

struct Reaped {
    ChildState state = ChildState::running;
    ExitStatus status = {};
};

[[nodiscard]] inline std::error_code last_system_error() noexcept {
    return {errno, std::system_category()};
}

#if defined(__linux__)

// System calls that the system's headers may be too old for. The numbers are the same on every
// architecture but alpha.
inline constexpr long call_pidfd_send_signal = 424;
inline constexpr long call_pidfd_open = 434;
inline constexpr long call_close_range = 436;
inline constexpr unsigned pidfd_signal_process_group = 1U << 2; // Linux 6.9
inline constexpr int wait_for_any_kind =
    __WALL; // also for a child that died before its exec, which makes no SIGCHLD

/// The kernel's struct pidfd_info, first version (Linux 6.13).
struct PidfdInfo {
    std::uint64_t mask = 0;
    std::uint64_t cgroup_id = 0;
    std::uint32_t ids[11] = {};
    std::int32_t exit_code = 0;
};
inline constexpr std::uint64_t pidfd_info_exit = 1U << 3; // Linux 6.15
inline constexpr unsigned long pidfd_get_info = _IOWR(0xFF, 11, PidfdInfo);

/// The status of a child that another part of the program has reaped. Since Linux 6.15 the pidfd
/// still knows it.
[[nodiscard]] inline Reaped status_after_foreign_reaping(const Child& child) noexcept {
    PidfdInfo info;
    info.mask = pidfd_info_exit;
    if (child.pidfd < 0 || ::ioctl(child.pidfd, pidfd_get_info, &info) != 0)
        return {ChildState::lost};
    // The kernel still has the process: the other reaper is just at work. Ask again later.
    if ((info.mask & pidfd_info_exit) == 0) return {ChildState::running};
    const int status = info.exit_code;
    return {ChildState::ended, WIFSIGNALED(status) ? ExitStatus{0, WTERMSIG(status)}
                                                   : ExitStatus{WEXITSTATUS(status), 0}};
}

[[nodiscard]] inline int wait_for(const Child& child, siginfo_t& info, int options) noexcept {
    constexpr auto by_pidfd = static_cast<idtype_t>(3); // P_PIDFD, Linux 5.4
    const bool has_pidfd = child.pidfd >= 0;
    int result;
    do {
        result = ::waitid(has_pidfd ? by_pidfd : P_PID,
                          static_cast<id_t>(has_pidfd ? child.pidfd : child.pid), &info,
                          options | wait_for_any_kind);
    } while (result != 0 && errno == EINTR);
    if (result != 0 && errno == EINVAL && has_pidfd)
        return wait_for({child.pid, -1}, info, options);
    return result;
}

/// Signals by the pidfd, so that a reused process id cannot be hit. ENOSYS or EINVAL: this kernel
/// has no such call. EPERM may mean the same, since the system call filters of older containers
/// return it for calls that they do not know.
[[nodiscard]] inline std::error_code signal_by_pidfd(const Child& child, int signal,
                                                     unsigned flags) noexcept {
    if (child.pidfd < 0) return {ENOSYS, std::system_category()};
    if (::syscall(call_pidfd_send_signal, child.pidfd, signal, nullptr, flags) == 0) return {};
    return last_system_error();
}

/// Signals the whole group; the leader alone if it has left the group.
[[nodiscard]] inline std::error_code signal_group_by_pidfd(const Child& child,
                                                           int signal) noexcept {
    const std::error_code error = signal_by_pidfd(child, signal, pidfd_signal_process_group);
    return error == std::errc::no_such_process ? signal_by_pidfd(child, signal, 0) : error;
}

#else

[[nodiscard]] inline Reaped status_after_foreign_reaping(const Child&) noexcept {
    return {ChildState::lost};
}

[[nodiscard]] inline int wait_for(const Child& child, siginfo_t& info, int options) noexcept {
    int result;
    do {
        result = ::waitid(P_PID, static_cast<id_t>(child.pid), &info, options);
    } while (result != 0 && errno == EINTR);
    return result;
}

[[nodiscard]] inline std::error_code signal_by_pidfd(const Child&, int, unsigned) noexcept {
    return {ENOSYS, std::system_category()};
}

[[nodiscard]] inline std::error_code signal_group_by_pidfd(const Child& child,
                                                           int signal) noexcept {
    return signal_by_pidfd(child, signal, 0);
}

inline constexpr int wait_for_any_kind = 0;

#endif

/// Whether the last wait_for() failed since the child is not ours to reap any more. Other errors
/// (EPERM, ENOSYS) mean that a filter of system calls forbids waiting, now and later.
[[nodiscard]] inline bool has_no_such_child() noexcept { return errno == ECHILD; }

/// Signals by the process id. To be called while the child can be waited for: then no other process
/// or group can have its id.
[[nodiscard]] inline std::error_code signal_group_by_id(const Child& child, int signal) noexcept {
    if (::kill(-child.pid, signal) == 0 || (errno == ESRCH && ::kill(child.pid, signal) == 0))
        return {};
    return last_system_error();
}

/// For a program that may not call waitid(): nobody will know how the child ends, so it is made to
/// end, and by the older call it is not left as a zombie. Takes a tenth of a second at most.
inline void end_unheard(const Child& child) noexcept {
    for (int i = 0; i != 100 && ::waitpid(child.pid, nullptr, WNOHANG | wait_for_any_kind) == 0;
         ++i) {
        if (i == 0) static_cast<void>(signal_group_by_id(child, SIGKILL));
        pollfd entry = {.fd = child.pidfd, .events = POLLIN, .revents = 0}; // without one: a pause
        ::poll(&entry, 1, 1);
    }
}

/// Reaps the child if it has ended; `options` is WNOHANG, or 0 to wait for its end. Reaps no other
/// child, and copes with programs that ignore SIGCHLD or reap whatever they find. A child that is
/// lost has ended, too.
[[nodiscard]] inline Reaped reap(const Child& child, int options = WNOHANG) noexcept {
    siginfo_t info = {};
    if (wait_for(child, info, WEXITED | options) != 0) {
        if (has_no_such_child()) return status_after_foreign_reaping(child);
        end_unheard(child);
        return {ChildState::lost};
    }
    if (info.si_pid == 0) return {ChildState::running};
    if (info.si_code == CLD_EXITED) return {ChildState::ended, ExitStatus{info.si_status, 0}};
    return {ChildState::ended, ExitStatus{0, info.si_status}};
}

/// Signals the child's process group. To be called before the child is reaped: afterwards, on older
/// systems, another process may have its id.
[[nodiscard]] inline std::error_code signal_group(const Child& child, int signal) noexcept {
    const std::error_code error = signal_group_by_pidfd(child, signal);
    if (error.value() != ENOSYS && error.value() != EINVAL && error.value() != EPERM) return error;
    siginfo_t info = {};
    if (wait_for(child, info, WEXITED | WNOHANG | WNOWAIT) != 0)
        return has_no_such_child() ? std::error_code{ESRCH, std::system_category()}
                                   : signal_by_pidfd(child, signal, 0);
    return signal_group_by_id(child, signal);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
