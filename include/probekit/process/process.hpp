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

/// A child process in a process group of its own.
/// \code
/// Process server{io};
/// if (std::error_code error = server.start({.command = {"/usr/bin/sleep", "60"}}))
///     std::cout << "not started: " << error.message() << '\n';
/// server.async_terminate({.grace = 5s}, [](std::error_code, ExitStatus status) {
///     std::cout << "ended with " << status.as_shell() << '\n';
/// });
/// \endcode
///
/// It is started without fork, awaited through the event loop, ended with a grace period, and always
/// reaped. It never touches SIGCHLD, nor any other child of the program.
///
/// When the process ends, whatever is left of its group is killed, as in a container. Destroyed
/// while the process runs, it kills the group and does not wait: the execution context does the
/// reaping (or, if that has gone before, the destructor, which gives the killed process a tenth of
/// a second). A moved-from object may only be assigned to or destroyed. One object from one thread
/// or strand at a time.
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

    /// Starts the process. When this returns the command has been executed, or no process is left.
    /// The error is that of the step that failed: ENOENT, EACCES, ENOEXEC ... of the execution;
    /// EAGAIN, EMFILE, ENOMEM ... of the steps before. Also std::errc::device_or_resource_busy while
    /// a process runs, invalid_argument if validate(spec) finds anything, function_not_supported for
    /// what the system cannot do. A process may be started again after its end.
    [[nodiscard]] std::error_code start(const ProcessSpec& spec) { return core_->start(spec); }

    [[nodiscard]] bool running() const noexcept { return pid() != -1; }

    /// -1: none, or it has ended.
    [[nodiscard]] int pid() const noexcept { return core_->pid(); }

    /// The id of the process that was started last, also after its end, when the system may have
    /// given the id to another: for logs, not to signal. -1: none was ever started.
    [[nodiscard]] int last_pid() const noexcept { return core_->last_pid(); }

    /// Signals the process's group. std::errc::no_such_process after its end.
    std::error_code signal(int number) noexcept { return core_->signal(number); }

    /// Waits for the end of the process. Any number of waits may be pending; a process that has
    /// ended gives the same status again.
    ///
    /// Completes with: void(std::error_code, ExitStatus), once the process has been reaped. The
    /// error is Errc::status_lost if another part of the program reaped the process and the system
    /// does not know its status (Linux before 6.15), no_child_process if none was ever started.
    /// Cancellation: terminal, partial and total alike end the waiting and leave the process alone.
    /// Threads: the handler runs on its associated executor, never inside this call.
    /// Throws: bad_alloc where the handler's memory cannot be had.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_wait(Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code, ExitStatus)>(Initiation{*this},
                                                                              token, nullptr);
    }

    /// Sends the signal to the group, and SIGKILL if the process is still there after the grace
    /// period. If there are several terminations, the one that allows the least time counts.
    ///
    /// Completes with: void(std::error_code, ExitStatus), as async_wait.
    /// Cancellation: terminal, partial and total alike end the waiting; the process has got the
    /// signal but is not killed because of this call.
    /// Threads: the handler runs on its associated executor, never inside this call.
    /// Throws: bad_alloc where the handler's memory cannot be had.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_terminate(Termination how, Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code, ExitStatus)>(Initiation{*this},
                                                                              token, how);
    }

    /// The beginning of the process's output, stdout and stderr as they came, if
    /// ProcessSpec::output is `capture`. It is read while a wait is pending, and completed at the
    /// end. Valid until the next start.
    [[nodiscard]] std::string_view output() const noexcept { return core_->output(); }

    /// Lets go of the process: it is neither killed nor reaped from now on. Waits get
    /// operation_aborted.
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
