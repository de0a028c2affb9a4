// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <deque>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/error.hpp>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/scope_exit.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/core/worker_fsm.hpp>
#include <probekit/runtime/attempt_limit.hpp>
#include <probekit/runtime/detail/attempt_driver.hpp>
#include <probekit/runtime/detail/clock_ref.hpp>
#include <probekit/runtime/detail/notifier.hpp>
#include <probekit/runtime/detail/packed_error_code.hpp>
#include <probekit/runtime/detail/small_function.hpp>
#include <probekit/runtime/detail/spec_cache.hpp>
#include <probekit/runtime/detail/worker_extras.hpp>
#include <probekit/runtime/startup_gate.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// What a ProbeWorker is a handle on. WorkerFsm decides, AttemptDriver carries out attempts,
/// Notifier calls listeners; this is the wiring between them, the gate, and what snapshot() says.
///
/// Every function runs on the probe's executor, unless it says otherwise. Calls of the user's
/// change the state at once and leave notifications to a post; a check begins in the event loop
/// only.
template <class P, class Pol, class Obs, class Clk>
class WorkerCore final : public AttemptDriver<WorkerCore<P, Pol, Obs, Clk>, P, Clk> {
    using Driver = AttemptDriver<WorkerCore, P, Clk>;
    friend Driver;

public:
    using probe_type = P;
    using Machine = WorkerFsm<Pol, SharedSpec>;
    using Extras = WorkerExtras<WorkerCore>;
    using Item = WorkerNotification;

    /// Throws std::bad_alloc, and what the parts throw when they are moved.
    [[nodiscard]] static Ref<WorkerCore> make(ClockRef<Clk> clock, P&& probe, const ProbeSpec& spec,
                                              Pol&& policy, Obs&& observer) {
        Ref<Wheel> wheel = clock.wheel(probe.get_executor());
        SharedSpec shared = wheel->context().template local<SpecCache>().share(spec);
        const Ref core{new WorkerCore{clock, std::move(wheel), std::move(shared), std::move(probe),
                                      std::move(policy), std::move(observer)}};
        if (must_not_outlive_context(core->executor()))
            static_cast<void>(core->extras()); // notified when the context is destroyed
        return core;
    }

    // ---- the handle's calls ----

    void start(Ref<GateState> gate) {
        if (working_) return;
        if (gate) extras().subscribe(std::move(gate));
        this->context().add_work();
        working_ = true;
        notifier_.begin_generation();
        const Step step{*this};
        gate_seen_open_ = gate_is_open();
        static_cast<void>(gate_seen_open_ ? fsm_.step(event::GateOpened{}, step.now)
                                          : fsm_.step(event::GateClosed{}, step.now));
        changed_by_call(step, fsm_.step(event::Started{step.now}, step.now));
    }

    void stop() noexcept {
        notifier_.begin_generation();
        handle(event::Stopped{});
        if (extras_) extras_->waits.complete_all(asio::error::operation_aborted, {});
    }

    /// The handle is destroyed: no listener is called any more.
    void abandon() noexcept {
        notifier_.abandon();
        this->abandon_attempt();
        release_work();
        if (!extras_) return;
        extras_->waits.complete_all(asio::error::operation_aborted, {});
        extras_->stop_waits.complete_all(asio::error::operation_aborted);
    }

    template <class Event>
    void handle(Event event) noexcept {
        handle(event, this->now());
    }

    [[nodiscard]] bool probe_now() noexcept {
        on_gate(); // it may have changed, and the post about it has not come yet
        handle(event::Triggered{});
        return fsm_.check_pending();
    }

    void target_replaced() noexcept { handle(event::TargetStarted{this->now()}); }
    void target_replaced(P next) {
        if (fsm_.in_flight())
            extras().next_probe.emplace(std::move(next)); // the old one outlives its attempt
        else
            this->probe().replace(std::move(next));
        target_replaced();
    }

    /// Throws std::bad_alloc, and then nothing has changed.
    void update(const ProbeSpec& spec) {
        SharedSpec shared = this->context().template local<SpecCache>().share(spec);
        const Step step{*this};
        changed_by_call(step, fsm_.update(std::move(shared), step.now));
    }

