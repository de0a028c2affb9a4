// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string_view>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>

#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/process/detail/process_core.hpp>
#include <probekit/process/process_spec.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// A child process in a process group of its own: started without fork(), awaited through the event
/// loop, ended with a grace period, and always reaped.
/// \code
/// Process server{io};
/// if (std::error_code error = server.start({.command = {"/usr/bin/sleep", "60"}}))
///     std::cout << "not started: " << error.message() << '\n';
/// server.async_terminate({.grace = 5s}, [](std::error_code, ExitStatus status) {
///     std::cout << "ended with " << status.as_shell() << '\n';
/// });
/// \endcode
///
/// A Process installs no handler of SIGCHLD and reaps no other child of the program. When the
/// process ends, what is left of its group is killed, as in a container.
///
/// A Process that is destroyed while its process runs kills the group and does not wait: the
/// execution context reaps the process. If the context was destroyed before, the destructor reaps,
/// and waits at most a tenth of a second. A moved-from Process may only be assigned to or
/// destroyed.
///
/// Threads: one object is used by one thread or strand at a time.
template <class Executor = asio::any_io_executor>
class BasicProcess {
public:
    using executor_type = Executor;

    template <class Other>
    struct rebind_executor {
        using other = BasicProcess<Other>;
    };

    /// `where`: an executor or an execution context.
    template <detail::ExecutorSource<Executor> Where>
    explicit BasicProcess(Where&& where)
        : executor_(detail::executor_from<Executor>(std::forward<Where>(where))),
          core_(new detail::ProcessCore(executor_)) {}

    BasicProcess(BasicProcess&&) noexcept = default;
    BasicProcess& operator=(BasicProcess&& other) noexcept {
        if (this == &other) return *this;
        abandon();
        executor_ = std::move(other.executor_);
        core_ = std::move(other.core_);
        return *this;
    }
    ~BasicProcess() { abandon(); }

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

    /// Starts a process; may be called again after its end. Blocks until the program has been
    /// executed, or until that has failed and nothing is left of the process.
    ///
    /// The error is that of the step that failed: ENOENT, EACCES, ENOEXEC ... from the execution;
    /// EAGAIN, EMFILE, ENOMEM ... from the steps before it. Also std::errc::device_or_resource_busy
    /// while a process runs, invalid_argument if validate(spec) finds a mistake, and
    /// function_not_supported for what the system cannot do. Throws std::bad_alloc.
    [[nodiscard]] std::error_code start(const ProcessSpec& spec) { return core_->start(spec); }

    [[nodiscard]] bool running() const noexcept { return pid() != -1; }

    /// The process id; -1 if no process runs.
    [[nodiscard]] int pid() const noexcept { return core_->pid(); }

    /// The id of the process that was started last, also after its end, when another process may
    /// have it: for logs, not for signals. -1 if none was ever started.
    [[nodiscard]] int last_pid() const noexcept { return core_->last_pid(); }

    /// Sends a signal to the process group. std::errc::no_such_process after the process has ended.
    std::error_code signal(int number) noexcept { return core_->signal(number); }

    /// Waits until the process has ended and has been reaped. Any number of waits may be pending;
    /// for a process that has ended, each wait gets the same status.
    ///
    /// Completes with: void(std::error_code, ExitStatus), never from inside this call. The error is
    /// Errc::status_lost if another part of the program reaped the process and the system cannot
    /// tell the status (Linux before 6.15), std::errc::no_child_process if none was ever started,
    /// `asio::error::operation_aborted` after cancellation, detach() or destruction.
    /// Cancellation: terminal, partial and total alike; the process goes on.
    /// Threads: the handler runs on its associated executor, by default get_executor().
    /// Throws: std::bad_alloc.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_wait(Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code, ExitStatus)>(Initiation{*this},
                                                                              token, nullptr);
    }

    /// Sends the signal to the group, and SIGKILL if the process has not ended within the grace
    /// period. With several terminations pending, the earliest SIGKILL counts.
    ///
    /// Completes with: as async_wait().
    /// Cancellation: terminal, partial and total alike. The process has got the signal, but this
    /// termination does not kill it any more.
    /// Threads: as async_wait().
    /// Throws: std::bad_alloc.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_terminate(Termination how, Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code, ExitStatus)>(Initiation{*this},
                                                                              token, how);
    }

    /// The beginning of what the process wrote to stdout and stderr, in the order it arrived, if
    /// ProcessSpec::output is `capture`. It is read while a wait is pending, and complete when the
    /// process has been reaped. Valid until the next start.
    [[nodiscard]] std::string_view output() const noexcept { return core_->output(); }

    /// Gives the process up: it will be neither killed nor reaped. Pending waits complete with
    /// `asio::error::operation_aborted`.
    void detach() noexcept { core_->detach(); }

private:
    class Initiation {
    public:
        using executor_type = Executor;

        explicit Initiation(const BasicProcess& process)
            : executor_(process.executor_), core_(process.core_) {}

        [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

        template <class Handler>
        void operator()(Handler&& handler, std::nullptr_t) const {
            core_->wait(std::forward<Handler>(handler), executor_, nullptr);
        }
        template <class Handler>
        void operator()(Handler&& handler, const Termination& how) const {
            core_->wait(std::forward<Handler>(handler), executor_, &how);
        }

    private:
        Executor executor_;
        detail::Ref<detail::ProcessCore> core_;
    };

    void abandon() noexcept {
        if (core_) core_->abandon();
    }

    Executor executor_;
    detail::Ref<detail::ProcessCore> core_;
};

using Process = BasicProcess<>;

} // namespace probekit::inline PROBEKIT_ABI
