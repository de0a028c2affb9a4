// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/// Runs `test` in a network namespace of its own, with nothing but a loopback: packets dropped
/// there are dropped for no other process. False if the system does not allow it. Exceptions of
/// `test` pass. No assertion may be made inside: it runs on another thread.
inline bool in_own_network(const std::function<void()>& test, int more_namespaces = 0) {
    bool could = false;
    std::exception_ptr thrown;
    std::thread{[&] { // on a thread of its own: its namespaces end with it
        if (::unshare(CLONE_NEWNET | more_namespaces) != 0) return;
        const int any = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        ifreq loopback{.ifr_ifrn = {"lo"}, .ifr_ifru = {}};
        loopback.ifr_flags = IFF_UP;
        could = any >= 0 && ::ioctl(any, SIOCSIFFLAGS, &loopback) == 0;
        ::close(any);
        if (!could) return;
        try {
            test();
        } catch (...) { thrown = std::current_exception(); }
    }}
        .join();
    if (thrown) std::rethrow_exception(thrown);
    return could;
}

/// Gives the loopback of this thread's network another IPv4 address.
inline bool add_address(const char* address) {
    const int any = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq alias{.ifr_ifrn = {"lo:1"}, .ifr_ifru = {}};
    sockaddr_in where{};
    where.sin_family = AF_INET;
    const bool is_set = ::inet_pton(AF_INET, address, &where.sin_addr) == 1 &&
                        (std::memcpy(&alias.ifr_addr, &where, sizeof where),
                         ::ioctl(any, SIOCSIFADDR, &alias) == 0);
    ::close(any);
    return is_set;
}

/// Sets what happens to incoming packets, by a rule of nftables. False if there is no nftables.
inline bool filter(const std::string& rule) {
    const std::string command =
        "nft 'add table inet f; add chain inet f i { type filter hook input priority 0; }; "
        "add rule inet f i " +
        rule + "' 2>/dev/null";
    return std::system(command.c_str()) == 0;
}
