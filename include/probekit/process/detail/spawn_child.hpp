// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <probekit/config.hpp>
#include <probekit/process/detail/child.hpp>
#include <probekit/process/detail/spawn_plan.hpp>

// The new process between clone() and execve(). It runs in its parent's memory, on a small stack,
// while the calling thread is suspended. So it makes system calls only (through libc's syscall(),
// which takes no lock and touches nothing but errno, which the caller does not rely on), allocates
// nothing, uses no container, and writes none of the records that the address and thread sanitizers
// keep in the parent's memory. All helpers are inlined by force into the one function that the
// sanitizers leave alone, and have no variable whose address is taken: g++ would record the end of
// its lifetime in that memory, where the record would outlive the process.
namespace probekit::inline PROBEKIT_ABI::detail {

/// What the new process reads and writes, and the `error` that it leaves.
struct SpawnTask {
    SpawnImage image;
    int streams[3] = {-1, -1, -1};        ///< what becomes 0, 1 and 2; -1: /dev/null
    std::uint64_t no_signals[2] = {};     ///< an empty signal mask
    std::uint64_t default_action[8] = {}; ///< the kernel's struct sigaction for SIG_DFL
    int error = 0;          ///< errno of the step that failed; 0: the program was executed
    unsigned users[3] = {}; ///< real, effective, saved
    unsigned groups[3] = {};
    bool lacks_group = false;   ///< what failed is that no group is known for the user
    std::uint64_t entries[128]; ///< of a directory
};

// 32-bit systems have old calls for 16-bit ids under the plain names.
#if defined(SYS_setresuid32)
inline constexpr long call_getresuid = SYS_getresuid32, call_getresgid = SYS_getresgid32;
inline constexpr long call_setresuid = SYS_setresuid32, call_setresgid = SYS_setresgid32;
inline constexpr long call_setgroups = SYS_setgroups32;
#else
inline constexpr long call_getresuid = SYS_getresuid, call_getresgid = SYS_getresgid;
inline constexpr long call_setresuid = SYS_setresuid, call_setresgid = SYS_setresgid;
inline constexpr long call_setgroups = SYS_setgroups;
#endif

/// Resets handlers and ignored signals alike: the program finds all signals as a login shell leaves
/// them.
[[gnu::always_inline]] inline void reset_signal_actions(const SpawnTask& task) noexcept {
    constexpr int last_signal = 64;
    // The calls for SIGKILL and SIGSTOP fail and change nothing.
    for (int signal = 1; signal <= last_signal; ++signal)
        ::syscall(SYS_rt_sigaction, signal, task.default_action, nullptr, sizeof(std::uint64_t));
}

[[gnu::always_inline]] inline bool place_null_device(int place) noexcept {
    const long opened = ::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);
    return opened >= 0 && (opened == place || ::syscall(SYS_dup3, opened, place, 0) >= 0);
}

[[gnu::always_inline]] inline bool place_streams(int* streams) noexcept {
    // A source whose number is the place of another stream is moved out of the way first.
    for (int place = 0; place != 3; ++place) {
        if (streams[place] < 0 || streams[place] > 2 || streams[place] == place) continue;
        const long moved = ::syscall(SYS_fcntl, streams[place], F_DUPFD, 3);
        if (moved < 0) return false;
        streams[place] = static_cast<int>(moved);
    }
    for (int place = 0; place != 3; ++place) {
        bool placed = false;
        if (streams[place] > 2)
            placed = ::syscall(SYS_dup3, streams[place], place, 0) >= 0;
        else
            // A stream that is in its place only loses close-on-exec. If it is closed in this
            // program, the new process gets /dev/null.
            placed = (streams[place] == place && ::syscall(SYS_fcntl, place, F_SETFD, 0) == 0) ||
                     place_null_device(place);
        if (!placed) return false;
    }
    return true;
}

/// For Linux before 5.9: closes what /proc lists. Without /proc it fails, so that no descriptor
/// gets through.
[[gnu::always_inline]] inline bool close_listed(SpawnTask& task) noexcept {
    struct Entry {
        std::uint64_t inode;
        std::int64_t offset;
        std::uint16_t length;
        std::uint8_t type;
        char name[5];
    };
    ::syscall(SYS_close, 3); // makes room if the table is full
    const long directory = ::syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY);
    if (directory < 0) return false;
    for (;;) {
        const long bytes = ::syscall(SYS_getdents64, directory, task.entries, sizeof task.entries);
        if (bytes < 0) return false;
        if (bytes == 0) break;
        for (long at = 0; at < bytes;) {
            const auto* entry =
                reinterpret_cast<const Entry*>(reinterpret_cast<const char*>(task.entries) + at);
            int number = 0;
            for (const char* digit = entry->name; *digit >= '0' && *digit <= '9'; ++digit)
                number = number * 10 + (*digit - '0');
            if (number > 2 && number != directory) ::syscall(SYS_close, number);
            at += entry->length;
        }
    }
    ::syscall(SYS_close, directory);
    return true;
}

