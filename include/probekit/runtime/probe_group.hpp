// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <concepts>
#include <optional>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>

#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/group_fsm.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/probes/any_probe.hpp>
#include <probekit/runtime/attempt_limit.hpp>
#include <probekit/runtime/clock.hpp>
#include <probekit/runtime/detail/group_core.hpp>
#include <probekit/runtime/detail/small_function.hpp>
#include <probekit/runtime/detail/stop_initiation.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// A change of a group's target.
struct GroupChange {
    using Event = GroupEvent;

    Event event = Event::started;
    Verdict verdict = {}; ///< what it rests on; of no attempt if there is no such probe

    /// In the kubelet's words where it rests on an attempt: "Liveness probe failed: <message>".
    [[nodiscard]] std::string reason() const {
        if (verdict.origin != Verdict::Origin::target_replaced) return verdict.reason();
        switch (event) {
        case Event::started: return "target has started";
        case Event::ready: return "target is ready";
        case Event::unready:
        case Event::kill:
        case Event::prober_error: break;
        }
        return verdict.reason();
    }
};

/// Startup, liveness and readiness of one target, wired as the kubelet wires a container's.
/// \code
/// ProbeGroup group{io};
/// group.startup(TcpProbe{io, {.port = 8080}}, {.period = 1s, .failure_threshold = 30});
/// group.liveness(HttpGetProbe{io, {.port = 8080, .path = "/healthz"}}, {.period = 5s});
/// group.on_change([](const GroupChange& change) { std::cout << change.reason() << '\n'; });
/// group.start(); // the target runs now
/// \endcode
///
/// Liveness and readiness make no attempt until startup has passed; a kind without a probe counts
/// as passed. A probe that cannot ask (ProbeSpec::error_threshold) makes its target unready, if it
/// is the readiness probe, and else is reported; it never ends a target. The group reports one
/// stream of changes. The caller acts on them, and calls the group when its target is replaced,
/// gone or terminating. SupervisedProcess does both for a child process.
///
/// Movable, destroyable at any moment, with the rules of ProbeWorker: one thread or strand at a
/// time, callbacks posted.
template <Observer Obs = NoObserver, Clock Clk = std::chrono::steady_clock>
class ProbeGroup {
    using Core = detail::GroupCore<GroupChange, Obs, Clk>;
    static constexpr bool steady = std::same_as<Clk, std::chrono::steady_clock>;

public:
    using executor_type = asio::any_io_executor;

    /// `where`: an executor or an execution context; the probes' executor should be the same. The
    /// workers share the observer.
    template <detail::ExecutorSource<executor_type> Where>
        requires steady
    explicit ProbeGroup(Where&& where, Obs observer = {})
        : core_(new Core{detail::ClockRef<Clk>{},
                         detail::executor_from<executor_type>(std::forward<Where>(where)),
                         std::move(observer)}) {}
    /// Goes by another clock, which must outlive the group.
    template <detail::ExecutorSource<executor_type> Where>
        requires(!steady)
    ProbeGroup(Clk& clock, Where&& where, Obs observer = {})
        : core_(new Core{detail::ClockRef<Clk>{clock},
                         detail::executor_from<executor_type>(std::forward<Where>(where)),
                         std::move(observer)}) {}

    ProbeGroup(ProbeGroup&&) noexcept = default;
    ProbeGroup& operator=(ProbeGroup&& other) noexcept {
        if (this != &other) {
            if (core_) core_->abandon();
            core_ = std::move(other.core_);
        }
        return *this;
    }
    ~ProbeGroup() {
        if (core_) core_->abandon();
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return core_->executor(); }

    /// Adds a probe, whatever kind the spec names; again: replaces it. Also once started: it begins
    /// at once. Throws ConfigException.
    void startup(AnyProbe probe, const ProbeSpec& spec) {
        core_->set(ProbeKind::startup, std::move(probe), spec);
    }
    void liveness(AnyProbe probe, const ProbeSpec& spec) {
        core_->set(ProbeKind::liveness, std::move(probe), spec);
    }
    void readiness(AnyProbe probe, const ProbeSpec& spec) {
        core_->set(ProbeKind::readiness, std::move(probe), spec);
    }

