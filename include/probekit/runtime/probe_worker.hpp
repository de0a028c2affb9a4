// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <concepts>
#include <functional>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/async_result.hpp>

#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/policy.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/probes/detail/builtin_probe.hpp>
#include <probekit/probes/probe.hpp>
#include <probekit/runtime/attempt_limit.hpp>
#include <probekit/runtime/clock.hpp>
#include <probekit/runtime/detail/small_function.hpp>
#include <probekit/runtime/detail/worker_core.hpp>
#include <probekit/runtime/startup_gate.hpp>

namespace probekit::inline PROBEKIT_ABI {
namespace detail {

// What an extra argument of a worker is: a policy if it has a `judge` of any signature, else an
// observer.
template <class X>
concept HasJudge = requires(X& extra, const ProbeResult& result, const ProbeSpec& spec) {
    extra.judge(result, spec);
} || requires { &X::judge; };
template <class X>
using PolicyOf = std::conditional_t<HasJudge<X>, X, KubeletPolicy>;
template <class X>
using ObserverOf = std::conditional_t<HasJudge<X>, NoObserver, X>;

} // namespace detail

/// Checks one target with one probe, as a kubelet's probe worker checks a container.
/// \code
/// ProbeWorker worker{TcpProbe{io, {.port = 8080}},
///                    {.kind = ProbeKind::liveness, .period = 5s, .failure_threshold = 3}};
/// worker.on_verdict([](const Verdict& verdict) { std::cout << verdict.reason() << '\n'; });
/// worker.start();
/// worker.async_wait(Health::failing, [](std::error_code, const Verdict&) { std::exit(1); });
/// \endcode
///
/// It starts attempts when ProbeSpec says so, judges their results, and notifies its listeners when
/// the verdict changes. A liveness worker that has failed is on hold until target_replaced().
///
/// A worker is a handle: it may be moved freely, and destroyed at any moment, also from inside its
/// own callbacks. Destruction cancels, never blocks, and calls nothing. Use one worker from one
/// thread or strand at a time; health() and passing() from any. If several threads run the context,
/// give the probe a strand.
///
/// Calls change what health() and snapshot() say before they return. Callbacks about it are posted,
/// and a check begins in the event loop, never inside the call. Callbacks run on the probe's
/// executor, in this order: observer, on_verdict, waits; never nested. What they throw goes to the
/// caller of run(), and the worker goes on.
///
/// A started worker keeps the context's run() going until stop(), the end of its target, or its
/// destruction.
template <Probe P, class Pol = KubeletPolicy, class Obs = NoObserver,
          Clock Clk = std::chrono::steady_clock>
class ProbeWorker {
    static_assert(Policy<Pol>,
                  "probekit: a policy needs "
                  "`std::optional<Health> judge(const ProbeResult&, const ProbeSpec&) noexcept`");
    static_assert(Observer<Obs>,
                  "probekit: an observer needs at least one of attempt_begun(const AttemptBegun&), "
                  "attempt_ended(const AttemptEnded&), verdict_changed(const Verdict&), "
                  "state_changed(const StateChanged&), checks_skipped(const ChecksSkipped&), "
                  "and none of these names with another signature");

    static constexpr bool steady = std::same_as<Clk, std::chrono::steady_clock>;
    // After a mistake the compiler says no more than the two messages above.
    static constexpr bool arguments_valid = Policy<Pol> && Observer<Obs>;
    using Core = detail::WorkerCore<P, std::conditional_t<Policy<Pol>, Pol, KubeletPolicy>,
                                    std::conditional_t<Observer<Obs>, Obs, NoObserver>, Clk>;

public:
    using executor_type = typename P::executor_type;

    /// Throws ConfigException if validate(spec) finds anything.
    ProbeWorker(P probe, const ProbeSpec& spec, std::type_identity_t<Pol> policy = {},
                std::type_identity_t<Obs> observer = {})
        requires steady
        : ProbeWorker(detail::ClockRef<Clk>{}, std::move(probe), spec, std::move(policy),
                      std::move(observer)) {}
    ProbeWorker(P probe, const ProbeSpec& spec, std::type_identity_t<Obs> observer)
        requires(steady && !std::same_as<Pol, Obs>)
        : ProbeWorker(detail::ClockRef<Clk>{}, std::move(probe), spec, Pol{}, std::move(observer)) {
    }