    void on_verdict(SmallFunction<Verdict> callback) noexcept {
        notifier_.set_callback(std::move(callback));
    }

    void opens(StartupGate& gate) {
        extras().opens.push_back(gate.add_condition());
        extras().opens.back().set(passes_by_result(origin_));
    }

    void limit(const Ref<LimitState>& limit) {
        PROBEKIT_ASSERT(this->stage() != Stage::queued); // it would wait in the wrong queue
        extras().return_grants();
        extras().limit = limit;
    }

    template <class Handler>
    void wait_for(Health wanted, Handler&& handler) {
        LazyWaiters<Verdict>& waits = extras().waits;
        const int tag = static_cast<int>(wanted);
        waits.add(this->context(), std::forward<Handler>(handler), this->executor(), tag);
        if (abandoned()) // a lazy token's operation, begun after its worker was destroyed
            waits.complete_all(asio::error::operation_aborted, {});
        else if (fsm_.judged() && fsm_.health() == wanted)
            waits.complete(tag, {}, standing_verdict());
    }

    template <class Handler>
    void stop_and_wait(Handler&& handler) {
        LazyWaiters<>& waits = extras().stop_waits;
        waits.add(this->context(), std::forward<Handler>(handler), this->executor());
        if (abandoned()) return waits.complete_all(asio::error::operation_aborted);
        stop();
        if (this->stage() == Stage::idle) waits.complete_all({});
    }

    [[nodiscard]] WorkerSnapshot snapshot() const noexcept {
        return {.kind = fsm_.spec().kind,
                .state = fsm_.state(),
                .health = fsm_.health(),
                .judged = fsm_.judged(),
                .since = fsm_.since(),
                .run = fsm_.run(),
                .attempts = this->attempts(),
                .errors = errors_,
                .skipped = skipped_,
                .last_outcome = last_outcome_,
                .last_status = last_status_,
                .last_cause = last_cause_,
                .last_error = last_error_,
                .last_at = last_at_,
                .next_at = fsm_.next_check(),
                .last_elapsed = last_elapsed_};
    }

    [[nodiscard]] ProbeResult last_result() const;

    /// From any thread.
    [[nodiscard]] Health health() const noexcept { return health_.load(std::memory_order_relaxed); }

    [[nodiscard]] const Machine& fsm() const noexcept { return fsm_; }
    [[nodiscard]] Obs& observer() noexcept { return notifier_.observer(); }

    // ---- the context, gates and limits ----

    void on_context_shutdown() noexcept {
        extras_->unsubscribe();
        extras_->next_probe.reset();
        this->shut_down_attempt();
        extras_->return_grants(); // what was posted to the context is never called
    }

    /// A gate posts this when it changes, which may come later than what depends on it.
    void on_gate() noexcept { poll_gate(this->now()); }

    void on_permit_granted() {
        if (!extras_->take_grant()) return;
        const TimePoint now = this->now();
        poll_gate(now);
        if (this->stage() != Stage::queued) // the attempt did not wait so long
            return extras_->limit->release_permit();
        // One that was cancelled, and decided on anew meanwhile, waits in the queue again.
        withdraw_permit();
        extras_->permit = extras_->limit;
        this->begin_with_permit(now);
    }

    // ---- AttemptDriver ----

    static constexpr bool observes_skips = SeesChecksSkipped<Unwrapped<Obs>>;
    static constexpr bool observes_states = SeesStateChanged<Unwrapped<Obs>>;
    static constexpr bool announces_attempts =
        SeesAttemptBegun<Unwrapped<Obs>> || observes_states || observes_skips;

    [[nodiscard]] bool abandoned() const noexcept { return notifier_.abandoned(); }
    [[nodiscard]] bool must_wait() const noexcept { return !notifier_.may_notify(*this); }
    [[nodiscard]] Duration timeout() const noexcept { return fsm_.spec().timeout; }
    template <class Work>
    void notify_nobody_during(Work work) noexcept {
        notifier_.notify_nobody_during(work);
    }