[[gnu::always_inline]] inline bool close_others(SpawnTask& task) noexcept {
    return ::syscall(call_close_range, 3U, ~0U, 0U) == 0 || close_listed(task);
}

[[gnu::always_inline]] inline bool join_cgroup(const char* members) noexcept {
    if (members == nullptr) return true;
    // Closed by the execution. "0" is whoever writes it, whatever its number in which namespace.
    const long opened = ::syscall(SYS_openat, AT_FDCWD, members, O_WRONLY | O_CLOEXEC);
    return opened >= 0 && ::syscall(SYS_write, opened, "0", 1) == 1;
}

[[gnu::always_inline]] inline bool set_limits(const SpawnImage& image) noexcept {
    for (std::size_t i = 0; i != image.limit_count; ++i)
        if (::syscall(SYS_prlimit64, 0, image.limits[i].resource, image.limits[i].values,
                      nullptr) != 0)
            return false;
    return true;
}

/// Makes the bare system calls, which change this process only; libc's functions would make every
/// thread of the parent change too.
[[gnu::always_inline]] inline bool change_identity(SpawnTask& task) noexcept {
    const SpawnImage& image = task.image;
    if (!image.has_user && !image.has_group) return true;
    unsigned* const users = task.users;
    unsigned* const groups = task.groups;
    if (::syscall(call_getresuid, users, users + 1, users + 2) != 0) return false;
    if (::syscall(call_getresgid, groups, groups + 1, groups + 2) != 0) return false;
    const unsigned user = image.has_user ? image.user : users[1];
    const unsigned group = image.has_group ? image.group : groups[1];
    // To name the identity that the process has already takes no privilege, and gives none up. A
    // group that nobody has named is not kept by another user, and root's by nobody but root.
    bool same = image.has_group || group != 0 || user == 0;
    for (int i = 0; i != 3; ++i) same = same && users[i] == user && groups[i] == group;
    if (same) return true;
    task.lacks_group = !image.has_group && image.has_user;
    if (task.lacks_group) return false;
    return ::syscall(call_setgroups, image.group_count, image.groups) == 0 &&
           ::syscall(call_setresgid, group, group, group) == 0 &&
           ::syscall(call_setresuid, user, user, user) == 0;
}

/// As execvp(), but without the fall-back to a shell, which container runtimes do not have either.
/// Returns errno.
[[gnu::always_inline]] inline int execute(const SpawnImage& image) noexcept {
    bool denied = false;
    for (const char* const* path = image.candidates; *path != nullptr; ++path) {
        ::syscall(SYS_execve, *path, image.arguments, image.environment);
        const int error = errno;
        if (!image.searching || !tries_next_directory(error)) return error;
        denied = denied || error == EACCES;
    }
    return denied ? EACCES : ENOENT;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes" // each compiler has its own name for the same wish
#if defined(__clang__)
#pragma GCC diagnostic ignored "-Wunknown-attributes"
#endif

/// The new process, from its first instruction to its last. Returns only if the program could not
/// be executed.
[[gnu::noinline, gnu::no_sanitize_address, gnu::no_sanitize_thread, gnu::no_instrument_function,
  clang::disable_sanitizer_instrumentation]] inline int
run_child(void* memory) noexcept {
    SpawnTask& task = *static_cast<SpawnTask*>(memory);
    const SpawnImage& image = task.image;
    reset_signal_actions(task);
    if (::syscall(SYS_setpgid, 0, 0) == 0 && place_streams(task.streams) && close_others(task) &&
        join_cgroup(image.cgroup_members) && set_limits(image) && change_identity(task) &&
        (image.working_directory == nullptr ||
         ::syscall(SYS_chdir, image.working_directory) == 0) &&
        (!image.no_new_privs || ::syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0) &&
        ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, task.no_signals, nullptr,
                  sizeof(std::uint64_t)) == 0)
        task.error = execute(image);
    else
        task.error = errno;
    return 127;
}

#pragma GCC diagnostic pop

} // namespace probekit::inline PROBEKIT_ABI::detail