    /// Reads the time from another clock, which must outlive the worker.
    ProbeWorker(Clk& clock, P probe, const ProbeSpec& spec, std::type_identity_t<Pol> policy = {},
                std::type_identity_t<Obs> observer = {})
        requires(!steady)
        : ProbeWorker(detail::ClockRef<Clk>{clock}, std::move(probe), spec, std::move(policy),
                      std::move(observer)) {}
    ProbeWorker(Clk& clock, P probe, const ProbeSpec& spec, std::type_identity_t<Obs> observer)
        requires(!steady && !std::same_as<Pol, Obs>)
        : ProbeWorker(detail::ClockRef<Clk>{clock}, std::move(probe), spec, Pol{},
                      std::move(observer)) {}

    ProbeWorker(ProbeWorker&&) noexcept = default;
    ProbeWorker& operator=(ProbeWorker&& other) noexcept {
        if (this != &other) {
            if (core_) core_->abandon();
            core_ = std::move(other.core_);
        }
        return *this;
    }
    ~ProbeWorker() {
        if (core_) core_->abandon();
    }

    /// The probe's.
    [[nodiscard]] executor_type get_executor() const noexcept { return core_->executor(); }

    /// `callback(const Verdict&)` is called at each change of the verdict, and at the first
    /// judgement even if it equals the initial health. A worker has one; it may be replaced at any
    /// time, also from inside itself; nullptr: none. Captures of up to four pointers' size are
    /// stored inside the worker.
    template <class F>
        requires std::invocable<std::decay_t<F>&, const Verdict&>
    void on_verdict(F&& callback) {
        core_->on_verdict(detail::SmallFunction<Verdict>{std::forward<F>(callback)});
    }
    void on_verdict(std::nullptr_t) noexcept { core_->on_verdict({}); }

    /// Adds a condition to the gate: met while this worker passes by a result, unmet while its
    /// health is unknown and from target_replaced() and target_gone() on. stop() and destruction
    /// leave it as it is.
    void opens(StartupGate& gate) { core_->opens(gate); }

    /// Attempts begin only when the limit has a permit for them. Call it before start().
    void limit(AttemptLimit& limit) { core_->limit(detail::LimitAccess::state(limit)); }

    /// Starts with the initial health (startup unknown, liveness passing, readiness failing). The
    /// first check comes at once, or when the initial delay is over. Does nothing if started. May
    /// throw std::bad_alloc.
    void start() { core_->start({}); }
    /// The same, but no check begins while the gate is closed. When it opens, a readiness worker
    /// makes a check at once, as the kubelet triggers it, and the others at the next point of their
    /// grid. The initial delay counts from start().
    void start(const StartupGate& gate) { core_->start(detail::GateAccess::state(gate)); }

    /// Stops. An attempt in flight is cancelled; on_verdict is not called after this returns;
    /// health() stays. start() begins anew.
    void stop() noexcept { core_->stop(); }

    /// Stops, and waits for the attempt in flight: its child is reaped, its socket closed.
    ///
    /// Completes with: void(std::error_code); operation_aborted if the worker is destroyed first.
    /// Cancellation: terminal, partial and total alike end the waiting, not the stop.
    /// Threads: the handler runs on its associated executor, never inside this call.
    /// Throws: bad_alloc where the handler's memory cannot be had.
    template <class Token = asio::default_completion_token_t<executor_type>>
    auto async_stop(Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code)>(StopInitiation{core_}, token);
    }

