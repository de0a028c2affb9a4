// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <csignal>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <probekit/async/detail/block_pool.hpp>
#include <probekit/async/detail/descriptor.hpp>
#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/op_memory.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/message.hpp>
#include <probekit/core/detail/message_context.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/attempt.hpp>
#include <probekit/process/detail/child.hpp>
#include <probekit/process/detail/child_watch.hpp>
#include <probekit/process/detail/output_buffer.hpp>
#include <probekit/process/detail/output_pipe.hpp>
#include <probekit/process/detail/spawn.hpp>
#include <probekit/process/detail/spawn_plan.hpp>
#include <probekit/process/process_spec.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The settings of an ExecProbe, shared with its attempts and results.
template <class = OnUse>
class BasicExecTarget final : public MessageContext {
public:
    BasicExecTarget(ExecAction what, const ExecOptions& how)
        : action(std::move(what)), options(how), plan(spec_of(action, options)) {}

    [[nodiscard]] std::string message(const ProbeResult& result,
                                      std::optional<Duration> shown_timeout) const override {
        return exec_message(action.command, result, shown_timeout);
    }

    ExecAction action;
    ExecOptions options;
    SpawnPlan plan;

private:
    static ProcessSpec spec_of(const ExecAction& action, const ExecOptions& options) {
        ProcessSpec spec;
        spec.command = action.command;
        spec.environment = action.environment;
        spec.inherit_environment = action.inherit_environment;
        spec.working_directory = action.working_directory;
        spec.user = options.user;
        spec.group = options.group;
        spec.no_new_privs = options.no_new_privs;
        spec.limits = options.limits;
        spec.pid_namespace_fd = options.pid_namespace_fd;
        spec.cgroup = options.cgroup;
        return spec;
    }
};

using ExecTarget = BasicExecTarget<>;

