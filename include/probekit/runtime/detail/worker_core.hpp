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

#include <probekit/async/detail/block_pool.hpp>
#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/scope_exit.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/policy.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/core/worker_fsm.hpp>
#include <probekit/probes/detail/deadline.hpp>
#include <probekit/probes/detail/owned_attempt_handler.hpp>
#include <probekit/probes/detail/start_attempt.hpp>
#include <probekit/probes/probe.hpp>
#include <probekit/runtime/attempt_limit.hpp>
#include <probekit/runtime/detail/clock_ref.hpp>
#include <probekit/runtime/detail/packed_error_code.hpp>
#include <probekit/runtime/detail/probe_holder.hpp>
#include <probekit/runtime/detail/small_function.hpp>
#include <probekit/runtime/detail/spec_cache.hpp>
#include <probekit/runtime/detail/worker_extras.hpp>
#include <probekit/runtime/startup_gate.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// What a ProbeWorker is a handle on: it carries out what WorkerFsm decides. Counted; the attempt
/// in flight, and a timer that fires, keep it, so that the worker may be destroyed at any moment.
///
/// It has one wheel node, and at most one attempt. Every function runs on the probe's executor, but
/// for those that say otherwise. Calls of the user's change the state at once and leave the telling
/// to a post; a look begins, and a result is told, in the event loop only.
template <class P, class Pol, class Obs, class Clk>
class WorkerCore final : public AttemptOwner<typename P::executor_type>, public WheelNode {
public:
    using probe_type = P;
    using Executor = typename P::executor_type;
    using Asked = ProbeHolder<P>;
    using Machine = WorkerFsm<Pol, SharedSpec>;
    using Extras = WorkerExtras<WorkerCore>;

    /// Throws std::bad_alloc, and whatever the parts throw when they are moved.
    [[nodiscard]] static Ref<WorkerCore> make(ClockRef<Clk> clock, P&& probe, const ProbeSpec& spec,
                                              Pol&& policy, Obs&& observer) {
        Ref<Wheel> wheel = clock.wheel(probe.get_executor());
        SharedSpec shared = wheel->context().template local<SpecCache>().share(spec);
        const Ref core{new WorkerCore{clock, std::move(wheel), std::move(shared), std::move(probe),
                                      std::move(policy), std::move(observer)}};
        if (must_not_outlive_context(core->executor()))
            static_cast<void>(core->extras()); // told when that goes
        return core;
    }
    WorkerCore(const WorkerCore&) = delete;
    WorkerCore& operator=(const WorkerCore&) = delete;
    ~WorkerCore() {
        if (!asked_gone_) std::destroy_at(&asked_);
    }

    // ---- what the handle's members do ----

    void start(Ref<GateState> gate);

    void stop() noexcept;

    /// The handle has gone. Silence; what an attempt still needs lives on by itself.
    void detach() noexcept;

    template <class Event>
    void happen(Event event) noexcept {
        happen(event, clock_.now());
    }
    template <class Event>
    void happen(Event event, TimePoint now) noexcept {
        const Step step{*this, now};
        changed_by_call(step, fsm_.step(event, now));
    }

    [[nodiscard]] bool probe_now() noexcept {
        on_gate(); // it may have been shut or opened unheard
        if (attempt_ == Attempt::decided || attempt_ == Attempt::queued)
            return gate_seen_; // it is about to
        happen(event::Triggered{});
        return attempt_ == Attempt::decided || fsm_.check_pending();
    }

    void target_replaced() noexcept { happen(event::TargetStarted{clock_.now()}); }
    void target_replaced(P next) {
        if (attempt_ == Attempt::told || attempt_ == Attempt::running)
            extras().next_probe.emplace(std::move(next)); // the old one outlives its attempt
        else
            asked_.replace(std::move(next));
        target_replaced();
    }

    /// Throws std::bad_alloc, and then nothing has changed.
    void update(const ProbeSpec& spec) {
        SharedSpec shared = context().template local<SpecCache>().share(spec);
        const Step step{*this};
        changed_by_call(step, fsm_.update(std::move(shared), step.now));
    }

    void on_verdict(SmallFunction<Verdict> callback) noexcept {
        callback_ = std::move(callback);
        callback_set_ = true;
    }

    void opens(StartupGate& gate);

    void limit(Ref<LimitState> limit) { extras().limit = std::move(limit); }

    template <class Handler>
    void wait_for(Health wanted, Handler&& handler);

    template <class Handler>
    void stop_and_wait(Handler&& handler);

    [[nodiscard]] WorkerSnapshot snapshot() const noexcept;

    /// From any thread.
    [[nodiscard]] Health health() const noexcept { return health_.load(std::memory_order_relaxed); }

    [[nodiscard]] const Machine& fsm() const noexcept { return fsm_; }
    [[nodiscard]] Obs& observer() noexcept { return observer_; }
    [[nodiscard]] const Executor& executor() const noexcept { return asked_.executor(); }

    // ---- what the context, gates and limits call; post() from any thread ----

