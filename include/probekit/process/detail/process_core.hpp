// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <csignal>
#include <mutex>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <asio/any_io_executor.hpp>
#include <asio/associated_allocator.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/error.hpp>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/op_memory.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/waiters.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/process/detail/child_watch.hpp>
#include <probekit/process/detail/output_buffer.hpp>
#include <probekit/process/detail/output_pipe.hpp>
#include <probekit/process/detail/spawn.hpp>
#include <probekit/process/detail/spawn_plan.hpp>
#include <probekit/process/process_spec.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// What a Process is a handle on. It outlives the handle until a killed process has been reaped.
/// Its steps run on the context's threads, under no strand; the mutex protects them from each
/// other, from the wheel and from the user's calls.
///
/// An operation of the event loop is pending only while a wait is, since a running process alone
/// must not keep run() from returning.
template <class = OnUse>
class BasicProcessCore final : public RefCounted<BasicProcessCore<>>,
                               private ShutdownListener,
                               private WheelNode {
public:
    template <class Executor>
    explicit BasicProcessCore(const Executor& executor)
        : WheelNode(hooks),
          context_(ContextState::of(executor)),
          wheel_(Wheel::of(executor)),
          io_(context_->executor()),
          waiters_(new WaiterQueue<ExitStatus>(context_)),
          output_(context_->pool()) {
        context_->add(*this);
    }

    [[nodiscard]] std::error_code start(const ProcessSpec& spec) {
        if (!validate(spec).empty()) return std::make_error_code(std::errc::invalid_argument);
        const SpawnPlan plan{spec};
        const std::lock_guard lock{mutex_};
        reap_if_ended();
        if (child_.has_child()) return std::make_error_code(std::errc::device_or_resource_busy);
        error_ = std::make_error_code(std::errc::no_child_process);
        status_ = {};
        output_.clear(spec.output_limit);

        Descriptor<asio::any_io_executor> write_end;
        if (spec.output == ProcessOutput::capture)
            if (const std::error_code error = pipe_.open(write_end)) return error;
        const auto stream = [&](int given, int own) {
            if (given >= 0) return given;
            // Without capture there is no pipe, so the write end is -1, which means /dev/null. What
            // is closed on execution is no stream of this program: it had closed its own, and
            // something else got the number.
            if (spec.output != ProcessOutput::inherit) return write_end.get();
            return ::fcntl(own, F_GETFD) == 0 ? own : -1;
        };
        Child child;
        const std::error_code error = spawn(plan,
                                            {spec.stdin_fd, stream(spec.stdout_fd, STDOUT_FILENO),
                                             stream(spec.stderr_fd, STDERR_FILENO)},
                                            child);
        if (error) {
            pipe_.close();
        } else {
            child_.adopt(child);
            last_pid_ = child.pid;
        }
        return error;
    }

    /// -1 if there is none, or it has ended.
    [[nodiscard]] int pid() noexcept {
        const std::lock_guard lock{mutex_};
        return child_.ended() ? -1 : child_.pid();
    }

    /// -1 if none was ever started.
    [[nodiscard]] int last_pid() noexcept {
        const std::lock_guard lock{mutex_};
        return last_pid_;
    }

    [[nodiscard]] std::error_code signal(int number) noexcept {
        const std::lock_guard lock{mutex_};
        return child_.signal(number);
    }

    [[nodiscard]] std::string_view output() noexcept {
        const std::lock_guard lock{mutex_};
        return output_.kept();
    }

    /// Takes a handler that waits for the end, which a `termination` brings about.
    template <class Handler, class Executor>
    void wait(Handler&& handler, const Executor& fallback, const Termination* termination) {
        waiters_->add(Waiting<std::decay_t<Handler>, Executor>{Ref{this},
                                                               std::forward<Handler>(handler),
                                                               fallback, termination != nullptr},
                      fallback);
        const std::lock_guard lock{mutex_};
        if (termination != nullptr) ++terminations_;
        if (abandoned_) return waiters_->complete_all(asio::error::operation_aborted, {});
        reap_if_ended();
        if (!child_.has_child()) return waiters_->complete_all(error_, status_);
        if (termination != nullptr) terminate(*termination);
        watch();
    }

    /// Gives the process up.
    void detach() noexcept {
        const std::lock_guard lock{mutex_};
        child_.release();
        pipe_.close();
        forget_termination(); // else it would end the next process
        error_ = std::make_error_code(std::errc::no_child_process);
        waiters_->complete_all(asio::error::operation_aborted, {});
    }

    /// The handle is being destroyed: kills what runs, and stays in the event loop until the
    /// process has been reaped.
    void abandon() noexcept {
        const std::lock_guard lock{mutex_};
        abandoned_ = true;
        pipe_.close();
        waiters_->complete_all(asio::error::operation_aborted, {});
        if (!io_) return child_.kill_now();
        reap_if_ended();
        if (!child_.has_child()) return;
        static_cast<void>(child_.signal(SIGKILL));
        watch();
    }

    void destroy() noexcept {
        context_->remove(*this);
        if (wheel_) wheel_->disarm(*this);
        delete this;
    }

private:
    template <auto Next, auto Memory>
    struct Step {
        using allocator_type = OpAllocator<void>;

        Ref<BasicProcessCore> core;

        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return allocator_type{(*core).*Memory};
        }
        void operator()(std::error_code error) { ((*core).*Next)(error); }
    };

    // The handler of a wait. It notifies the core of its end, since a cancelled wait may have been
    // the last one.
    template <class Handler, class Executor>
    struct Waiting {
        using executor_type = asio::associated_executor_t<Handler, Executor>;
        using allocator_type = asio::associated_allocator_t<Handler>;
        using cancellation_slot_type = asio::associated_cancellation_slot_t<Handler>;

        Ref<BasicProcessCore> core;
        Handler handler;
        Executor fallback;
        bool terminating;

        [[nodiscard]] executor_type get_executor() const noexcept {
            return asio::get_associated_executor(handler, fallback);
        }
        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return asio::get_associated_allocator(handler);
        }
        [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
            return asio::get_associated_cancellation_slot(handler);
        }

        void operator()(std::error_code error, ExitStatus status) {
            std::exchange(core, {})->wait_ended(terminating);
            // A handler with an executor of its own runs on another thread, and may let the context
            // be destroyed: a strand of that must not be held any more.
            static_cast<void>(Executor{std::move(fallback)});
            std::move(handler)(error, status);
        }
    };

    // Everything below is called under the mutex, except for the steps, wait_ended(), fired() and
    // on_context_shutdown(), which lock it.

    void watch() {
        if (child_.has_child() && !exit_pending_) {
            exit_pending_ = !child_.async_wait(
                io_,
                Step<&BasicProcessCore::exit_step, &BasicProcessCore::exit_memory_>{Ref{this}});
            if (!exit_pending_) arm_no_later_than(saturating_add(wheel_->now(), retry_delay));
        }
        if (pipe_.is_open() && !output_pending_)
            output_pending_ = !pipe_.async_wait(
                io_,
                Step<&BasicProcessCore::output_step, &BasicProcessCore::output_memory_>{Ref{this}});
    }

    [[nodiscard]] bool is_awaited() const noexcept { return abandoned_ || !waiters_->empty(); }

    void exit_step(std::error_code) {
        const std::lock_guard lock{mutex_};
        exit_pending_ = false;
        reap_if_ended();
        if (is_awaited()) watch();
    }

    void output_step(std::error_code error) {
        const std::lock_guard lock{mutex_};
        output_pending_ = false;
        if (!error && pipe_.is_open()) pipe_.read_some(output_);
        if (is_awaited()) watch();
    }

    void wait_ended(bool terminating) noexcept {
        const std::lock_guard lock{mutex_};
        PROBEKIT_ASSERT(!terminating || terminations_ > 0);
        if (terminating && --terminations_ == 0) forget_termination();
        if (is_awaited()) return watch(); // what it waited for may be what others wait for
        child_.cancel();
        pipe_.cancel();
    }

    void reap_if_ended() {
        if (!child_.has_child() || !child_.ended()) return;
        // What is left of the group is killed with its leader, as in a container. This comes before
        // the reaping, while no other process can have the id.
        static_cast<void>(child_.signal(SIGKILL));
        const Reaped end = child_.reap();
        if (end.state == ChildState::running) return;
        error_ =
            end.state == ChildState::lost ? make_error_code(Errc::status_lost) : std::error_code{};
        status_ = end.status;
        pipe_.finish(output_);
        forget_termination();
        waiters_->complete_all(error_, status_);
    }

    void terminate(const Termination& how) noexcept {
        static_cast<void>(child_.signal(how.signal));
        if (how.grace <= Duration::zero()) {
            static_cast<void>(child_.signal(SIGKILL));
            return;
        }
        const TimePoint at = saturating_add(wheel_->now(), how.grace);
        if (at >= kill_at_) return;
        kill_at_ = at;
        arm_no_later_than(at);
    }

    void forget_termination() noexcept {
        if (kill_at_ == TimePoint::max()) return;
        kill_at_ = TimePoint::max();
        wheel_->disarm(*this);
    }

    void arm_no_later_than(TimePoint at) noexcept {
        if (!wheel_->armed(*this) || at < due()) wheel_->arm(*this, at);
    }

    void fired() noexcept {
        const std::lock_guard lock{mutex_};
        if (wheel_->now() >= kill_at_) {
            forget_termination();
            static_cast<void>(child_.signal(SIGKILL));
        } else if (kill_at_ != TimePoint::max()) {
            arm_no_later_than(kill_at_);
        }
        if (io_ && is_awaited()) watch(); // if there was no memory for that
    }

    void on_context_shutdown() noexcept override {
        const std::lock_guard lock{mutex_};
        io_ = {};
        child_.leave_context();
        pipe_.close();
        if (abandoned_) child_.kill_now();
    }

    /// After this time the core tries to wait again, if there was no memory for it.
    static constexpr Duration retry_delay = std::chrono::milliseconds{10};

    static void retain_owner(WheelNode& node) noexcept {
        static_cast<BasicProcessCore&>(node).retain();
    }
    static void fire(WheelNode& node) {
        Ref<BasicProcessCore>::adopt(&static_cast<BasicProcessCore&>(node))->fired();
    }
    static constexpr WheelHooks hooks{.retain = &retain_owner, .fire = &fire};

    Ref<ContextState> context_;
    Ref<Wheel> wheel_;
    asio::any_io_executor io_; // empty after the context's shutdown
    Ref<WaiterQueue<ExitStatus>> waiters_;
    Mutex mutex_;
    ChildWatch<asio::any_io_executor> child_;
    OutputPipe<asio::any_io_executor> pipe_;
    OutputBuffer output_;
    // What waits complete with when there is no child.
    std::error_code error_ = std::make_error_code(std::errc::no_child_process);
    ExitStatus status_;
    int last_pid_ = -1;
    TimePoint kill_at_ = TimePoint::max();
    int terminations_ = 0; // pending waits of async_terminate()
    bool abandoned_ = false;
    bool exit_pending_ = false;
    bool output_pending_ = false;
    OpMemory exit_memory_;
    OpMemory output_memory_;
};

using ProcessCore = BasicProcessCore<>;

} // namespace probekit::inline PROBEKIT_ABI::detail
