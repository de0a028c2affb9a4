// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <sys/types.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <asio/posix/descriptor_base.hpp>

#include <probekit/async/detail/descriptor.hpp>
#include <probekit/config.hpp>
#include <probekit/process/detail/child.hpp>
#include <probekit/process/detail/output_buffer.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A pipe whose write end a process gets as its stdout or stderr. Not thread-safe.
template <class Executor>
class OutputPipe {
public:
    /// Opens the pipe. The write end is the caller's, to be closed when the process has a copy.
    [[nodiscard]] std::error_code open(Descriptor<Executor>& write_end) noexcept {
        int ends[2];
#if defined(__linux__)
        if (::pipe2(ends, O_CLOEXEC) != 0) return last_system_error();
#else
        if (::pipe(ends) != 0) return last_system_error();
        for (const int end : ends) ::fcntl(end, F_SETFD, FD_CLOEXEC);
#endif
        read_end_.reset(above_standard_streams(ends[0]));
        write_end.reset(above_standard_streams(ends[1]));
        // Only the read end: programs expect that their output blocks.
        if (is_open() && write_end.is_open() && ::fcntl(read_end_.get(), F_SETFL, O_NONBLOCK) == 0)
            return {};
        return last_system_error();
    }

    [[nodiscard]] bool is_open() const noexcept { return read_end_.is_open(); }

    /// Starts waiting until there is something to read, or the write end has been closed.
    template <class Handler>
    [[nodiscard]] std::error_code async_wait(const Executor& executor, Handler&& handler) {
        return read_end_.async_wait(asio::posix::descriptor_base::wait_read, executor,
                                    std::forward<Handler>(handler));
    }

    /// After a wait: reads what there is, but at most one buffer, so that a process that writes
    /// without end does not keep the event loop from other work. Closes the pipe at its end.
    void read_some(OutputBuffer& output) noexcept {
        const ssize_t bytes = read(output);
        if (bytes == 0 || (bytes < 0 && errno != EAGAIN && errno != EINTR)) close();
    }

    /// Reads what is in the pipe now, at most 1 MiB, and closes the pipe. Does not wait for other
    /// processes that may have the write end.
    void finish(OutputBuffer& output) noexcept {
        constexpr int most_reads = 64;
        for (int reads = 0; is_open() && reads != most_reads && read(output) > 0;) ++reads;
        close();
    }

    void cancel() noexcept { read_end_.cancel(); }
    void close() noexcept { read_end_.close(); }

private:
    ssize_t read(OutputBuffer& output) noexcept {
        char buffer[16384];
        const ssize_t bytes = ::read(read_end_.get(), buffer, sizeof buffer);
        if (bytes > 0) output.append(buffer, static_cast<std::size_t>(bytes));
        return bytes;
    }

    Descriptor<Executor> read_end_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
