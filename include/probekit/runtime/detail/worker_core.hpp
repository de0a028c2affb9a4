// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include <probekit/core/observer.hpp>
#include <probekit/core/policy.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/core/worker_fsm.hpp>
#include <probekit/probes/detail/look.hpp>
#include <probekit/probes/probe.hpp>
#include <probekit/runtime/attempt_limit.hpp>
#include <probekit/runtime/detail/small_function.hpp>
#include <probekit/runtime/detail/worker_extras.hpp>
#include <probekit/runtime/startup_gate.hpp>
#include <probekit/system/detail/at_exit.hpp>
#include <probekit/system/detail/block_pool.hpp>
#include <probekit/system/detail/executors.hpp>
#include <probekit/system/detail/ref.hpp>
#include <probekit/system/detail/wheel.hpp>

namespace probekit::inline v0::detail {

/// The clock a worker goes by; steady_clock needs no object.
template <class Clk>
struct ClockRef {
    explicit ClockRef(Clk& object) noexcept : clock(&object) {}
    [[nodiscard]] TimePoint now() const { return clock->now(); }
    [[nodiscard]] Ref<Wheel> wheel(const auto& executor) const { return Wheel::of(executor, *clock); }
    Clk* clock;
};
template <>
struct ClockRef<std::chrono::steady_clock> {
    [[nodiscard]] static TimePoint now() noexcept { return std::chrono::steady_clock::now(); }
    [[nodiscard]] static Ref<Wheel> wheel(const auto& executor) { return Wheel::of(executor); }
};

struct Nothing {};

/// What a ProbeWorker is a handle on: it carries out what WorkerFsm decides. Counted; the attempt in flight, and a timer
/// that fires, keep it, so that the worker may be destroyed at any moment.
///
/// It has one wheel node, and at most one attempt. Every function runs on the probe's executor, but for those that say
/// otherwise. Calls of the user's change the state at once and leave the telling to a post; a look begins, and a result
/// is told, in the event loop only.
template <class P, class Pol, class Obs, class Clk>
class WorkerCore final : public LookClient<typename P::executor_type>, public WheelNode {
public:
    using probe_type = P;
    using Executor = typename P::executor_type;
    using Extras = WorkerExtras<WorkerCore>;

    WorkerCore(ClockRef<Clk> clock, P probe, const ProbeSpec& spec, Pol policy, Obs observer)
        : LookClient<Executor>(!steady),
          WheelNode(hooks),
          clock_(clock),
          fsm_(spec, std::move(policy)),
          probe_(std::move(probe)),
          observer_(std::move(observer)),
          executor_(executor_to_store(probe_)),
          wheel_(clock_.wheel(executor())),
          health_(fsm_.health()) {}

    // ---- what the handle's members do ----

    void start(Ref<GateState> gate) {
        if (working_) return;
        if (gate) {
            extras().gate = std::move(gate);
            extras().gate->subscribe(extras());
        }
        wheel_->context().add_work();
        working_ = true;
        ++life_;
        const Step step{*this};
        gate_seen_ = gate_is_open();
        static_cast<void>(gate_seen_ ? fsm_.step(event::GateOpened{}, step.now)
                                     : fsm_.step(event::GateShut{}, step.now));
        changed_by_call(step, fsm_.step(event::Started{step.now}, step.now));
    }

    void stop() noexcept {
        ++life_; // what on_verdict has not been told yet, it will not be told
        happen(event::Stopped{});
        if (extras_ && extras_->waits) extras_->waits->complete_all(asio::error::operation_aborted, {});
    }

    /// The handle has gone. Silence; what an attempt still needs lives on by itself.
    void detach() noexcept {
        detached_ = true;
        ++life_;
        const bool context_gone = wheel_->context().gone();
        if (!context_gone) interrupt_attempt(Interrupt::cancel);
        disarm();
        rest();
        if (!extras_) return;
        if (attempt_ == Attempt::queued) static_cast<void>(leave_queue());
        if (extras_->waits) extras_->waits->complete_all(asio::error::operation_aborted, {});
        if (extras_->stop_waits) extras_->stop_waits->complete_all(asio::error::operation_aborted);
    }

