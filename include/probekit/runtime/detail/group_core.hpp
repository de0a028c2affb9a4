// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <concepts>
#include <deque>
#include <functional>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/group_fsm.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/policy.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/core/worker_fsm.hpp>
#include <probekit/probes/any_probe.hpp>
#include <probekit/runtime/attempt_limit.hpp>
#include <probekit/runtime/detail/clock_ref.hpp>
#include <probekit/runtime/detail/notifier.hpp>
#include <probekit/runtime/detail/small_function.hpp>
#include <probekit/runtime/probe_worker.hpp>
#include <probekit/runtime/startup_gate.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// What a ProbeGroup is a handle on: up to three workers and what their verdicts mean together.
/// `Change` is GroupChange, which stands beside the group.
template <class Change, class Obs, class Clk>
class GroupCore final : public RefCounted<GroupCore<Change, Obs, Clk>>, private ShutdownListener {
    // The workers share the group's observer.
    using Shared = std::conditional_t<std::same_as<Obs, NoObserver>, NoObserver,
                                      std::reference_wrapper<Unwrapped<Obs>>>;

public:
    using Worker = ProbeWorker<AnyProbe, KubeletPolicy, Shared, Clk>;
    using Event = typename Change::Event;
    using Item = PendingChange<Change>;

    GroupCore(ClockRef<Clk> clock, asio::any_io_executor executor, Obs observer)
        : clock_(clock),
          executor_(std::move(executor)),
          notifier_(std::move(observer)),
          gate_(executor_),
          context_(ContextState::of(executor_)) {
        context_->add(*this);
    }

    [[nodiscard]] const asio::any_io_executor& executor() const noexcept { return executor_; }

    /// Instead of the worker of this kind, if there is one.
    void set(ProbeKind kind, AnyProbe probe, ProbeSpec spec) {
        spec.kind = kind;
        std::optional<Worker>& slot = worker(kind);
        Worker made = make_worker(std::move(probe), spec);
        made.on_verdict([this](const Verdict& verdict) {
            const Ref<GroupCore> keep{this};
            judged(verdict);
        });
        slot = std::move(made);
        if (kind == ProbeKind::startup) slot->opens(gate_);
        add(fsm_.step(event::ProbeSet{kind}), {});
        if (!fsm_.running()) return;
        start_worker(kind);
        notifier_.deliver_later(*this);
    }

    void limit(AttemptLimit& limit) {
        for_each([&](Worker& one) { one.limit(limit); });
    }

    void on_change(SmallFunction<Change> callback) noexcept {
        notifier_.set_callback(std::move(callback));
    }

    void start() {
        if (fsm_.running()) return;
        context_->add_work();
        begin_target(event::Started{});
        // The kubelet's order.
        for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::readiness, ProbeKind::liveness})
            if (worker(kind)) start_worker(kind);
        notifier_.deliver_later(*this);
    }

    void stop() noexcept {
        for_each([](Worker& one) { one.stop(); });
        notifier_.begin_generation();
        if (fsm_.running()) context_->remove_work();
        fsm_.step(event::Stopped{});
    }

    /// The handle is destroyed: no listener is called any more.
    void abandon() noexcept {
        notifier_.abandon();
        stop();
        for (std::optional<Worker>& one : workers_) one.reset();
        stop_waits_.complete_all(asio::error::operation_aborted);
    }

    template <class Handler>
    void stop_and_wait(Handler&& handler) {
        stop_waits_.add(*context_, std::forward<Handler>(handler), executor_);
        if (notifier_.abandoned()) return stop_waits_.complete_all(asio::error::operation_aborted);
        stop();
        ++stopping_; // until all have been called
        for_each([this](Worker& one) {
            ++stopping_;
            one.async_stop([core = Ref<GroupCore>{this}](std::error_code) { core->one_stopped(); });
        });
        one_stopped();
    }

    void pause() noexcept {
        for_each([](Worker& one) { one.pause(); });
    }
    void resume() noexcept {
        for_each([](Worker& one) { one.resume(); });
    }

    void target_replaced(TimePoint since) {
        if (!fsm_.running()) return;
        for_each([since](Worker& one) { one.target_replaced(since); });
        begin_target(event::TargetStarted{since});
        notifier_.deliver_later(*this);
    }
    void target_replaced() { target_replaced(clock_.now()); }

    void target_gone() {
        add(fsm_.step(event::TargetGone{}), about(Verdict::Origin::target_gone));
        for_each([](Worker& one) { one.target_gone(); });
        notifier_.deliver_later(*this);
    }

    void target_terminating() noexcept {
        fsm_.step(event::Terminating{});
        for_each([](Worker& one) { one.target_terminating(); });
    }

    bool probe_unready() noexcept {
        std::optional<Worker>& readiness = worker(ProbeKind::readiness);
        return readiness &&
               fsm_.checks_readiness_at_sync(readiness->spec().pacing.cadence,
                                             readiness->snapshot().state == WorkerState::probing) &&
               readiness->probe_now();
    }

    [[nodiscard]] const GroupFsm& fsm() const noexcept { return fsm_; }
    [[nodiscard]] std::optional<Worker>& worker(ProbeKind kind) noexcept {
        return workers_[static_cast<std::size_t>(kind)];
    }
    [[nodiscard]] const std::optional<Worker>& worker(ProbeKind kind) const noexcept {
        return workers_[static_cast<std::size_t>(kind)];
    }

    // ---- Notifier ----

    [[nodiscard]] const std::deque<Item>* pending() const noexcept { return &pending_; }
    [[nodiscard]] std::deque<Item>* pending() noexcept { return &pending_; }
    [[nodiscard]] std::deque<Item>& pending_queue() noexcept { return pending_; }
    void post_delivery() {
        asio::post(executor_,
                   [core = Ref<GroupCore>{this}] { core->notifier_.deliver_posted(*core); });
    }
    void deliver(const Item& item) {
        if (item.generation == notifier_.generation()) notifier_.call_back(item.change);
    }

    void destroy() noexcept {
        context_->remove(*this);
        delete this;
    }

