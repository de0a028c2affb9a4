// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace tools {

/// Runs `task` in a forked child, which may change what it likes about itself; whether it returned
/// true. A child that hangs is ended after some time.
template <class Task>
bool in_child(Task task) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::alarm(100);
        bool good = false;
        try {
            good = task();
        } catch (...) {} // an assertion that failed
        ::_exit(good ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CAPTURE(status);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

} // namespace tools