    template <class Event>
    void happen(Event event) noexcept {
        const Step step{*this};
        changed_by_call(step, fsm_.step(event, step.now));
    }

    [[nodiscard]] bool probe_now() noexcept {
        if (attempt_ == Attempt::decided || attempt_ == Attempt::queued) return !dropped_; // it is about to
        happen(event::Triggered{});
        return attempt_ == Attempt::decided || fsm_.look_pending();
    }

    void target_replaced() noexcept { happen(event::TargetStarted{clock_.now()}); }
    void target_replaced(P next) {
        if (attempt_ == Attempt::told || attempt_ == Attempt::running)
            extras().next_probe.emplace(std::move(next)); // the old one outlives its attempt
        else
            replace_probe(std::move(next));
        target_replaced();
    }

    void update(const ProbeSpec& spec) noexcept {
        const Step step{*this};
        changed_by_call(step, fsm_.update(spec, step.now));
    }

    void on_verdict(SmallFunction<Verdict> callback) noexcept {
        callback_ = std::move(callback);
        callback_set_ = true;
    }

    void opens(StartupGate& gate) {
        extras().opens.push_back(gate.add_condition());
        if (fsm_.judged() && origin_ == Verdict::Origin::result)
            extras().opens.back().set(fsm_.health() == Health::passing);
    }

    void limit(Ref<LimitState> limit) { extras().limit = std::move(limit); }

    template <class Handler>
    void wait_for(Health wanted, Handler&& handler) {
        Extras& more = extras();
        if (!more.waits) more.waits = Ref{new typename Extras::VerdictWaiters{Ref{&wheel_->context()}}};
        more.waits->add(std::forward<Handler>(handler), executor(), static_cast<int>(wanted));
        if (detached_) // a lazy token's operation, begun after its worker has gone
            more.waits->complete_all(asio::error::operation_aborted, {});
        else if (fsm_.judged() && fsm_.health() == wanted)
            more.waits->complete(static_cast<int>(wanted), {}, standing_verdict());
    }

    template <class Handler>
    void stop_and_wait(Handler&& handler) {
        Extras& more = extras();
        if (!more.stop_waits) more.stop_waits = Ref{new typename Extras::StopWaiters{Ref{&wheel_->context()}}};
        more.stop_waits->add(std::forward<Handler>(handler), executor());
        if (detached_) return more.stop_waits->complete_all(asio::error::operation_aborted);
        stop();
        if (attempt_ == Attempt::none) tell_stopped();
    }

    [[nodiscard]] WorkerSnapshot snapshot() const noexcept {
        return {.kind = fsm_.spec().kind,
                .state = state(),
                .health = fsm_.health(),
                .judged = fsm_.judged(),
                .since = fsm_.since(),
                .run = fsm_.run(),
                .attempts = attempts_,
                .errors = errors_,
                .skipped = skipped_,
                .last_outcome = last_outcome_,
                .last_status = last_status_,
                .last_cause = last_cause_,
                .last_error = last_error_,
                .last_at = last_at_,
                .next_at = fsm_.next_look(),
                .last_elapsed = last_elapsed_};
    }

    /// From any thread.
    [[nodiscard]] Health health() const noexcept { return health_.load(std::memory_order_relaxed); }

    [[nodiscard]] const WorkerFsm<Pol>& fsm() const noexcept { return fsm_; }
    [[nodiscard]] Obs& observer() noexcept { return observer_; }
    [[nodiscard]] const Executor& executor() const noexcept {
        if constexpr (probe_shows_executor)
            return probe_.look_executor();
        else
            return executor_;
    }

    // ---- what gates and limits call; post() from any thread ----

    void post(void (WorkerCore::*run)()) { asio::post(executor(), Call{Ref<WorkerCore>{this}, run}); }

