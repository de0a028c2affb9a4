// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <csignal>
#include <optional>
#include <poll.h>
#include <sys/wait.h>
#include <system_error>
#include <utility>

#include <asio/basic_waitable_timer.hpp>
#include <asio/posix/descriptor_base.hpp>

#include <probekit/async/detail/descriptor.hpp>
#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/forks.hpp>
#include <probekit/config.hpp>
#include <probekit/process/detail/child.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Owns a child and waits for its end: by the pidfd, or, on systems without one, by asking every
/// few milliseconds. The destructor kills the child's group and reaps the child. After a fork() the
/// child is not this process's: then there is none here. Not thread-safe.
template <class Executor>
class ChildWatch {
public:
    ChildWatch() = default;
    ChildWatch(const ChildWatch&) = delete;
    ChildWatch& operator=(const ChildWatch&) = delete;
    ~ChildWatch() { kill_now(); }

    /// Takes over a child; there must be none.
    void adopt(const Child& child) noexcept {
        PROBEKIT_ASSERT(!has_child() && child.pid > 0);
        pid_ = child.pid;
        maker_ = {};
        pidfd_.reset(child.pidfd);
    }

    /// Whether there is a child of this process that has not been reaped.
    [[nodiscard]] bool has_child() const noexcept { return pid_ >= 0 && !maker_.is_other(); }
    [[nodiscard]] int pid() const noexcept { return pid_; }

    /// Whether the child has ended, reaped or not.
    [[nodiscard]] bool ended() const noexcept {
        siginfo_t info = {};
        return !has_child() || wait_for(child(), info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
               info.si_pid != 0;
    }

    [[nodiscard]] std::error_code signal(int number) noexcept {
        return has_child() ? signal_group(child(), number)
                           : std::error_code{ESRCH, std::system_category()};
    }

    /// Starts waiting for the child's end. The handler calls reap(), and waits again if that finds
    /// the child still running. An error means that there was no memory for the wait, and that the
    /// handler will not be called.
    template <class Handler>
    [[nodiscard]] std::error_code async_wait(const Executor& executor, Handler handler) {
        // If the event loop cannot register the pidfd (ENOMEM, ENOSPC from epoll), the timer
        // serves.
        if (pidfd_.is_open() && !pidfd_.async_wait(asio::posix::descriptor_base::wait_read,
                                                   executor, std::move(handler)))
            return {};
        // NOLINTNEXTLINE(bugprone-use-after-move): a wait that fails has not moved it
        return try_allocating([&] {
            if (!timer_) timer_.emplace(executor);
            timer_->expires_after(std::chrono::milliseconds{5});
            timer_->async_wait(std::move(handler));
        });
    }

    /// Ends the wait, whose handler gets operation_aborted.
    void cancel() noexcept {
        pidfd_.cancel();
        if (timer_) timer_->cancel();
    }

    /// Reaps the child if it has ended; there is none then.
    [[nodiscard]] Reaped reap() noexcept {
        PROBEKIT_ASSERT(pid_ >= 0);
        const Reaped result = has_child() ? detail::reap(child()) : Reaped{ChildState::lost};
        if (result.state != ChildState::running) release();
        return result;
    }

    /// Destroys everything that needs the execution context; the child stays.
    void leave_context() noexcept {
        pidfd_.close();
        timer_.reset();
    }

    /// Gives the child up: it will be neither killed nor reaped.
    void release() noexcept {
        leave_context();
        pid_ = -1;
    }

    /// Kills the child's group and reaps the child. A killed process needs a moment to end, and
    /// longer if it hangs in the kernel: after a tenth of a second this leaves it to the system.
    void kill_now() noexcept {
        if (!has_child()) return;
        static_cast<void>(signal(SIGKILL));
        for (int i = 0; i != 100 && reap().state == ChildState::running; ++i) {
            pollfd entry = {
                .fd = pidfd_.get(), .events = POLLIN, .revents = 0}; // without a pidfd: a pause
            ::poll(&entry, 1, 1);
        }
        release();
    }

private:
    using Timer =
        asio::basic_waitable_timer<std::chrono::steady_clock,
                                   asio::wait_traits<std::chrono::steady_clock>, Executor>;

    [[nodiscard]] Child child() const noexcept { return {pid_, pidfd_.get()}; }

    int pid_ = -1;
    MakerProcess maker_;
    Descriptor<Executor> pidfd_;
    std::optional<Timer> timer_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
