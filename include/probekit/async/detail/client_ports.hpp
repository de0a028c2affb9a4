// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>

#include <fcntl.h>
#include <unistd.h>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The ports that the system gives to sockets that connect (Linux: ip_local_port_range). Read once,
/// at the first question. From any thread.
class ClientPorts {
public:
    /// Where the system does not say, every port counts as one of them.
    [[nodiscard]] bool contain(std::uint16_t port) noexcept {
        std::uint32_t range = range_.load(std::memory_order_relaxed);
        if (range == unread) range = read();
        return port >= range >> 16 && port <= (range & 0xffffu);
    }

private:
    static constexpr std::uint32_t unread = 0;
    static constexpr std::uint32_t all = 0xffff;

    [[gnu::noinline, gnu::cold]] std::uint32_t read() noexcept {
        const int file = ::open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC);
        if (file < 0 && errno != ENOENT && errno != EACCES) return all; // this time
        char text[32];
        const ssize_t size = file < 0 ? 0 : ::read(file, text, sizeof text);
        if (file >= 0) ::close(file);
        const std::uint32_t range = parse(text, text + (size < 0 ? 0 : size));
        range_.store(range, std::memory_order_relaxed);
        return range;
    }

    // "32768\t60999\n"
    [[nodiscard]] static std::uint32_t parse(const char* begin, const char* end) noexcept {
        std::uint16_t first = 0;
        std::uint16_t last = 0;
        const char* const between = std::from_chars(begin, end, first).ptr;
        if (between == begin || between == end) return all;
        if (std::from_chars(between + 1, end, last).ec != std::errc{} || last == 0) return all;
        return std::uint32_t{first} << 16 | last;
    }

    std::atomic<std::uint32_t> range_{unread}; // the first port << 16 | the last
};

} // namespace probekit::inline PROBEKIT_ABI::detail