    void on_gate() noexcept {
        if (detached_ || !working_ || gate_seen_ == gate_is_open()) return;
        gate_seen_ = !gate_seen_;
        if (gate_seen_)
            happen(event::GateOpened{});
        else
            happen(event::GateShut{});
    }

    void on_granted() {
        has_place_ = true;
        if (attempt_ == Attempt::queued && !detached_)
            begin();
        else
            give_place_back(); // the attempt did not wait so long
    }

private:
    // How far an attempt is.
    enum class Attempt : std::uint8_t {
        none,
        decided, // the node fires for it in the loop's next turn
        queued,  // it waits for a place under the limit
        told,    // attempt_begun has been told, the probe not asked yet
        running, // the probe has been asked
    };
    // What the node waits for.
    enum class Armed : std::uint8_t { no, due, begin, ask, timeout };

    static constexpr bool probe_shows_executor = requires(const P& probe) {
        { probe.look_executor() } -> std::same_as<const Executor&>;
    };
    static constexpr bool steady = std::same_as<Clk, std::chrono::steady_clock>;
    static constexpr bool holds_any = requires(const P& probe) { probe.keeps_timeout(); };
    // Our own probes end an attempt without a cancellation slot.
    static constexpr bool has_signal = holds_any || !std::derived_from<P, ProbeOfOurs>;
    static constexpr bool tells_beginning =
        SeesAttemptBegun<Unwrapped<Obs>> || SeesStateChanged<Unwrapped<Obs>> || SeesLooksSkipped<Unwrapped<Obs>>;

    // The moment of one step of the machine, and what was before.
    struct Step {
        explicit Step(const WorkerCore& core) : now(core.clock_.now()), before(core.state()) {}
        TimePoint now;
        WorkerState before;
    };

    struct Call {
        using allocator_type = PoolAllocator<void>;
        Ref<WorkerCore> core;
        void (WorkerCore::*run)();
        [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type{core->look_pool()}; }
        void operator()() { (core.get()->*run)(); }
    };
    struct Later {
        using allocator_type = PoolAllocator<void>;
        Ref<WorkerCore> core;
        std::error_code error;
        ProbeResult result;
        [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type{core->look_pool()}; }
        void operator()() { core->look_done(error, std::move(result)); }
    };

    // ---- LookClient ----

    [[nodiscard]] const Executor& look_executor() const noexcept override { return executor(); }
    [[nodiscard]] BlockPool& look_pool() const noexcept override { return wheel_->context().pool(); }
    [[nodiscard]] asio::cancellation_slot look_slot() noexcept override {
        if constexpr (has_signal)
            return signal_.slot();
        else
            return {};
    }
    void destroy() noexcept override { delete this; }

    void look_done(std::error_code error, ProbeResult&& result) override {
        ended_ = attempts_;
        if (detached_) return give_place_back();
        // Not from inside a call or another callback, nor before what has been left to a post.
        if (emitting_ || telling_ || has_notes())
            return asio::post(executor(), Later{Ref{this}, error, std::move(result)});

        const Step step{*this};
        disarm();
        give_place_back();
        const bool dropped = std::exchange(dropped_, false);
        if (dropped) {
            error = asio::error::operation_aborted;
        } else if (expired_ && error == asio::error::operation_aborted) {
            error = {};
            result.outcome = Outcome::failure;
            result.cause = Errc::timed_out;
            if (result.elapsed() == Duration{})
                result.times[static_cast<std::size_t>(Phase::run) - 1] = step.now - begun_at_;
        }
        attempt_ = Attempt::none;
        if (extras_ && extras_->next_probe) {
            replace_probe(std::move(*extras_->next_probe));
            extras_->next_probe.reset();
        }
        Decision decision;
        if (dropped) {
            decision = fsm_.step(event::AttemptDropped{}, step.now);
        } else if (error) {
            ++errors_;
            last_error_ = error;
            decision = fsm_.step(event::Error{error}, step.now);
        } else {
            decision = fsm_.step(event::Result{result}, step.now);
        }
        if (!dropped) {
            last_outcome_ = result.outcome;
            last_status_ = result.status;
            last_cause_ = to_std(result.cause);
            last_elapsed_ = result.elapsed();
            last_at_ = step.now;
        }
        const int try_number = try_number_;
        settle(decision, step.now);
        if (decision.changed) remember_deciding(result);
        tell_result(step, decision, try_number, error, std::move(result));
    }

