// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/container_fsm.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/probes/any_probe.hpp>
#include <probekit/probes/detail/builtin_probe.hpp>
#include <probekit/process/process.hpp>
#include <probekit/process/process_spec.hpp>
#include <probekit/runtime/detail/clock_ref.hpp>
#include <probekit/runtime/detail/notifier.hpp>
#include <probekit/runtime/detail/small_function.hpp>
#include <probekit/runtime/probe_group.hpp>
#include <probekit/runtime/supervision.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// What a SupervisedProcess is a handle on: carries out what ContainerFsm decides, with one
/// Process, one ProbeGroup and one node of the wheel. The wait for the process's end keeps it.
template <class Obs, class Clk>
class SupervisedCore final : public RefCounted<SupervisedCore<Obs, Clk>>,
                             private ShutdownListener,
                             private WheelNode {
    using Event = SupervisionChange::Event;
    using Action = ContainerDecision::Action;
    using Item = PendingChange<SupervisionChange>;

public:
    [[nodiscard]] static Ref<SupervisedCore> make(ClockRef<Clk> clock,
                                                  asio::any_io_executor executor,
                                                  ProcessSpec&& process,
                                                  const SupervisionOptions& options,
                                                  Obs&& observer) {
        throw_if_wrong(validate(process), validate(options));
        return Ref{new SupervisedCore{clock, std::move(executor), std::move(process), options,
                                      std::move(observer)}};
    }

    [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return executor_; }

    void probe(ProbeKind kind, AnyProbe&& probe, const ProbeSpec& spec) {
        switch (kind) {
        case ProbeKind::startup: group_->startup(std::move(probe), spec); break;
        case ProbeKind::liveness: group_->liveness(std::move(probe), spec); break;
        case ProbeKind::readiness: group_->readiness(std::move(probe), spec); break;
        }
        grace_periods_[static_cast<std::size_t>(kind)] = spec.termination_grace_period;
    }

    void on_change(SmallFunction<SupervisionChange>&& callback) noexcept {
        notifier_.set_callback(std::move(callback));
    }

    void start() {
        if (supervising_) return;
        fsm_ = ContainerFsm{settings_};
        apply(fsm_.step(event::Due{}, clock_.now()));
        notifier_.deliver_later(*this);
    }

    void restart() {
        apply(fsm_.step(event::RestartAsked{}, clock_.now()));
        notifier_.deliver_later(*this);
    }

    template <class Handler>
    void stop_and_wait(Handler&& handler) {
        stop_waits_.add(*context_, std::forward<Handler>(handler), executor_);
        if (notifier_.abandoned())
            return stop_waits_.complete_all(asio::error::operation_aborted, {});
        group_->target_terminating();
        const ContainerDecision decision = fsm_.step(event::StopAsked{}, clock_.now());
        if (decision.action == Action::none && !over_pending_ && !fsm_.alive())
            complete_stop(); // over already
        apply(decision);
        notifier_.deliver_later(*this);
    }

    /// The handle has gone. Silence; the execution context reaps what is killed.
    void abandon() noexcept {
        notifier_.abandon();
        process_.reset();
        group_.reset();
        end_supervision();
        stop_waits_.complete_all(asio::error::operation_aborted, {});
    }

    std::error_code signal(int number) noexcept { return process_->signal(number); }
    [[nodiscard]] std::string_view output() const noexcept { return process_->output(); }
    [[nodiscard]] bool started() const noexcept { return fsm_.alive() && group_->started(); }
    [[nodiscard]] bool ready() const noexcept { return group_->ready(); }

    [[nodiscard]] std::optional<ProbeResult> last_result(ProbeKind kind) const {
        return group_->last_result(kind);
    }

    [[nodiscard]] SupervisionSnapshot snapshot() const noexcept {
        return {.state = fsm_.state(),
                .pid = process_->pid(),
                .starts = starts_,
                .started = started(),
                .ready = ready(),
                .last_exit = last_exit_,
                .last_error = last_error_,
                .next_start =
                    fsm_.state() == ContainerState::waiting ? fsm_.start_at() : TimePoint::max(),
                .back_off = fsm_.back_off().current(),
                .startup = group_->snapshot(ProbeKind::startup),
                .liveness = group_->snapshot(ProbeKind::liveness),
                .readiness = group_->snapshot(ProbeKind::readiness)};
    }

    // ---- Notifier ----

    [[nodiscard]] const std::deque<Item>* pending() const noexcept { return &pending_; }
    [[nodiscard]] std::deque<Item>* pending() noexcept { return &pending_; }
    [[nodiscard]] std::deque<Item>& pending_queue() noexcept { return pending_; }
    void post_delivery() {
        asio::post(executor_,
                   [core = Ref<SupervisedCore>{this}] { core->notifier_.deliver_posted(*core); });
    }
    void deliver(const Item& item) { notifier_.call_back(item.change); }

    void destroy() noexcept {
        context_->remove(*this);
        delete this;
    }

private:
    SupervisedCore(ClockRef<Clk> clock, asio::any_io_executor&& executor, ProcessSpec&& process,
                   const SupervisionOptions& options, Obs&& observer)
        : WheelNode(hooks),
          clock_(clock),
          executor_(std::move(executor)),
          context_(ContextState::of(executor_)),
          wheel_(clock.wheel(executor_)),
          spec_(std::move(process)),
          signal_(options.termination.signal),
          settings_{.restart_policy = options.restart_policy,
                    .back_off = options.back_off,
                    .termination_grace_period = options.termination.grace},
          fsm_(settings_) {
        // Listed before the process: the process hears of the context's end first, and can then be
        // killed without it.
        context_->add(*this);
        const auto unlisted = [this] { context_->remove(*this); };
        bool made = false;
        const ScopeExit undo{[&] {
            if (!made) unlisted();
        }};
        process_.emplace(executor_);
        if constexpr (std::same_as<Clk, std::chrono::steady_clock>)
            group_.emplace(executor_, std::move(observer));
        else
            group_.emplace(*clock_.clock, executor_, std::move(observer));
        group_->on_change([this](const GroupChange& change) {
            const Ref<SupervisedCore> keep{this};
            group_changed(change);
        });
        made = true;
    }
    ~SupervisedCore() = default;

    // ---- what the machine decides ----

    void apply(const ContainerDecision& decision) {
        switch (decision.action) {
        case Action::none: break;
        case Action::start: run(); break;
        case Action::wait: wheel_->arm(*this, decision.at); break;
        case Action::signal: terminate(decision.grace); break;
        case Action::over: // then finish(), from the event loop
            over_pending_ = true;
            post_due(); // not by the wheel, which may fire before the group has said what it posted
            break;
        }
    }

    // The process has ended. What comes next comes from the event loop's next turn: after the
    // group has said what the end means, and, where a program can never be started, not for ever.
    void apply_to_end(const ContainerDecision& decision, ExitStatus status, TimePoint now) {
        last_exit_ = status;
        push({.event = Event::exited, .status = status, .error = last_error_, .at = now});
        if (decision.action == Action::over) return apply(decision);
        const TimePoint at = decision.action == Action::wait ? decision.at : now;
        push({.event = Event::restarting, .at = at});
        wheel_->arm(*this, at);
    }

    void run() {
        wheel_->disarm(*this);
        if (std::exchange(over_pending_, false)) complete_stop(); // a restart overtakes its end
        if (!std::exchange(supervising_, true)) context_->add_work();
        ++starts_;
        last_error_ = start_process();
        const TimePoint now = clock_.now();
        if (!last_error_) return running(now);
        apply_to_end(fsm_.step(event::StartFailed{}, now), exit_of_failed_start, now);
    }

    // A process whose end nobody would hear of does not run: the next start finds it gone.
    [[nodiscard]] std::error_code start_process() {
        std::error_code error;
        const std::error_code no_memory = try_allocating([&] {
            error = process_->start(spec_);
            if (error) return;
            process_->async_wait(
                [core = Ref<SupervisedCore>{this}](std::error_code why, ExitStatus status) {
                    if (why != asio::error::operation_aborted) core->ended(why, status);
                });
        });
        if (!no_memory) return error;
        process_->signal(SIGKILL);
        return no_memory;
    }

    void running(TimePoint now) {
        fsm_.step(event::Started{}, now);
        if (!std::exchange(group_started_, true)) return group_->start();
        group_->target_replaced();
        group_->probe_unready();
    }

    void terminate(Duration grace) {
        const std::error_code no_memory = try_allocating([&] {
            process_->async_terminate(
                {.signal = signal_, .grace = grace},
                [core = Ref<SupervisedCore>{this}](std::error_code, ExitStatus) {
                    // start_process() waits for the end
                });
        });
        if (!no_memory) return;
        untold_grace_ = grace;
        wheel_->arm(*this, saturating_add(wheel_->now(), soon));
    }

    void finish() {
        over_pending_ = false;
        push({.event = Event::over,
              .status = last_exit_.value_or(ExitStatus{}),
              .at = clock_.now()});
        const std::error_code no_memory = try_allocating([&] {
            group_->async_stop([core = Ref<SupervisedCore>{this}](std::error_code error) {
                if (!error) core->complete_stop();
            });
        });
        if (no_memory) { // to wait for attempts that are cancelled
            group_->stop();
            complete_stop();
        }
        end_supervision();
    }

    void end_supervision() noexcept {
        wheel_->disarm(*this);
        group_started_ = false;
        if (std::exchange(supervising_, false)) context_->remove_work();
    }

    void complete_stop() {
        stop_waits_.complete_all(last_error_ == Errc::status_lost ? last_error_ : std::error_code{},
                                 last_exit_.value_or(ExitStatus{}));
    }

    // ---- what happens; in the event loop ----

    void ended(std::error_code error, ExitStatus status) {
        if (notifier_.abandoned()) return;
        const TimePoint now = clock_.now();
        last_error_ = error;
        if (error) status = exit_of_lost_status;
        group_->target_gone();
        apply_to_end(fsm_.step(event::Ended{status}, now), status, now);
        notifier_.deliver(*this);
    }

    void group_changed(const GroupChange& change) {
        if (notifier_.abandoned()) return;
        switch (change.event) {
        case GroupChange::Event::started: push(Event::started, change); break;
        case GroupChange::Event::ready: push(Event::ready, change); break;
        case GroupChange::Event::unready: push(Event::unready, change); break;
        case GroupChange::Event::prober_error: push(Event::prober_error, change); break;
        case GroupChange::Event::kill: {
            const ProbeKind kind = change.verdict.kind;
            const ContainerDecision decision =
                fsm_.step(event::ProbeFailed{kind, grace_periods_[static_cast<std::size_t>(kind)]},
                          clock_.now());
            if (decision.action == Action::none) break; // it is being ended already
            apply(decision);                            // before what takes memory
            push(Event::killed, change);
            break;
        }
        }
        notifier_.deliver(*this);
    }

    void push(SupervisionChange change) noexcept {
        notifier_.push(*this, Item{std::move(change), notifier_.generation()});
    }
    void push(Event event, const GroupChange& change) {
        push({.event = event, .verdict = change.verdict, .at = change.verdict.at});
    }

    void due() {
        if (notifier_.abandoned()) return;
        if (over_pending_)
            finish();
        else if (fsm_.state() == ContainerState::ending)
            terminate(untold_grace_); // there was no memory for it
        else
            apply(fsm_.step(event::Due{}, clock_.now()));
        notifier_.deliver(*this);
    }

    // ---- the wheel and the context ----

    void fired() {
        if (runs_here(executor_))
            due();
        else
            post_due();
    }

    void post_due() noexcept {
        const std::error_code no_memory = try_allocating([this] {
            context_->while_alive([this] {
                asio::post(executor_, [core = Ref<SupervisedCore>{this}] { core->due(); });
            });
        });
        if (no_memory) wheel_->arm(*this, saturating_add(wheel_->now(), soon));
    }

    // A strand must not outlive its context.
    void on_context_shutdown() noexcept override {
        process_.reset();
        executor_ = {};
    }

    /// What there was no memory for is tried again after this time.
    static constexpr Duration soon = std::chrono::milliseconds{10};

    static inline const WheelHooks hooks{
        .retain = [](WheelNode& node) noexcept { static_cast<SupervisedCore&>(node).retain(); },
        .fire =
            [](WheelNode& node) {
                Ref<SupervisedCore>::adopt(&static_cast<SupervisedCore&>(node))->fired();
            },
    };

    [[no_unique_address]] ClockRef<Clk> clock_;
    asio::any_io_executor executor_;
    Ref<ContextState> context_;
    Ref<Wheel> wheel_;
    ProcessSpec spec_;
    int signal_;
    ContainerSettings settings_;
    ContainerFsm fsm_;
    std::optional<Process> process_;            // gone with the handle or with the context
    std::optional<ProbeGroup<Obs, Clk>> group_; // gone with the handle
    std::array<std::optional<Duration>, 3> grace_periods_ = {}; // of the probes, by kind
    Notifier<SupervisionChange, NoObserver> notifier_{NoObserver{}};
    std::deque<Item> pending_;
    LazyWaiters<ExitStatus> stop_waits_;
    std::optional<ExitStatus> last_exit_ = {};
    std::error_code last_error_ = {};
    Duration untold_grace_ = {}; // of a termination that is to be tried again
    std::uint64_t starts_ = 0;
    bool supervising_ = false;
    bool group_started_ = false;
    bool over_pending_ = false; // decided, and to be carried out in the event loop's next turn
};

} // namespace probekit::inline PROBEKIT_ABI::detail