    /// Waits for a judged verdict with this health, or for nothing if it stands already. The
    /// initial health does not count; `unknown` because of prober errors does.
    ///
    /// Completes with: void(std::error_code, Verdict); operation_aborted after stop() or
    /// destruction.
    /// Cancellation: terminal, partial and total alike give operation_aborted.
    /// Threads: the handler runs on its associated executor, never inside this call.
    /// Throws: bad_alloc where the handler's memory cannot be had.
    template <class Token = asio::default_completion_token_t<executor_type>>
    auto async_wait(Health wanted, Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code, Verdict)>(WaitInitiation{core_},
                                                                           token, wanted);
    }

    /// Makes a check at once, and begins the grid anew; if an attempt is in flight, the check
    /// follows right after it. False if no check follows: the worker is stopped, on hold, paused,
    /// without target or ended; or it is gated or inside the initial delay, where the grid begins
    /// anew all the same. Mirrors the kubelet's manual trigger.
    bool probe_now() noexcept { return core_->probe_now(); }

    /// No check begins until resume(). An attempt in flight is cancelled and not counted; verdict
    /// and counters stay.
    void pause() noexcept { core_->handle(event::Paused{}); }
    /// Makes a check at once, as probe_now().
    void resume() noexcept { core_->handle(event::Resumed{}); }

    /// Another target: initial health (on_verdict is called if that is a change), hold over,
    /// initial delay from now. An attempt in flight is cancelled. The grid goes on, as the
    /// kubelet's does over a restart; probe_now() makes a check at once.
    void target_replaced() noexcept { core_->target_replaced(); }
    /// The same, with an initial delay that counts from `since`.
    void target_replaced(TimePoint since) noexcept { core_->handle(event::TargetStarted{since}); }
    /// The same, with another probe from now on. The worker stays on the executor that it has.
    void target_replaced(P next) { core_->target_replaced(std::move(next)); }
    /// Failing, for every kind, unless on hold; no check until target_replaced() or target_back().
    void target_gone() noexcept { core_->handle(event::TargetGone{}); }
    /// The same target runs again: nothing is reset.
    void target_back() noexcept { core_->handle(event::TargetBack{}); }
    /// Startup and liveness pass and end, unless on hold. Readiness goes on.
    void target_terminating() noexcept { core_->handle(event::Terminating{}); }

    /// Another spec of the same kind, from now on. Returns what is wrong with it, and then nothing
    /// has changed. Counters and verdict stay. May throw std::bad_alloc, and then nothing has
    /// changed either.
    [[nodiscard]] ConfigErrors update(const ProbeSpec& spec) {
        ConfigErrors errors;
        if (spec.kind != core_->fsm().spec().kind) errors.push_back({"kind", "cannot change"});
        for (ConfigError& error : validate(spec)) errors.push_back(std::move(error));
        if (errors.empty()) core_->update(spec);
        return errors;
    }

    [[nodiscard]] ProbeSpec spec() const noexcept { return core_->fsm().spec(); }
    /// State, health and the last attempt, as plain values.
    [[nodiscard]] WorkerSnapshot snapshot() const noexcept { return core_->snapshot(); }

    /// Why it is failing now: the latest attempt that was not cancelled, with its message() where
    /// snapshot() has codes only; of a prober error too. Outcome `unknown` and no cause before the
    /// first has ended. Of a success without output only outcome, status and elapsed() are kept.
    ///
    /// Throws: bad_alloc.
    [[nodiscard]] ProbeResult last_result() const { return core_->last_result(); }

    /// From any thread.
    [[nodiscard]] Health health() const noexcept { return core_->health(); }
    [[nodiscard]] bool passing() const noexcept { return health() == Health::passing; }

    [[nodiscard]] const Pol& policy() const noexcept { return core_->fsm().policy(); }
    /// The observer itself, also where std::ref was given.
    [[nodiscard]] auto& observer() noexcept { return detail::unwrapped(core_->observer()); }

private:
    struct InitiationBase {
        using executor_type = typename P::executor_type;
        detail::Ref<Core> core;
        [[nodiscard]] executor_type get_executor() const noexcept { return core->executor(); }
    };
    struct StopInitiation : InitiationBase {
        template <class Handler>
        void operator()(Handler&& handler) const {
            this->core->stop_and_wait(std::forward<Handler>(handler));
        }
    };
    struct WaitInitiation : InitiationBase {
        template <class Handler>
        void operator()(Handler&& handler, Health wanted) const {
            this->core->wait_for(wanted, std::forward<Handler>(handler));
        }
    };

    ProbeWorker(detail::ClockRef<Clk> clock, P&& probe, const ProbeSpec& spec, Pol&& policy,
                Obs&& observer) {
        detail::throw_if_wrong(validate(spec));
        if constexpr (arguments_valid)
            core_ =
                Core::make(clock, std::move(probe), spec, std::move(policy), std::move(observer));
    }

    detail::Ref<Core> core_;
};

template <class P>
ProbeWorker(P, ProbeSpec) -> ProbeWorker<P>;
template <class P, class X>
ProbeWorker(P, ProbeSpec, X) -> ProbeWorker<P, detail::PolicyOf<X>, detail::ObserverOf<X>>;
template <class P, class Pol, class Obs>
ProbeWorker(P, ProbeSpec, Pol, Obs) -> ProbeWorker<P, Pol, Obs>;

template <class Clk, class P>
    requires Clock<Clk>
ProbeWorker(Clk&, P, ProbeSpec) -> ProbeWorker<P, KubeletPolicy, NoObserver, Clk>;
template <class Clk, class P, class X>
    requires Clock<Clk>
ProbeWorker(Clk&, P, ProbeSpec, X)
    -> ProbeWorker<P, detail::PolicyOf<X>, detail::ObserverOf<X>, Clk>;
template <class Clk, class P, class Pol, class Obs>
    requires Clock<Clk>
ProbeWorker(Clk&, P, ProbeSpec, Pol, Obs) -> ProbeWorker<P, Pol, Obs, Clk>;

} // namespace probekit::inline PROBEKIT_ABI