    // ---- carrying out ----

    [[nodiscard]] ProbeKind kind() const noexcept { return fsm_.spec().kind; }

    /// As the machine says, but that a look which has not begun yet is waited for.
    [[nodiscard]] WorkerState state() const noexcept {
        const WorkerState state = fsm_.state();
        const bool begun = attempt_ == Attempt::told || attempt_ == Attempt::running || try_number_ > 1;
        return state == WorkerState::probing && !begun ? WorkerState::waiting : state;
    }

    [[nodiscard]] bool gate_is_open() const noexcept { return !extras_ || !extras_->gate || extras_->gate->is_open(); }

    /// The machine has decided because of a call: done at once, told later.
    void changed_by_call(const Step& step, Decision decision) noexcept {
        if (decision.cancel) {
            if (attempt_ == Attempt::decided || attempt_ == Attempt::queued) {
                if (attempt_ == Attempt::queued) static_cast<void>(leave_queue());
                attempt_ = Attempt::none; // it has not begun, so there is nothing to wait for
                disarm();
                const Decision next = fsm_.step(event::AttemptDropped{}, step.now);
                if (next.action != Decision::Action::none) decision.action = next.action;
                decision.at = next.at;
                decision.try_number = next.try_number;
                decision.skipped = next.skipped;
            } else {
                dropped_ = true;
                interrupt_attempt(Interrupt::cancel);
            }
        }
        settle(decision, step.now);
        if (decision.changed && extras_) extras_->deciding.reset();
        note(step, decision);
    }

    void settle(const Decision& decision, TimePoint now) noexcept {
        health_.store(fsm_.health(), std::memory_order_relaxed);
        switch (decision.action) {
        case Decision::Action::none: break;
        case Decision::Action::look:
            decide(decision);
            arm(Armed::begin, now);
            break;
        case Decision::Action::wait: wait_until(decision.at); break;
        case Decision::Action::hold: disarm_look(); break;
        case Decision::Action::end:
            disarm_look();
            rest();
            break;
        }
        const bool judged_anew = decision.changed || decision.origin != Verdict::Origin::result;
        if (!judged_anew) return;
        if (decision.changed) {
            origin_ = decision.origin;
            previous_ = decision.previous;
            held_for_ = decision.held;
        }
        if (!extras_ || decision.origin == Verdict::Origin::terminating) return;
        const bool met = decision.origin == Verdict::Origin::result && decision.health == Health::passing;
        for (StartupGate::Condition& condition : extras_->opens) condition.set(met);
    }

    void decide(const Decision& decision) noexcept {
        attempt_ = Attempt::decided;
        try_number_ = static_cast<std::uint8_t>(decision.try_number);
        skips_ += static_cast<std::uint64_t>(decision.skipped);
    }

    /// The next look. On the real clock a worker's looks are put off to the next multiple of 1/1024 of its period, rounded
    /// down to a power of two, so that near ones share a wake-up.
    void wait_until(TimePoint due) noexcept {
        if (due == TimePoint::max()) return disarm_look();
        if constexpr (steady) {
            const auto period = static_cast<std::uint64_t>(fsm_.spec().period.count());
            const auto slack = static_cast<Duration::rep>(std::bit_floor(period / 1024));
            if (slack > 1 && due < TimePoint::max() - Duration{slack})
                due = TimePoint{Duration{(due.time_since_epoch().count() + slack - 1) & ~(slack - 1)}};
        }
        arm(Armed::due, due);
    }

    void arm(Armed purpose, TimePoint due) noexcept {
        armed_ = purpose;
        wheel_->arm(*this, due);
    }
    void disarm() noexcept {
        if (std::exchange(armed_, Armed::no) != Armed::no) wheel_->disarm(*this);
    }
    void disarm_look() noexcept {
        if (armed_ == Armed::due || armed_ == Armed::begin) disarm();
    }

