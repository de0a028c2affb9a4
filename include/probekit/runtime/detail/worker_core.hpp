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
#include <probekit/runtime/detail/clock_ref.hpp>
#include <probekit/runtime/detail/small_function.hpp>
#include <probekit/runtime/detail/worker_extras.hpp>
#include <probekit/runtime/startup_gate.hpp>
#include <probekit/system/detail/at_exit.hpp>
#include <probekit/system/detail/block_pool.hpp>
#include <probekit/system/detail/context_state.hpp>
#include <probekit/system/detail/executors.hpp>
#include <probekit/system/detail/ref.hpp>
#include <probekit/system/detail/wheel.hpp>

namespace probekit::inline v0::detail {

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
          asked_(std::move(probe)),
          observer_(std::move(observer)),
          wheel_(clock_.wheel(executor())),
          health_(fsm_.health()) {
        if (must_not_outlive_context(executor())) static_cast<void>(extras()); // which are told when that goes
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
        const Step step{*this};
        changed_by_call(step, fsm_.step(event, step.now));
    }

    [[nodiscard]] bool probe_now() noexcept {
        on_gate(); // it may have been shut or opened unheard
        if (attempt_ == Attempt::decided || attempt_ == Attempt::queued) return gate_seen_; // it is about to
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

    void opens(StartupGate& gate);

    void limit(Ref<LimitState> limit) { extras().limit = std::move(limit); }

    template <class Handler>
    void wait_for(Health wanted, Handler&& handler);

    template <class Handler>
    void stop_and_wait(Handler&& handler);

    [[nodiscard]] WorkerSnapshot snapshot() const noexcept;

    /// From any thread.
    [[nodiscard]] Health health() const noexcept { return health_.load(std::memory_order_relaxed); }

    [[nodiscard]] const WorkerFsm<Pol>& fsm() const noexcept { return fsm_; }
    [[nodiscard]] Obs& observer() noexcept { return observer_; }
    [[nodiscard]] const Executor& executor() const noexcept {
        if constexpr (probe_shows_executor)
            return asked_.probe.look_executor();
        else
            return asked_.executor;
    }

    // ---- what the context, gates and limits call; post() from any thread ----

    [[nodiscard]] ContextState& context() const noexcept { return wheel_->context(); }

    /// The context goes before the worker, which can only be destroyed after that.
    void context_gone() noexcept;

    void post(void (WorkerCore::*run)()) { asio::post(executor(), Call{Ref<WorkerCore>{this}, run}); }

    void on_gate() noexcept;

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

    static constexpr bool probe_shows_executor = requires(const P& probe) {
        { probe.look_executor() } -> std::same_as<const Executor&>;
    };
    static constexpr bool steady = std::same_as<Clk, std::chrono::steady_clock>;
    static constexpr bool holds_any = requires(const P& probe) { probe.keeps_timeout(); };
    // Our own probes end an attempt without a cancellation slot.
    static constexpr bool has_signal = holds_any || !std::derived_from<P, ProbeOfOurs>;
    static constexpr bool tells_beginning =
        SeesAttemptBegun<Unwrapped<Obs>> || SeesStateChanged<Unwrapped<Obs>> || SeesLooksSkipped<Unwrapped<Obs>>;

    [[nodiscard]] static auto executor_to_store(const P& probe) {
        if constexpr (probe_shows_executor)
            return Nothing{};
        else
            return Executor(probe.get_executor());
    }

    /// The probe, and its executor if it does not show its own.
    struct Asked {
        explicit Asked(P&& given) : probe(std::move(given)), executor(executor_to_store(probe)) {}
        P probe;
        [[no_unique_address]] decltype(executor_to_store(std::declval<const P&>())) executor;
    };

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
        void operator()() { core->look_done({}, error, std::move(result)); }
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

    void look_done(Ref<LookClient<Executor>>, std::error_code error, ProbeResult&& result) override;

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
    void changed_by_call(const Step& step, Decision decision) noexcept;

    void settle(const Decision& decision, TimePoint now) noexcept;

    void decide(const Decision& decision) noexcept {
        attempt_ = Attempt::decided;
        try_number_ = static_cast<std::uint8_t>(decision.try_number);
        skips_ += static_cast<std::uint64_t>(decision.skipped);
    }

    /// The next look. On the real clock a worker's looks are put off to the next multiple of 1/1024 of its period, rounded
    /// down to a power of two, so that near ones share a wake-up.
    void wait_until(TimePoint due) noexcept;

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

    void node_fired();

    void on_fire();

    void on_posted_fire();

    void look_is_due(TimePoint now);

    // ---- an attempt ----

    /// In the loop. What listeners throw goes on to run(), and the attempt is made in the next turn.
    void begin();

    void ask();

    [[nodiscard]] bool probe_keeps_timeout() const noexcept {
        if constexpr (holds_any)
            return asked_.probe.keeps_timeout();
        else
            return KeepsTimeout<P>;
    }

    /// Attempts of our own probes own what they need.
    [[nodiscard]] bool probe_serves_its_looks() const noexcept {
        if constexpr (holds_any)
            return asked_.probe.serves_its_looks();
        else
            return !std::derived_from<P, ProbeOfOurs>;
    }

    void timeout_is_over(TimePoint now) noexcept;

    void interrupt_attempt(Interrupt reason) noexcept;

    [[nodiscard]] bool leave_queue() noexcept { return extras_->limit->withdraw(*extras_); }

    void give_place_back() noexcept {
        if (std::exchange(has_place_, false)) extras_->limit->give_back();
    }

    void replace_probe(P&& next);

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
                     ProbeResult&& result);

    void tell_verdict(const Verdict& verdict, WorkerState before, WorkerState after, std::uint32_t life);

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

    [[nodiscard]] Verdict verdict_of(const Decision& decision, TimePoint now, ProbeResult&& result) const;

    // For waits that come later. A plain success can be told again without having been kept.
    void remember_deciding(const ProbeResult& result);

    [[nodiscard]] Verdict standing_verdict() const;

    [[nodiscard]] Extras& extras() {
        if (!extras_) extras_ = std::make_unique<Extras>(*this);
        return *extras_;
    }

    static inline const WheelHooks hooks{
        .retain = [](WheelNode& node) noexcept { static_cast<WorkerCore&>(node).retain(); },
        .fire = [](WheelNode& node) { Ref<WorkerCore>::adopt(&static_cast<WorkerCore&>(node))->node_fired(); },
    };

    [[no_unique_address]] ClockRef<Clk> clock_;
    WorkerFsm<Pol> fsm_;
    union {
        Asked asked_; // destroyed with the context, if that goes first
    };
    [[no_unique_address]] Obs observer_;
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
    bool timeout_renewed_ = false;
    bool has_place_ = false;
    bool gate_seen_ = true;
    bool telling_ = false;
    bool emitting_ = false;
    bool callback_set_ = false;
    bool asked_gone_ = false;
};

} // namespace probekit::inline v0::detail

#include <probekit/runtime/impl/worker_core.hpp>
#include <probekit/runtime/impl/worker_end.hpp>
#include <probekit/runtime/impl/worker_telling.hpp>