    [[nodiscard]] bool acquire_permit() noexcept { return !extras_ || extras_->acquire_permit(); }
    void withdraw_permit() noexcept { static_cast<void>(extras_->limit->withdraw(*extras_)); }
    void release_permit() noexcept {
        if (extras_) extras_->release_permit();
    }

    void on_check_due(TimePoint now) {
        poll_gate(now);
        const Step step{*this, now};
        const Decision decision = fsm_.step(event::Due{}, now);
        if (decision.action != Decision::Action::attempt) return changed_by_call(step, decision);
        this->prepare(decision.attempt_in_check);
        attempt_scheduled(decision, now);
        this->begin(now);
    }

    [[nodiscard]] bool may_begin(TimePoint now) noexcept {
        poll_gate(now);
        return this->stage() == Stage::scheduled;
    }

    void announce(TimePoint now) {
        const WorkerState before = observed_state();
        static_cast<void>(fsm_.step(event::AttemptBegun{}, now));
        if constexpr (announces_attempts) {
            const typename Notifications::Scope scope{notifier_};
            if constexpr (observes_skips)
                if (const std::uint64_t skips = std::exchange(unobserved_skips_, 0); skips != 0)
                    notifier_.observe(ChecksSkipped{kind(), skips, now});
            const bool first = this->attempt_in_check() == 1;
            const Duration late = first ? std::max(now - fsm_.due(), Duration{}) : Duration{};
            notifier_.observe(
                AttemptBegun{kind(), this->attempts(), this->attempt_in_check(), now, late});
            observe_state(before, observed_state());
        }
    }

    void on_attempt_ended(TimePoint now, bool cancelled, std::error_code error,
                          ProbeResult&& result);

    // ---- Notifier ----

    [[nodiscard]] const std::deque<Item>* pending() const noexcept {
        return extras_ ? &extras_->pending : nullptr;
    }
    [[nodiscard]] std::deque<Item>* pending() noexcept {
        return extras_ ? &extras_->pending : nullptr;
    }
    [[nodiscard]] std::deque<Item>& pending_queue() { return extras().pending; }
    void post_delivery() { this->post(&WorkerCore::on_delivery); }
    void deliver(Item item) {
        notify_of(item, [] {});
    }

private:
    using Notifications = Notifier<Verdict, Obs>;

    WorkerCore(ClockRef<Clk> clock, Ref<Wheel>&& wheel, SharedSpec&& spec, P&& probe, Pol&& policy,
               Obs&& observer)
        : Driver(clock, std::move(wheel), std::move(probe)),
          fsm_(std::move(spec), std::move(policy)),
          notifier_(std::move(observer)) {
        health_ = fsm_.health();
    }

    // The moment of one step of the machine, and the state before it.
    struct Step {
        explicit Step(const WorkerCore& core) : Step(core, core.now()) {}
        Step(const WorkerCore& core, TimePoint at) : now(at), before(core.observed_state()) {}
        TimePoint now;
        WorkerState before;
    };

    /// For StateChanged, if there is an observer of it.
    [[nodiscard]] WorkerState observed_state() const noexcept {
        return observes_states ? fsm_.state() : WorkerState::stopped;
    }

    [[nodiscard]] ProbeKind kind() const noexcept { return fsm_.spec().kind; }

    [[nodiscard]] Extras& extras() {
        if (!extras_) extras_ = std::make_unique<Extras>(*this);
        return *extras_;
    }

    // ---- events, and what the machine decides on them ----

    template <class Event>
    void handle(Event event, TimePoint now) noexcept {
        const Step step{*this, now};
        changed_by_call(step, fsm_.step(event, now));
    }

    void poll_gate(TimePoint now) noexcept {
        if (extras_ && extras_->gate) gate_may_have_changed(now);
    }
    void gate_may_have_changed(TimePoint now) noexcept {
        if (abandoned() || !working_ || gate_seen_open_ == gate_is_open()) return;
        gate_seen_open_ = !gate_seen_open_;
        if (gate_seen_open_)
            handle(event::GateOpened{}, now);
        else
            handle(event::GateClosed{}, now);
    }
    [[nodiscard]] bool gate_is_open() const noexcept {
        return !extras_ || !extras_->gate || extras_->gate->is_open();
    }