    void rest() noexcept {
        if (!std::exchange(working_, false)) return;
        if (extras_ && extras_->gate) std::exchange(extras_->gate, {})->unsubscribe(*extras_);
        wheel_->context().remove_work();
    }

    // ---- the node ----

    void on_fire() {
        const TimePoint now = clock_.now();
        if (detached_ || armed_ == Armed::no || now < this->due()) return; // it is about what was once
        switch (std::exchange(armed_, Armed::no)) {
        case Armed::no: break;
        case Armed::due: look_is_due(now); break;
        case Armed::begin: begin(); break;
        case Armed::ask: ask(); break;
        case Armed::timeout:
            expired_ = true;
            interrupt_attempt(Interrupt::timeout);
            break;
        }
    }

    // A fire that came by a post may have been overtaken by another arming.
    void on_posted_fire() {
        if (!wheel_->armed(*this)) on_fire();
    }

    void look_is_due(TimePoint now) {
        on_gate();
        if (armed_ != Armed::no) return; // the gate has been shut, and opened, unheard
        const Step step{*this};
        const Decision decision = fsm_.step(event::Due{}, now);
        if (decision.action != Decision::Action::look) return changed_by_call(step, decision);
        decide(decision);
        begin();
    }

    // ---- an attempt ----

    /// In the loop. What listeners throw goes on to run(), and the attempt is made in the next turn.
    void begin() {
        on_gate();
        if (try_number_ == 1 && !gate_seen_) { // shut since it was decided
            attempt_ = Attempt::none;
            const Step step{*this};
            return changed_by_call(step, fsm_.step(event::AttemptDropped{}, step.now));
        }
        if (extras_ && extras_->limit && !has_place_) {
            if (!extras_->limit->acquire(*extras_)) {
                attempt_ = Attempt::queued;
                return;
            }
            has_place_ = true;
        }
        const WorkerState before = state();
        attempt_ = Attempt::told;
        expired_ = false;
        ++attempts_;
        begun_at_ = clock_.now();
        const std::uint64_t skips = std::exchange(skips_, 0);
        skipped_ += skips;
        if constexpr (tells_beginning) {
            arm(Armed::ask, begun_at_);
            const Telling telling{*this};
            if (skips != 0) tell(observer_, LooksSkipped{kind(), skips, begun_at_});
            const Duration late = try_number_ == 1 ? std::max(begun_at_ - fsm_.due(), Duration{}) : Duration{};
            if (!detached_) tell(observer_, AttemptBegun{kind(), attempts_, try_number_, begun_at_, late});
            if (!detached_) tell_state(before, state());
            disarm();
        }
        ask();
    }

    void ask() {
        if (detached_) return;
        if (dropped_) return look_done(asio::error::operation_aborted, {}); // called off while it was told
        attempt_ = Attempt::running;
        const Duration timeout = fsm_.spec().timeout;
        const bool guarded = !steady || !probe_keeps_timeout();
        if (guarded) arm(Armed::timeout, saturating_add(begun_at_, timeout));
        const std::uint64_t number = attempts_;
        try {
            detail::begin_look(probe_, timeout, LookHandler<Executor>{Ref<LookClient<Executor>>{this}});
        } catch (...) {
            if (ended_ >= number) throw; // a listener's exception, at the end of an attempt that ended at once
            look_done(code_of_current_exception(), {});
        }
    }

    [[nodiscard]] bool probe_keeps_timeout() const noexcept {
        if constexpr (holds_any)
            return probe_.keeps_timeout();
        else
            return KeepsTimeout<P>;
    }

    /// A probe that cannot begin could not ask.
    [[nodiscard]] static std::error_code code_of_current_exception() noexcept {
        try {
            throw;
        } catch (const std::system_error& error) { return to_std(error.code()); } catch (const std::bad_alloc&) {
            return std::make_error_code(std::errc::not_enough_memory);
        } catch (...) { return Errc::probe_threw; }
    }