    [[nodiscard]] ContextState& context() const noexcept { return wheel_->context(); }

    /// The context goes before the worker, which can only be destroyed after that.
    void on_context_shutdown() noexcept;

    void post(void (WorkerCore::*run)()) {
        asio::post(executor(), Call{Ref<WorkerCore>{this}, run});
    }

    void on_gate() noexcept { poll_gate(clock_.now()); }

    void on_granted();

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

    static constexpr bool steady = std::same_as<Clk, std::chrono::steady_clock>;
    static constexpr bool tells_skips = SeesChecksSkipped<Unwrapped<Obs>>;
    static constexpr bool tells_beginning =
        SeesAttemptBegun<Unwrapped<Obs>> || SeesStateChanged<Unwrapped<Obs>> || tells_skips;

    WorkerCore(ClockRef<Clk> clock, Ref<Wheel>&& wheel, SharedSpec&& spec, P&& probe, Pol&& policy,
               Obs&& observer)
        : AttemptOwner<Executor>({.enforces_timeout = !steady, .starts_on_executor = true}),
          WheelNode(hooks),
          clock_(clock),
          fsm_(std::move(spec), std::move(policy)),
          wheel_(std::move(wheel)),
          health_(fsm_.health()),
          asked_(std::move(probe)),
          observer_(std::move(observer)) {}

    // The moment of one step of the machine, and what was before.
    struct Step {
        explicit Step(const WorkerCore& core) : Step(core, core.clock_.now()) {}
        Step(const WorkerCore& core, TimePoint at) : now(at), before(core.state()) {}
        TimePoint now;
        WorkerState before;
    };