private:
    // A strand must not outlive its context.
    void on_context_shutdown() noexcept override { executor_ = {}; }

    template <class F>
    void for_each(F use) {
        for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::readiness, ProbeKind::liveness})
            if (auto& one = worker(kind)) use(*one);
    }

    [[nodiscard]] Shared shared_observer() noexcept {
        if constexpr (std::same_as<Shared, NoObserver>)
            return {};
        else
            return std::ref(unwrapped(notifier_.observer()));
    }

    [[nodiscard]] Worker make_worker(AnyProbe&& probe, const ProbeSpec& spec) {
        if constexpr (std::same_as<Clk, std::chrono::steady_clock>)
            return Worker{std::move(probe), spec, KubeletPolicy{}, shared_observer()};
        else
            return Worker{*clock_.clock, std::move(probe), spec, KubeletPolicy{},
                          shared_observer()};
    }

    void start_worker(ProbeKind kind) {
        Worker& one = *worker(kind);
        if (kind == ProbeKind::startup)
            one.start();
        else
            one.start(gate_);
    }

    // A target runs.
    template <class TargetEvent>
    void begin_target(TargetEvent event) {
        add(fsm_.step(event), about(Verdict::Origin::target_replaced));
        if (fsm_.started())
            gate_.open();
        else
            gate_.close();
    }

    // A worker's verdict; in the event loop.
    void judged(const Verdict& verdict) {
        const GroupDecision decision =
            fsm_.step(event::Judged{verdict.kind, verdict.health, verdict.origin});
        if (decision.contains(Event::started)) gate_.open();
        if (decision.contains(Event::kill) && notifier_.may_notify(*this))
            return tell_kill(verdict);
        add(decision, verdict);
        notifier_.deliver(*this);
    }

    // It comes alone. What nobody would decide again goes past the queue, which takes memory;
    // without memory it is told without the attempt's result.
    void tell_kill(const Verdict& verdict) {
        Change change{Event::kill,
                      {.kind = verdict.kind,
                       .health = verdict.health,
                       .previous = verdict.previous,
                       .origin = verdict.origin,
                       .at = verdict.at,
                       .previous_duration = verdict.previous_duration}};
        static_cast<void>(try_allocating([&] { change.verdict.result = verdict.result; }));
        const typename Notifier<Change, Obs>::Scope scope{notifier_};
        notifier_.call_back(change);
    }

    void add(const GroupDecision& decision, const Verdict& verdict) {
        for (const Event event : decision)
            notifier_.push(*this, Item{{event, verdict}, notifier_.generation()});
    }

    // For what no check has decided.
    [[nodiscard]] Verdict about(Verdict::Origin origin) const {
        return {.kind = origin == Verdict::Origin::target_gone ? ProbeKind::readiness
                                                               : ProbeKind::startup,
                .origin = origin,
                .at = clock_.now()};
    }

    void one_stopped() {
        if (--stopping_ == 0) stop_waits_.complete_all({});
    }

    [[no_unique_address]] ClockRef<Clk> clock_;
    asio::any_io_executor executor_;
    Notifier<Change, Obs> notifier_;
    GroupFsm fsm_;
    StartupGate gate_; // open while the target has started
    Ref<ContextState> context_;
    std::array<std::optional<Worker>, 3> workers_;
    std::deque<Item> pending_;
    LazyWaiters<> stop_waits_;
    int stopping_ = 0;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