    /// Attempts begin only when the limit has a permit for them: those of the probes that the group
    /// has by now. Call it before start().
    void limit(AttemptLimit& limit) { core_->limit(limit); }

    /// `callback(const GroupChange&)`; replaceable at any time, also from inside itself.
    template <class F>
        requires std::invocable<std::decay_t<F>&, const GroupChange&>
    void on_change(F&& callback) {
        core_->on_change(detail::SmallFunction<GroupChange>{std::forward<F>(callback)});
    }
    void on_change(std::nullptr_t) noexcept { core_->on_change({}); }

    /// The target runs now. Does nothing if started.
    void start() { core_->start(); }
    /// No on_change after this returns; what started() and ready() say stays.
    void stop() noexcept { core_->stop(); }
    /// Stops, and waits for the attempts in flight.
    ///
    /// Completes with: void(std::error_code) when all attempts have cleaned up.
    /// Cancellation: terminal, partial and total alike end the waiting, not the stop.
    /// Threads: the handler runs on its associated executor, never inside this call.
    /// Throws: bad_alloc where the handler's memory cannot be had.
    template <class Token = asio::default_completion_token_t<executor_type>>
    auto async_stop(Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code)>(
            detail::StopInitiation<Core>{core_}, token);
    }
    void pause() noexcept { core_->pause(); }
    void resume() noexcept { core_->resume(); }

    /// These go to all workers; see ProbeWorker. A target that is gone is not ready, with a
    /// readiness probe or without.
    void target_replaced() noexcept { core_->target_replaced(); }
    /// The same, with initial delays that count from `since`.
    void target_replaced(TimePoint since) noexcept { core_->target_replaced(since); }
    void target_gone() noexcept { core_->target_gone(); }
    void target_terminating() noexcept { core_->target_terminating(); }

    /// False also if there is no such probe.
    bool probe_now(ProbeKind kind) noexcept {
        auto& worker = core_->worker(kind);
        return worker && worker->probe_now();
    }

    /// As a kubelet when it synchronises a pod: checks readiness now if the target has started, is
    /// not ready and is not being checked, except with Cadence::target_start. False: no check
    /// follows.
    bool probe_unready() noexcept { return core_->probe_unready(); }

    [[nodiscard]] bool started() const noexcept { return core_->fsm().started(); }
    [[nodiscard]] bool ready() const noexcept { return core_->fsm().ready(); }
    /// The probe for which this target is to be killed; nothing once it is replaced or terminating.
    [[nodiscard]] std::optional<ProbeKind> failed() const noexcept { return core_->fsm().failed(); }
    [[nodiscard]] std::optional<WorkerSnapshot> snapshot(ProbeKind kind) const noexcept {
        const auto& worker = core_->worker(kind);
        return worker ? std::optional{worker->snapshot()} : std::nullopt;
    }
    /// As ProbeWorker::last_result(). Throws: bad_alloc.
    [[nodiscard]] std::optional<ProbeResult> last_result(ProbeKind kind) const {
        const auto& worker = core_->worker(kind);
        return worker ? std::optional{worker->last_result()} : std::nullopt;
    }

private:
    detail::Ref<Core> core_;
};

template <class Where>
ProbeGroup(Where&&) -> ProbeGroup<>;
template <class Where, class Obs>
    requires(!Clock<std::remove_reference_t<Where>>)
ProbeGroup(Where&&, Obs) -> ProbeGroup<Obs>;
template <class Clk, class Where>
    requires Clock<Clk>
ProbeGroup(Clk&, Where&&) -> ProbeGroup<NoObserver, Clk>;
template <class Clk, class Where, class Obs>
    requires Clock<Clk>
ProbeGroup(Clk&, Where&&, Obs) -> ProbeGroup<Obs, Clk>;

} // namespace probekit::inline PROBEKIT_ABI
