// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

namespace tools {

/// System calls that a program, and all it starts, may not make from some moment on, as under the
/// filters of containers and sandboxes. There is no way back.
class SystemCallFilter {
public:
    SystemCallFilter() { load(offsetof(seccomp_data, nr)); }

    /// A call is answered with an error.
    SystemCallFilter& refuse(std::uint32_t number, std::uint32_t error) {
        rules_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number});
        give(SECCOMP_RET_ERRNO | error);
        return *this;
    }

    /// A call is answered with an error if the low half of an argument passes a test.
    SystemCallFilter& refuse_if(std::uint32_t number, std::size_t argument, std::uint16_t test,
                                unsigned long value, std::uint32_t error) {
        rules_.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 4, number});
        load(offsetof(seccomp_data, args) + argument * sizeof(std::uint64_t));
        rules_.push_back({static_cast<std::uint16_t>(BPF_JMP | test | BPF_K), 0, 1,
                          static_cast<std::uint32_t>(value)});
        give(SECCOMP_RET_ERRNO | error);
        load(offsetof(seccomp_data, nr));
        return *this;
    }

    /// False, and errno, if the system has no such filters.
    [[nodiscard]] bool install() {
        give(SECCOMP_RET_ALLOW);
        const sock_fprog whole = {static_cast<unsigned short>(rules_.size()), rules_.data()};
        return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
               ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) == 0;
    }

private:
    void load(std::size_t offset) {
        rules_.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)});
    }
    void give(std::uint32_t verdict) { rules_.push_back({BPF_RET | BPF_K, 0, 0, verdict}); }

    std::vector<sock_filter> rules_;
};

} // namespace tools
