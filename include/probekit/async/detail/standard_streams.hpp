// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A new descriptor of ours, elsewhere if it is 0, 1 or 2: in a program that has closed its standard
/// streams, nobody's output must get into our sockets, and no child inherit them. -1, and errno, if
/// there is no room. Takes a failed call's -1, too.
[[nodiscard]] inline int above_standard_streams(int fd) noexcept {
    if (fd < 0 || fd > 2) return fd;
    const int moved = ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
    const int error = errno;
    ::close(fd);
    errno = error;
    return moved;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