    void interrupt_attempt(Interrupt reason) noexcept {
        if (attempt_ != Attempt::running) return;
        const Ref<WorkerCore> keep{this};
        emitting_ = true;
        if (!this->interrupt_own_attempt(reason))
            if constexpr (has_signal) signal_.emit(asio::cancellation_type::terminal);
        emitting_ = false;
    }

    [[nodiscard]] bool leave_queue() noexcept { return extras_->limit->withdraw(*extras_); }

    void give_place_back() noexcept {
        if (std::exchange(has_place_, false)) extras_->limit->release();
    }

    void replace_probe(P&& next) {
        if constexpr (std::is_move_assignable_v<P>) {
            probe_ = std::move(next);
        } else { // a capturing lambda's
            std::destroy_at(&probe_);
            std::construct_at(&probe_, std::move(next));
        }
    }

    // ---- telling ----

    // While listeners are called nobody else is told anything.
    struct Telling {
        explicit Telling(WorkerCore& told) : core(told) { core.telling_ = true; }
        Telling(const Telling&) = delete;
        Telling& operator=(const Telling&) = delete;
        ~Telling() { core.telling_ = false; }
        WorkerCore& core;
    };

    void tell_result(const Step& step, const Decision& decision, int try_number, std::error_code error,
                     ProbeResult&& result) {
        const std::uint32_t life = life_;
        const WorkerState after = state();
        const bool over = attempt_ == Attempt::none;
        const Telling telling{*this};
        const AtExit stopped{[&] {
            if (over && !detached_) tell_stopped();
        }};
        if constexpr (SeesAttemptEnded<Unwrapped<Obs>>)
            tell(observer_, AttemptEnded{kind(), attempts_, try_number, step.now, error, result, !error});
        if (decision.changed)
            tell_verdict(verdict_of(decision, step.now, std::move(result)), step.before, after, life);
        else if (!detached_)
            tell_state(step.before, after);
    }

    void tell_verdict(const Verdict& verdict, WorkerState before, WorkerState after, std::uint32_t life) {
        if (!detached_) tell(observer_, verdict);
        if (!detached_) tell_state(before, after);
        if (life != life_) return;
        // Posted now, so they run after the callback, and a stop() in there comes too late for them.
        const bool judged = verdict.origin != Verdict::Origin::target_replaced;
        if (judged && extras_ && extras_->waits)
            extras_->waits->complete(static_cast<int>(verdict.health), {}, verdict);
        if (!callback_) return;
        // It may replace itself, or destroy the worker: it runs from the stack.
        SmallFunction<Verdict> callback = std::move(callback_);
        callback_set_ = false;
        const AtExit back{[&] {
            if (!callback_set_ && !detached_) callback_ = std::move(callback);
        }};
        callback(verdict);
    }

    void tell_state(WorkerState before, WorkerState after) {
        if constexpr (SeesStateChanged<Unwrapped<Obs>>)
            if (before != after) tell(observer_, StateChanged{kind(), before, after, clock_.now()});
    }

    void tell_stopped() noexcept {
        if (extras_ && extras_->stop_waits) extras_->stop_waits->complete_all({});
    }

    // What a call has changed, to be told in order.
    void note(const Step& step, const Decision& decision) noexcept {
        const WorkerState after = state();
        const bool told = decision.changed || (SeesStateChanged<Unwrapped<Obs>> && step.before != after);
        if (!told || detached_) return;
        WorkerNote one{.before = step.before, .after = after, .life = life_};
        if (decision.changed) one.verdict = verdict_of(decision, step.now, {});
        extras().notes.push_back(std::move(one));
        if (extras_->notes.size() == 1) post(&WorkerCore::tell_notes);
    }

    [[nodiscard]] bool has_notes() const noexcept { return extras_ && !extras_->notes.empty(); }

