// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// older_system WHICH PROGRAM ARGUMENTS...: runs a program as on another system, by a filter of its
// system calls.
//   linux-5.4: pidfds there are, but no close_range, no signals to groups by pidfd, no exit status
//   by ioctl container: the same, by a filter that allows none of the calls it does not know
//   emulator:  no pidfds at all, and clone() knows no CLONE_PIDFD
// PROBEKIT_TEST_KERNEL tells the tests.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <linux/filter.h>
#include <linux/sched.h>
#include <string_view>
#include <sys/syscall.h>
#include <unistd.h>

#include <probekit/process/detail/child.hpp>

#include "../tools/system_call_filter.hpp"

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const bool emulator = std::string_view{argv[1]} == "emulator";
    const bool container = std::string_view{argv[1]} == "container";
    tools::SystemCallFilter filter;
    filter.refuse(SYS_clone3, ENOSYS); // libc knows no other way to go back to clone()
    filter.refuse(SYS_close_range, container ? EPERM : ENOSYS);
    if (container) {
        filter.refuse(SYS_pidfd_open, EPERM);
        filter.refuse(SYS_pidfd_send_signal, EPERM);
    }
    if (emulator) {
        filter.refuse(SYS_pidfd_open, ENOSYS);
        filter.refuse_if(SYS_clone, 0, BPF_JSET, CLONE_PIDFD, EINVAL);
    } else {
        filter.refuse_if(SYS_pidfd_send_signal, 3, BPF_JSET, ~0U, EINVAL);
        filter.refuse_if(SYS_ioctl, 1, BPF_JEQ, probekit::detail::pidfd_get_info, ENOTTY);
    }

    ::setenv("PROBEKIT_TEST_KERNEL", emulator ? "0.0" : "5.4", 1);
    if (!filter.install()) {
        std::perror("older_system: seccomp");
        return 2;
    }
    ::execv(argv[2], argv + 2);
    std::perror(argv[2]);
    return 2;
}