/// Runs the command and waits for its end. Up to three waits are pending at once, and complete on
/// any of the context's threads: for the end and, once the command has run for a while, for output
/// on either pipe. The attempt is over when the command has been reaped and the last wait has
/// completed.
template <class Handler, class Executor, class IoExecutor>
class ExecAttempt final
    : public Attempt<ExecAttempt<Handler, Executor, IoExecutor>, Handler, Executor> {
    using Self = Ref<ExecAttempt>;
    using Base = Attempt<ExecAttempt, Handler, Executor>;

public:
    ExecAttempt(Handler&& handler, const Executor& executor, const IoExecutor& io,
                const Ref<Wheel>& wheel, Duration timeout, std::shared_ptr<const ExecTarget> target)
        : Base(std::move(handler), executor, wheel, timeout),
          io_(io),
          target_(std::move(target)),
          timer_(*this),
          out_(wheel->context().pool(), target_->options.output_limit),
          err_(wheel->context().pool(), target_->options.output_limit) {}

    // If the context is destroyed while the command runs, child_ kills and reaps it.
    ~ExecAttempt() {
        if (end_.state == ChildState::running) this->wheel_->disarm(timer_);
    }

    static void start(Self self) {
        ExecAttempt& attempt = *self;
        attempt.run(std::move(self));
    }

    /// Makes the command end. If it has ended by itself meanwhile, its result counts.
    void stop_waiting() noexcept {
        if (stopping_ || child_.ended()) return;
        stopping_ = true;
        const Duration grace = target_->options.kill_grace;
        static_cast<void>(child_.signal(grace == Duration::zero() ? SIGKILL : SIGTERM));
        if (grace == Duration::zero()) return;
        watch_output();
        kill_at_ = saturating_add(this->wheel_->now(), grace);
        this->wheel_->arm(timer_, kill_at_);
    }

private:
    friend Base;

    /// stdout or stderr.
    struct Stream {
        Stream(BlockPool& pool, std::size_t limit) noexcept : output(pool, limit) {}

        OutputPipe<IoExecutor> pipe;
        OutputBuffer output;
        OpMemory memory;
        bool pending = false; // a wait for output
    };

    /// Fires when the output is to be watched, and again when the grace period is over.
    class ExecTimer final : public WheelNode {
    public:
        explicit ExecTimer(ExecAttempt& owner) noexcept : WheelNode(hooks), owner_(&owner) {}

    private:
        static ExecAttempt& owner(WheelNode& node) noexcept {
            return *static_cast<ExecTimer&>(node).owner_;
        }
        static inline const WheelHooks hooks{
            .retain = [](WheelNode& node) noexcept { owner(node).retain(); },
            .fire = [](WheelNode& node) { Self::adopt(&owner(node))->on_timer(); },
        };

        ExecAttempt* owner_;
    };

    template <auto Which>
    struct OutputStep {
        using allocator_type = OpAllocator<void>;

        Self attempt;

        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return allocator_type{((*attempt).*Which).memory};
        }
        void operator()(std::error_code error) {
            ExecAttempt& self = *attempt;
            self.template readable<Which>(std::move(attempt), error);
        }
    };

    void run(Self self) {
        Child child;
        const std::error_code error = spawn_command(child);
        this->add_time(Phase::spawn);
        if (error) return this->finish_error(std::move(self), Phase::spawn, error);

        std::unique_lock lock{this->mutex_};
        child_.adopt(child);
        this->started_ = this->phase_start_; // the timeout counts from the execution on
        // Most commands end sooner, and their output is never waited for. Armed before the
        // deadline, which is usually later and then does not move the event loop's timer again.
        constexpr Duration usual = std::chrono::milliseconds{10};
        this->wheel_->arm(timer_, this->phase_start_ + usual);
        this->arm_deadline();
        if (!wait_for_exit()) {
            lock.unlock();
            return give_up(std::move(self));
        }
        this->initiating_ = false;
        if (this->stop_reason_ != StopReason::none)
            stop_waiting(); // the reason came when there was no child to stop
    }

    [[nodiscard]] std::error_code spawn_command(Child& child) noexcept {
        Descriptor<IoExecutor> out;
        Descriptor<IoExecutor> err;
        if (const std::error_code error = out_.pipe.open(out)) return error;
        if (const std::error_code error = err_.pipe.open(err)) return error;
        return spawn(target_->plan, {-1, out.get(), err.get()}, child);
    }

    /// False if there was no memory for it.
    [[nodiscard]] bool wait_for_exit() {
        return !child_.async_wait(io_,
                                  typename Base::template Step<&ExecAttempt::exited>{Self{this}});
    }

    /// Does not leave a command running whose end cannot be waited for.
    void give_up(Self self) {
        {
            const std::lock_guard lock{this->mutex_};
            child_.kill_now();
            no_memory_ = true;
            if (!command_ended({ChildState::lost})) return;
        }
        conclude(std::move(self));
    }

    void exited(Self self, std::error_code) {
        std::unique_lock lock{this->mutex_};
        // A stopped attempt leaves nothing behind: the rest of the group is killed with its leader.
        if (stopping_ && child_.ended()) static_cast<void>(child_.signal(SIGKILL));
        const Reaped end = child_.reap();
        if (end.state == ChildState::running) {
            if (wait_for_exit()) return;
            lock.unlock();
            return give_up(std::move(self));
        }
        const bool is_over = command_ended(end);
        lock.unlock();
        if (is_over) conclude(std::move(self));
    }

    /// True if nothing is pending any more.
    [[nodiscard]] bool command_ended(const Reaped& end) noexcept {
        end_ = end;
        this->wheel_->disarm(timer_);
        out_.pipe.finish(out_.output);
        err_.pipe.finish(err_.output);
        return !out_.pending && !err_.pending;
    }

    template <auto Which>
    void readable(Self self, std::error_code error) {
        {
            const std::lock_guard lock{this->mutex_};
            Stream& stream = this->*Which;
            stream.pending = false;
            if (end_.state == ChildState::running) {
                if (error) return;
                stream.pipe.read_some(stream.output);
                return watch<Which>();
            }
            if (out_.pending || err_.pending) return;
        }
        conclude(std::move(self));
    }

    template <auto Which>
    void watch() noexcept {
        Stream& stream = this->*Which;
        if (stream.pipe.is_open() && !stream.pending)
            stream.pending = !stream.pipe.async_wait(io_, OutputStep<Which>{Self{this}});
    }

    void watch_output() noexcept {
        watch<&ExecAttempt::out_>();
        watch<&ExecAttempt::err_>();
    }

    void on_timer() noexcept {
        const std::lock_guard lock{this->mutex_};
        if (end_.state != ChildState::running) return;
        if (!stopping_)
            watch_output();
        else if (this->wheel_->now() >= kill_at_)
            static_cast<void>(child_.signal(SIGKILL));
    }

    // Called once nothing is pending any more and the child has been reaped.
    void conclude(Self self) {
        ProbeResult& result = this->result_;
        result.output_bytes = out_.output.total() + err_.output.total();
        if (stopping_)
            // The output is lost, as in the kubelet.
            return this->finish_stopped(std::move(self), Phase::run, {});
        if (no_memory_)
            return this->finish_error(std::move(self), Phase::run,
                                      std::make_error_code(std::errc::not_enough_memory));
        if (end_.state == ChildState::lost)
            return this->finish_error(std::move(self), Phase::run, Errc::status_lost);
        const ExitStatus status = end_.status;
        result.status = status.as_shell();
        if (!status.ok() || target_->options.keep_output) keep_output();
        this->add_time(Phase::run);
        if (status.ok()) return this->finish_passed(std::move(self), Phase::finish);
        this->finish_with_cause(std::move(self), Phase::finish,
                                status.signal != 0 ? Errc::killed_by_signal : Errc::exit_status);
    }

    void keep_output() noexcept {
        const std::string_view out = out_.output.kept();
        const std::string_view err =
            err_.output.kept().substr(0, target_->options.output_limit - out.size());
        // If there is no memory for the output, the status still counts.
        static_cast<void>(try_allocating([&] {
            this->result_.output.reserve(out.size() + err.size());
            this->result_.output.append(out).append(err);
        }));
    }

    void describe(Phase) {
        this->result_.target = target_;
        if (this->result_.cause == Errc::timed_out)
            this->result_.detail = go_duration(this->timeout_);
    }

    IoExecutor io_;
    std::shared_ptr<const ExecTarget> target_;
    ChildWatch<IoExecutor> child_;
    Reaped end_;
    bool stopping_ = false;  // the command is being made to end
    bool no_memory_ = false; // there was none to wait for the command
    TimePoint kill_at_ = TimePoint::max();
    ExecTimer timer_;
    Stream out_;
    Stream err_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