    /// Carries a decision out at once, and leaves it to a post to notify listeners.
    void changed_by_call(const Step& step, const Decision& decision) noexcept {
        if (decision.cancel) this->cancel();
        apply(decision, step.now);
        if (decision.changed && extras_) extras_->deciding.reset();
        enqueue(step, decision);
    }

    void apply(const Decision& decision, TimePoint now) noexcept;

    void attempt_scheduled(const Decision& decision, TimePoint now) noexcept {
        static_cast<void>(fsm_.step(event::AttemptScheduled{}, now));
        skipped_ += static_cast<std::uint64_t>(decision.skipped);
        if constexpr (observes_skips)
            unobserved_skips_ += static_cast<std::uint64_t>(decision.skipped);
    }

    [[nodiscard]] TimePoint moment_of_check(TimePoint due) const noexcept {
        const ProbeSpec& spec = fsm_.spec();
        if (spec.pacing.slack) return shared_moment(due, *spec.pacing.slack);
        return Driver::steady ? shared_moment(due, automatic_slack(spec.period)) : due;
    }

    void release_work() noexcept {
        if (!working_) return;
        working_ = false;
        if (extras_) extras_->unsubscribe();
        this->context().remove_work();
    }

    // ---- notifications ----

    void on_delivery() { notifier_.deliver_posted(*this); }

    void enqueue(const Step& step, const Decision& decision) noexcept {
        const WorkerState after = observed_state();
        if (!decision.changed && step.before == after) return;
        Item item{.before = step.before,
                  .after = after,
                  .generation = notifier_.generation(),
                  .judged = fsm_.judged()};
        if (decision.changed) item.verdict = verdict_of(decision, step.now, {});
        notifier_.push(*this, std::move(item));
        notifier_.deliver_later(*this);
    }

    /// Notifies of `item`, after `first`. What a listener throws goes on to the caller, and those
    /// that come after it are notified later.
    template <class First>
    void notify_of(Item& item, First first);

    void observe_state(WorkerState before, WorkerState after) {
        if constexpr (observes_states)
            if (before != after)
                notifier_.observe(StateChanged{kind(), before, after, this->now()});
    }

    [[nodiscard]] Verdict verdict_of(const Decision& decision, TimePoint now,
                                     ProbeResult&& result) const {
        return {.kind = kind(),
                .health = decision.health,
                .previous = decision.previous,
                .origin = decision.origin,
                .at = now,
                .previous_duration = decision.previous_duration,
                .result = std::move(result)};
    }

    // What gates are opened by.
    [[nodiscard]] bool passes_by_result(Verdict::Origin origin) const noexcept {
        return fsm_.judged() && fsm_.health() == Health::passing &&
               (origin == Verdict::Origin::result || origin == Verdict::Origin::restored);
    }

    // For last_result() and for waits that begin later. A plain success, without output, can be
    // rebuilt without having been kept. Returns where the result is then.
    const ProbeResult& remember(ProbeResult& result, bool plain, bool decided) noexcept;
    [[nodiscard]] Verdict standing_verdict() const;

    // A program may have a million of these: the order leaves no gaps, and what each check touches
    // comes first, next to the driver's.
    std::atomic<Health> health_;
    int last_status_ = -1;
    [[no_unique_address]] Machine fsm_;
    std::unique_ptr<Extras> extras_;
    std::uint64_t skipped_ = 0;
    TimePoint last_at_ = {};
    Duration last_elapsed_ = {};
    PackedErrorCode last_cause_;
    PackedErrorCode last_error_;
    [[no_unique_address]] Notifications notifier_;
    bool working_ : 1 = false;
    bool gate_seen_open_ : 1 = true;
    Outcome last_outcome_ : 2 = Outcome::unknown;
    Verdict::Origin origin_ : 3 = Verdict::Origin::result;
    Health previous_ : 2 = Health::unknown;
    [[no_unique_address]] std::conditional_t<observes_skips, std::uint64_t, Nothing>
        unobserved_skips_{};
    std::uint64_t errors_ = 0;
    Duration previous_duration_ = {};
};

} // namespace probekit::inline PROBEKIT_ABI::detail

#include <probekit/runtime/impl/worker_core.hpp>
