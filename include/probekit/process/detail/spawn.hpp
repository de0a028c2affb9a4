// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <system_error>

#if defined(__linux__)
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <probekit/config.hpp>
#include <probekit/process/detail/spawn_child.hpp>
#endif

#include <probekit/process/detail/child.hpp>
#include <probekit/process/detail/spawn_plan.hpp>
#include <probekit/process/detail/spawn_portable.hpp>

#if defined(__GLIBC__)
// Another name of glibc's clone(). clang's thread sanitizer takes every clone() for a fork(), and
// aborts.
// NOLINTNEXTLINE(bugprone-reserved-identifier,readability-identifier-naming)
extern "C" int __clone(int (*)(void*), void*, int, void*, ...) noexcept;
#endif

namespace probekit::inline PROBEKIT_ABI::detail {

#if defined(__linux__)

/// While this exists the calling thread blocks every signal, libc's own included: no handler may
/// run in a process that shares our memory.
class AllSignalsBlocked {
public:
    AllSignalsBlocked() noexcept {
        const std::uint64_t all[2] = {~std::uint64_t{0}, ~std::uint64_t{0}};
        ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, all, before_, sizeof(std::uint64_t));
    }
    AllSignalsBlocked(const AllSignalsBlocked&) = delete;
    AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
    ~AllSignalsBlocked() {
        ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, before_, nullptr, sizeof(std::uint64_t));
    }

private:
    std::uint64_t before_[2] = {};
};

/// While this exists, what the calling thread starts runs in another PID namespace, if `descriptor`
/// is one; the thread itself stays where it is.
class InPidNamespace {
public:
    explicit InPidNamespace(int descriptor) noexcept {
        if (descriptor < 0) return;
        own_ = ::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
        if (own_ < 0 || ::syscall(SYS_setns, descriptor, CLONE_NEWPID) != 0) error_ = errno;
    }
    InPidNamespace(const InPidNamespace&) = delete;
    InPidNamespace& operator=(const InPidNamespace&) = delete;
    ~InPidNamespace() {
        if (own_ < 0) return;
        // One's own namespace is the one that can always be had.
        [[maybe_unused]] const long back = ::syscall(SYS_setns, own_, CLONE_NEWPID);
        PROBEKIT_ASSERT(back == 0 || error_ != 0);
        ::close(own_);
    }

    /// Why it could not be entered; 0 if it was, or if there is none.
    [[nodiscard]] int error() const noexcept { return error_; }
    [[nodiscard]] bool entered() const noexcept { return own_ >= 0 && error_ == 0; }

private:
    int own_ = -1; // to come back to
    int error_ = 0;
};

/// Runs `task` by clone(), in our memory, until the program has been executed or a step has failed.
/// Returns the process id, or -1 and errno.
[[nodiscard]] inline int clone_child(SpawnTask& task, int& pidfd) noexcept {
    alignas(16) std::byte stack[16384];
    // The flags name no signal for the parent, so a program that cannot be executed makes no
    // SIGCHLD. execve() sets the signal back to SIGCHLD.
    const int flags =
        CLONE_VM | CLONE_VFORK | CLONE_PIDFD | (task.image.pid_namespace ? CLONE_NEWPID : 0);
#if defined(__GLIBC__)
    return __clone(run_child, stack + sizeof stack, flags, &task, &pidfd);
#else
    return ::clone(run_child, stack + sizeof stack, flags, &task, &pidfd);
#endif
}

/// Starts a process. `streams` become its descriptors 0, 1 and 2; -1 stands for /dev/null. On
/// success the program has been executed, and the caller has to reap `child`. Otherwise nothing is
/// left of the process, and the error is that of the step that failed: ENOENT, EACCES, ENOEXEC ...
/// from the execution, EAGAIN, EMFILE, ENOMEM ... from the steps before it.
///
/// Blocks the calling thread until then, as vfork() does; allocates nothing and never forks. Where
/// CLONE_VM does not share memory (valgrind makes a fork of it), a program that cannot be executed
/// looks like one that was started and exited with 127, as in a shell.
[[nodiscard]] inline std::error_code spawn(const SpawnPlan& plan, const std::array<int, 3>& streams,
                                           Child& child) noexcept {
    PROBEKIT_ASSERT(child.pid < 0);
    SpawnTask task;
    task.image = plan.image();
    for (std::size_t i = 0; i != 3; ++i) task.streams[i] = streams[i];
    Child started;
    {
        const AllSignalsBlocked blocked;
        const InPidNamespace inside{task.image.pid_namespace_fd};
        task.error = inside.error();
        if (task.error == 0) started.pid = clone_child(task, started.pidfd);
        // The kernel's word for a namespace whose process 1 has ended.
        if (started.pid < 0 && task.error == 0)
            task.error = inside.entered() && errno == ENOMEM ? ESRCH : errno;
    }
    if (started.pid < 0) {
        const bool unknown_call =
            task.error == EINVAL || task.error == ENOSYS || task.error == EPERM;
        if (unknown_call && !task.image.pid_namespace && task.image.pid_namespace_fd < 0)
            return spawn_portable(plan, streams, child);
        return {task.error, std::system_category()};
    }
    if (task.error != 0 || task.lacks_group) {
        static_cast<void>(reap(started, 0));
        if (started.pidfd >= 0) ::close(started.pidfd);
        if (task.lacks_group) return make_error_code(Errc::user_has_no_group);
        return {task.error, std::system_category()};
    }
    // Linux before 5.2 ignores CLONE_PIDFD.
    started.pidfd =
        started.pidfd < 0 ? open_pidfd(started.pid) : above_standard_streams(started.pidfd);
    child = started;
    return {};
}

#else

[[nodiscard]] inline std::error_code spawn(const SpawnPlan& plan, const std::array<int, 3>& streams,
                                           Child& child) noexcept {
    return spawn_portable(plan, streams, child);
}

#endif

} // namespace probekit::inline PROBEKIT_ABI::detail
