// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// older_system WHICH PROGRAM ARGUMENTS...: runs a program as on another system, by a filter of its
// system calls.
//   linux-5.4: pidfds there are, but no close_range, no signals to groups by pidfd, no exit status
//   by ioctl container: the same, by a filter that allows none of the calls it does not know
//   emulator:  no pidfds at all, and clone() knows no CLONE_PIDFD
// PROBEKIT_TEST_KERNEL tells the tests.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

#include <probekit/process/detail/child.hpp>

namespace {

std::vector<sock_filter> program;

void load(std::size_t offset) {
    program.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)});
}
void give(std::uint32_t verdict) { program.push_back({BPF_RET | BPF_K, 0, 0, verdict}); }

/// A call is answered with an error.
void refuse(std::uint32_t number, std::uint32_t error) {
    program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number});
    give(SECCOMP_RET_ERRNO | error);
}

/// A call is answered with an error if the low half of an argument passes a test.
void refuse_if(std::uint32_t number, std::size_t argument, std::uint16_t test, unsigned long value,
               std::uint32_t error) {
    program.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 4, number});
    load(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t));
    program.push_back({static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), 0, 1,
                       static_cast<std::uint32_t>(value)});
    give(SECCOMP_RET_ERRNO | error);
    load(offsetof(seccomp_data, nr));
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    const bool emulator = std::string_view{argv[1]} == "emulator";
    const bool container = std::string_view{argv[1]} == "container";
    load(offsetof(seccomp_data, nr));
    refuse(SYS_clone3, ENOSYS); // libc knows no other way to go back to clone()
    refuse(SYS_close_range, container ? EPERM : ENOSYS);
    if (container) {
        refuse(SYS_pidfd_open, EPERM);
        refuse(SYS_pidfd_send_signal, EPERM);
    }
    if (emulator) {
        refuse(SYS_pidfd_open, ENOSYS);
        refuse_if(SYS_clone, 0, BPF_JSET, CLONE_PIDFD, EINVAL);
    } else {
        refuse_if(SYS_pidfd_send_signal, 3, BPF_JSET, ~0U, EINVAL);
        refuse_if(SYS_ioctl, 1, BPF_JEQ, probekit::detail::pidfd_get_info, ENOTTY);
    }
    give(SECCOMP_RET_ALLOW);

    ::setenv("PROBEKIT_TEST_KERNEL", emulator ? "0.0" : "5.4", 1);
    const sock_fprog whole = {static_cast<unsigned short>(program.size()), program.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) != 0) {
        std::perror("older_system: seccomp");
        return 2;
    }
    ::execv(argv[2], argv + 2);
    std::perror(argv[2]);
    return 2;
}