    void tell_notes() {
        const AtExit rest_later{[&] {
            if (has_notes() && !detached_) post(&WorkerCore::tell_notes);
        }};
        if (telling_) return;
        const Telling telling{*this};
        for (auto count = has_notes() ? extras_->notes.size() : 0; count != 0 && !detached_; --count) {
            const WorkerNote one = std::move(extras_->notes.front());
            extras_->notes.pop_front();
            if (one.verdict)
                tell_verdict(*one.verdict, one.before, one.after, one.life);
            else
                tell_state(one.before, one.after);
        }
    }

    [[nodiscard]] Verdict verdict_of(const Decision& decision, TimePoint now, ProbeResult&& result) const {
        return {.kind = kind(),
                .health = decision.health,
                .previous = decision.previous,
                .origin = decision.origin,
                .at = now,
                .held = decision.held,
                .result = std::move(result)};
    }

    // For waits that come later. A plain success can be told again without having been kept.
    void remember_deciding(const ProbeResult& result) {
        const bool plain = result.outcome == Outcome::success && result.output.empty();
        if (!plain)
            extras().deciding = result;
        else if (extras_)
            extras_->deciding.reset();
    }

    [[nodiscard]] Verdict standing_verdict() const {
        Verdict verdict{.kind = kind(),
                        .health = fsm_.health(),
                        .previous = previous_,
                        .origin = origin_,
                        .at = fsm_.since(),
                        .held = held_for_};
        if (origin_ == Verdict::Origin::result)
            verdict.result = extras_ && extras_->deciding ? *extras_->deciding : ProbeResult::success();
        return verdict;
    }

    [[nodiscard]] Extras& extras() {
        if (!extras_) extras_ = std::make_unique<Extras>(*this);
        return *extras_;
    }

    [[nodiscard]] static auto executor_to_store(const P& probe) {
        if constexpr (probe_shows_executor)
            return Nothing{};
        else
            return Executor(probe.get_executor());
    }

    static inline const WheelHooks hooks{
        .retain = [](WheelNode& node) noexcept { static_cast<WorkerCore&>(node).retain(); },
        .fire =
            [](WheelNode& node) {
                const auto core = Ref<WorkerCore>::adopt(&static_cast<WorkerCore&>(node));
                if (runs_here(core->executor()))
                    core->on_fire();
                else
                    core->post(&WorkerCore::on_posted_fire);
            },
    };

    [[no_unique_address]] ClockRef<Clk> clock_;
    WorkerFsm<Pol> fsm_;
    P probe_;
    [[no_unique_address]] Obs observer_;
    [[no_unique_address]] decltype(executor_to_store(std::declval<const P&>())) executor_;
    [[no_unique_address]] std::conditional_t<has_signal, asio::cancellation_signal, Nothing> signal_;
    Ref<Wheel> wheel_;
    SmallFunction<Verdict> callback_;
    std::unique_ptr<Extras> extras_;
    std::uint64_t attempts_ = 0; // begun
    std::uint64_t ended_ = 0;    // the number of the last that ended
    std::uint64_t errors_ = 0;
    std::uint64_t skipped_ = 0;
    std::uint64_t skips_ = 0; // not told yet
    std::error_code last_cause_;
    std::error_code last_error_;
    TimePoint last_at_ = {};
    TimePoint begun_at_ = {};
    Duration last_elapsed_ = {};
    Duration held_for_ = {};
    int last_status_ = -1;
    std::uint32_t life_ = 0; // changes with start, stop and destruction
    Outcome last_outcome_ = Outcome::unknown;
    Verdict::Origin origin_ = Verdict::Origin::result;
    Health previous_ = Health::unknown;
    std::atomic<Health> health_;
    Attempt attempt_ = Attempt::none;
    Armed armed_ = Armed::no;
    std::uint8_t try_number_ = 0;
    bool working_ = false;
    bool detached_ = false;
    bool dropped_ = false; // the attempt has been called off, its result counts for nothing
    bool expired_ = false; // our guard has cancelled it
    bool has_place_ = false;
    bool gate_seen_ = true;
    bool telling_ = false;
    bool emitting_ = false;
    bool callback_set_ = false;
};

} // namespace probekit::inline v0::detail