    struct Call {
        using allocator_type = PoolAllocator<void>;
        Ref<WorkerCore> core;
        void (WorkerCore::*run)();
        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return allocator_type{core->context().pool()};
        }
        void operator()() { (core.get()->*run)(); }
    };
    struct Later {
        using allocator_type = PoolAllocator<void>;
        Ref<WorkerCore> core;
        std::error_code error;
        ProbeResult result;
        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return allocator_type{core->context().pool()};
        }
        void operator()() { core->on_attempt_done({}, TimePoint::min(), error, std::move(result)); }
    };

    // ---- AttemptOwner ----

    [[nodiscard]] const Executor& attempt_executor() const noexcept override { return executor(); }
    [[nodiscard]] ContextState& attempt_context() const noexcept override { return context(); }
    [[nodiscard]] asio::cancellation_slot attempt_slot() noexcept override {
        if constexpr (Asked::needs_slot)
            return signal_.slot();
        else
            return {};
    }
    void destroy() noexcept override { delete this; }

    // Listeners that were told of the beginning took their time, which is not the probe's.
    [[nodiscard]] TimePoint attempt_started_at() const noexcept override {
        return steady && !tells_beginning ? begun_at_ : std::chrono::steady_clock::now();
    }

    void on_attempt_done(Ref<AttemptOwner<Executor>>, TimePoint at, std::error_code error,
                         ProbeResult&& result) override;
    void on_attempt_done(std::error_code error) {
        on_attempt_done({}, TimePoint::min(), error, {});
    }

    // ---- carrying out ----

    [[nodiscard]] ProbeKind kind() const noexcept { return fsm_.spec().kind; }

    /// As the machine says, but that a look which has not begun yet is waited for.
    [[nodiscard]] WorkerState state() const noexcept {
        const WorkerState state = fsm_.state();
        const bool begun =
            attempt_ == Attempt::told || attempt_ == Attempt::running || attempt_in_check_ > 1;
        return state == WorkerState::probing && !begun ? WorkerState::waiting : state;
    }

    // A gate tells of its changes by posts, which may come later than what depends on it.
    void poll_gate(TimePoint now) noexcept {
        if (extras_ && extras_->gate) gate_may_have_changed(now);
    }
    void gate_may_have_changed(TimePoint now) noexcept;

    [[nodiscard]] bool gate_is_open() const noexcept {
        return !extras_ || !extras_->gate || extras_->gate->is_open();
    }

    /// The machine has decided because of a call: done at once, told later.
    void changed_by_call(const Step& step, Decision decision) noexcept;

    void apply(const Decision& decision, TimePoint now) noexcept;

    void decide(const Decision& decision) noexcept {
        attempt_ = Attempt::decided;
        attempt_in_check_ = static_cast<std::uint8_t>(decision.attempt_in_check) & 3;
        skipped_ += static_cast<std::uint64_t>(decision.skipped);
        if constexpr (tells_skips) untold_skips_ += static_cast<std::uint64_t>(decision.skipped);
    }

    /// The next look. On the real clock a worker's looks are put off to the next multiple of 1/1024
    /// of its period, rounded down to a power of two, so that near ones share a wake-up.
    void wait_until(TimePoint due) noexcept;

    void arm(Armed purpose, TimePoint due) noexcept {
        armed_ = purpose;
        wheel_->arm(*this, due);
    }
    void disarm() noexcept {
        if (std::exchange(armed_, Armed::no) != Armed::no) wheel_->disarm(*this);
    }
    void disarm_check() noexcept {
        if (armed_ == Armed::due || armed_ == Armed::begin) disarm();
    }

    void rest() noexcept {
        if (!std::exchange(working_, false)) return;
        if (extras_ && extras_->gate) std::exchange(extras_->gate, {})->unsubscribe(*extras_);
        wheel_->context().remove_work();
    }

    // ---- the node ----

    void node_fired();

    void on_fire();

    void on_posted_fire();

    void check_is_due(TimePoint now);

    // ---- an attempt ----

    /// In the loop. What listeners throw goes on to run(), and the attempt is made in the next
    /// turn.
    void begin(TimePoint now);

    void ask();

    void timeout_is_over(TimePoint now) noexcept;

    void stop_attempt(StopReason reason) noexcept;

    [[nodiscard]] bool leave_queue() noexcept { return extras_->limit->withdraw(*extras_); }

    void give_place_back() noexcept {
        if (std::exchange(has_place_, false)) extras_->limit->release_permit();
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

    void tell_result(const Step& step, const Decision& decision, int attempt_in_check,
                     std::error_code error, ProbeResult&& result);

    void tell_verdict(const Verdict& verdict, WorkerState before, WorkerState after,
                      std::uint32_t life);

    void tell_state(WorkerState before, WorkerState after) {
        if constexpr (SeesStateChanged<Unwrapped<Obs>>)
            if (before != after) tell(observer_, StateChanged{kind(), before, after, clock_.now()});
    }

    void tell_stopped() noexcept {
        if (extras_ && extras_->stop_waits) extras_->stop_waits->complete_all({});
    }

    // What a call has changed, to be told in order.
    void note(const Step& step, const Decision& decision) noexcept;

    [[nodiscard]] bool has_notes() const noexcept { return extras_ && !extras_->notes.empty(); }

    void tell_notes();

    [[nodiscard]] Verdict verdict_of(const Decision& decision, TimePoint now,
                                     ProbeResult&& result) const;

    // For waits that come later. A plain success can be told again without having been kept.
    void remember_deciding(const ProbeResult& result);

    [[nodiscard]] Verdict standing_verdict() const;

    [[nodiscard]] Extras& extras() {
        if (!extras_) extras_ = std::make_unique<Extras>(*this);
        return *extras_;
    }

    static inline const WheelHooks hooks{
        .retain = [](WheelNode& node) noexcept { static_cast<WorkerCore&>(node).retain(); },
        .fire =
            [](WheelNode& node) {
                Ref<WorkerCore>::adopt(&static_cast<WorkerCore&>(node))->node_fired();
            },
    };

    // A program may have a million of these: the order leaves no gaps, and what each look touches
    // comes first, next to the node.
    [[no_unique_address]] ClockRef<Clk> clock_;
    [[no_unique_address]] Machine fsm_;
    Ref<Wheel> wheel_;
    std::unique_ptr<Extras> extras_;
    std::uint64_t attempts_ = 0; // begun
    std::uint64_t skipped_ = 0;
    TimePoint last_at_ = {};
    TimePoint begun_at_ = {};
    Duration last_elapsed_ = {};
    PackedErrorCode last_cause_;
    PackedErrorCode last_error_;
    int last_status_ = -1;
    std::uint32_t life_ = 0; // changes with start, stop and destruction
    std::atomic<Health> health_;
    Attempt attempt_ = Attempt::none;
    Armed armed_ = Armed::no;
    bool working_ = false;
    bool dropped_ = false; // the attempt has been called off, its result counts for nothing
    bool has_place_ = false;
    Outcome last_outcome_ : 2 = Outcome::unknown;
    Verdict::Origin origin_ : 2 = Verdict::Origin::result;
    Health previous_ : 2 = Health::unknown;
    std::uint8_t attempt_in_check_ : 2 = 0;
    bool expired_ : 1 = false; // our guard has cancelled it
    bool timeout_renewed_ : 1 = false;
    bool gate_seen_ : 1 = true;
    bool telling_ : 1 = false;
    bool emitting_ : 1 = false;
    bool callback_set_ : 1 = false;
    bool detached_ : 1 = false;
    bool asked_gone_ : 1 = false;
    union {
        Asked asked_; // destroyed with the context, if that goes first
    };
    [[no_unique_address]] Obs observer_;
    [[no_unique_address]] std::conditional_t<Asked::needs_slot, asio::cancellation_signal, Nothing>
        signal_;
    [[no_unique_address]] std::conditional_t<tells_skips, std::uint64_t, Nothing> untold_skips_{};
    SmallFunction<Verdict> callback_;
    std::uint64_t errors_ = 0;
    Duration previous_duration_ = {};
};

} // namespace probekit::inline PROBEKIT_ABI::detail

#include <probekit/runtime/impl/worker_core.hpp>
#include <probekit/runtime/impl/worker_end.hpp>
#include <probekit/runtime/impl/worker_telling.hpp>
