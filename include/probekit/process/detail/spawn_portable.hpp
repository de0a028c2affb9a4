// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <system_error>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include <probekit/async/detail/standard_streams.hpp>
#include <probekit/config.hpp>
#include <probekit/process/detail/child.hpp>
#include <probekit/process/detail/spawn_plan.hpp>

// Starts a process by POSIX alone: for systems other than Linux, and for emulators of Linux that
// have no clone(CLONE_PIDFD). It allocates, and cannot change user, group, limits, namespace or
// cgroup.
namespace probekit::inline PROBEKIT_ABI::detail {

/// The two objects of posix_spawn(), filled step by step; `error` keeps the first error.
struct PosixSpawnSettings {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    std::array<int, 3> moved = {-1, -1, -1};
    int error = 0;

    PosixSpawnSettings() noexcept {
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawnattr_init(&attributes);
    }
    PosixSpawnSettings(const PosixSpawnSettings&) = delete;
    PosixSpawnSettings& operator=(const PosixSpawnSettings&) = delete;
    ~PosixSpawnSettings() {
        for (const int descriptor : moved)
            if (descriptor >= 0) ::close(descriptor);
        ::posix_spawnattr_destroy(&attributes);
        ::posix_spawn_file_actions_destroy(&actions);
    }

    void keep(int result) noexcept {
        if (error == 0) error = result;
    }

    void reset_signals_and_group() noexcept {
        short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP;
#if defined(POSIX_SPAWN_CLOEXEC_DEFAULT)
        flags |= POSIX_SPAWN_CLOEXEC_DEFAULT; // macOS: no descriptor but the streams gets through
#endif
        sigset_t signals;
        ::sigemptyset(&signals);
        keep(::posix_spawnattr_setsigmask(&attributes, &signals));
        ::sigfillset(&signals);
        keep(::posix_spawnattr_setsigdefault(&attributes, &signals));
        keep(::posix_spawnattr_setpgroup(&attributes, 0));
        keep(::posix_spawnattr_setflags(&attributes, flags));
    }

    void place_streams(std::array<int, 3> streams) noexcept {
        for (std::size_t place = 0; place != 3; ++place) {
            int& source = streams[place];
            const int own = static_cast<int>(place);
            if (source == own && ::fcntl(own, F_GETFD) < 0)
                source = -1; // closed in this program: /dev/null
            if (source < 0 || source > 2 || source == own) continue;
            // A source whose number is the place of another stream is moved out of the way first.
            source = moved[place] = ::fcntl(source, F_DUPFD_CLOEXEC, 3);
            if (source < 0) keep(errno);
        }
        for (int place = 0; place != 3; ++place) {
            const int source = streams[static_cast<std::size_t>(place)];
            keep(source < 0
                     ? ::posix_spawn_file_actions_addopen(&actions, place, "/dev/null", O_RDWR, 0)
                     : ::posix_spawn_file_actions_adddup2(&actions, source, place));
        }
    }

    /// These are templates so that they compile on a system without the functions they call.
    template <class Actions>
    void close_others(Actions* list) {
        if constexpr (requires { posix_spawn_file_actions_addclosefrom_np(list, 3); }) {
            keep(posix_spawn_file_actions_addclosefrom_np(list, 3));
        } else if (DIR* directory = ::opendir("/dev/fd")) {
            while (const dirent* entry = ::readdir(directory)) {
                const int number = std::atoi(entry->d_name); // "." and "..": 0
                if (number > 2 && number != ::dirfd(directory))
                    keep(::posix_spawn_file_actions_addclose(list, number));
            }
            ::closedir(directory);
        }
    }

    template <class Actions>
    void change_directory(Actions* list, const char* path) {
        if constexpr (requires { posix_spawn_file_actions_addchdir_np(list, path); })
            keep(posix_spawn_file_actions_addchdir_np(list, path));
        else
            keep(ENOSYS);
    }
};

[[nodiscard]] inline int open_pidfd([[maybe_unused]] int pid) noexcept {
#if defined(__linux__)
    return above_standard_streams(static_cast<int>(::syscall(call_pidfd_open, pid, 0)));
#else
    return -1;
#endif
}

/// Starts a process as spawn() does; ENOSYS for settings that posix_spawn() does not have.
[[nodiscard]] inline std::error_code spawn_portable(const SpawnPlan& plan,
                                                    const std::array<int, 3>& streams,
                                                    Child& child) noexcept {
    const SpawnImage& image = plan.image();
    if (image.pid_namespace || image.pid_namespace_fd >= 0 || image.cgroup_members != nullptr ||
        image.has_user || image.has_group || image.no_new_privs || image.limit_count != 0)
        return {ENOSYS, std::system_category()};
    PosixSpawnSettings settings;
    settings.reset_signals_and_group();
    settings.place_streams(streams);
    settings.close_others(&settings.actions);
    if (image.working_directory != nullptr)
        settings.change_directory(&settings.actions, image.working_directory);
    if (settings.error != 0) return {settings.error, std::system_category()};

    bool denied = false;
    for (const char* const* path = image.candidates; *path != nullptr; ++path) {
        pid_t pid = -1;
        const int error = ::posix_spawn(&pid, *path, &settings.actions, &settings.attributes,
                                        image.arguments, image.environment);
        if (error == 0) {
            child = {pid, open_pidfd(pid)};
            return {};
        }
        if (!image.searching || !tries_next_directory(error))
            return {error, std::system_category()};
        denied = denied || error == EACCES;
    }
    return {denied ? EACCES : ENOENT, std::system_category()};
}

} // namespace probekit::inline PROBEKIT_ABI::detail
