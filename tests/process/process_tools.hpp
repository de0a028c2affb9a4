// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// What tests of processes have in common.
#pragma once

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <sstream>
#include <string>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <probekit/process/process_spec.hpp>

#include "../tools/temporary_folder.hpp"

namespace probekit::tests {

using tools::TemporaryFolder;

/// The descriptors of a pipe; the destructor closes them.
struct Pipe {
    int read_end = -1;
    int write_end = -1;

    Pipe() {
        int ends[2];
        REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
        read_end = ends[0];
        write_end = ends[1];
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        ::close(read_end);
        close_write_end();
    }

    void close_write_end() {
        if (write_end >= 0) ::close(write_end);
        write_end = -1;
    }

    /// What comes next, up to a few bytes.
    std::string next() const {
        char buffer[64];
        const ssize_t bytes = ::read(read_end, buffer, sizeof buffer);
        return {buffer, static_cast<std::size_t>(bytes > 0 ? bytes : 0)};
    }

    /// Everything until the last writer has closed the pipe.
    std::string drain() {
        close_write_end();
        std::string text;
        char buffer[4096];
        for (;;) {
            const ssize_t bytes = ::read(read_end, buffer, sizeof buffer);
            if (bytes <= 0) return text;
            text.append(buffer, static_cast<std::size_t>(bytes));
        }
    }
};

/// The version of the kernel, or of the one that older_system plays.
inline bool kernel_is_at_least(int major, int minor) {
    utsname name = {};
    REQUIRE(::uname(&name) == 0);
    const char* const played = std::getenv("PROBEKIT_TEST_KERNEL");
    int has_major = 0;
    int has_minor = 0;
    REQUIRE(std::sscanf(played != nullptr ? played : name.release, "%d.%d", &has_major,
                        &has_minor) == 2);
    return has_major > major || (has_major == major && has_minor >= minor);
}

/// Whether processes are started by clone(CLONE_PIDFD) here.
inline bool has_clone() { return kernel_is_at_least(5, 2); }

inline bool is_root() { return ::geteuid() == 0; }

inline ProcessSpec shell(const std::string& script) {
    ProcessSpec spec;
    spec.command = {"/bin/sh", "-c", script};
    return spec;
}

inline bool has_no_children() {
    siginfo_t info = {};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) != 0 && errno == ECHILD;
}

/// A cgroup of version 2 below the one that the test runs in. The destructor kills what is in it.
class TestCgroup {
public:
    TestCgroup() {
        std::ifstream mounts{"/proc/self/mountinfo"};
        for (std::string line; std::getline(mounts, line);) {
            if (line.find(" - cgroup2 ") == std::string::npos) continue;
            std::istringstream fields{line};
            for (int field = 0; field != 5; ++field) fields >> path_;
        }
        std::ifstream own{"/proc/self/cgroup"};
        std::string below = "/no/such/group";
        for (std::string line; std::getline(own, line);)
            if (line.starts_with("0::")) below = line.substr(3);
        path_ += below + "/" + name_;
        std::error_code error;
        if (!std::filesystem::create_directory(path_, error)) path_.clear();
    }
    TestCgroup(const TestCgroup&) = delete;
    TestCgroup& operator=(const TestCgroup&) = delete;
    ~TestCgroup() {
        if (path_.empty()) return;
        std::ofstream{path_ + "/cgroup.kill"} << 1;
        while (populated()) ::sched_yield();
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }

    /// Empty: it cannot be made here.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] bool populated() const {
        std::ifstream events{path_ + "/cgroup.events"};
        std::string first;
        std::getline(events, first);
        return first == "populated 1";
    }

private:
    std::string name_ = "probekit-test-" + std::to_string(::getpid());
    std::string path_;
};

/// Puts a signal's action back.
class SignalAction {
public:
    SignalAction(int signal, void (*handler)(int)) : signal_(signal) {
        struct sigaction action = {};
        action.sa_handler = handler;
        REQUIRE(::sigaction(signal_, &action, &before_) == 0);
    }
    SignalAction(const SignalAction&) = delete;
    SignalAction& operator=(const SignalAction&) = delete;
    ~SignalAction() { ::sigaction(signal_, &before_, nullptr); }

private:
    int signal_;
    struct sigaction before_ = {};
};

inline std::atomic<int> signals_seen = 0;
inline void count_signal(int) { ++signals_seen; }

} // namespace probekit::tests
