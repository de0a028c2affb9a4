// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>

#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/container_fsm.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/probes/any_probe.hpp>
#include <probekit/process/process_spec.hpp>
#include <probekit/runtime/clock.hpp>
#include <probekit/runtime/detail/clock_ref.hpp>
#include <probekit/runtime/detail/small_function.hpp>
#include <probekit/runtime/detail/stop_initiation.hpp>
#include <probekit/runtime/detail/supervised_core.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Restarts a process when it ends or when its probes say so, as a kubelet restarts a container:
/// probes gated by the startup probe, SIGTERM and a grace period, a restart policy with back-off.
///
/// \code
/// SupervisedProcess web{io, {.command = {"python3", "-m", "http.server", "8080"}}};
/// web.probe(ProbeKind::liveness, HttpGetProbe{io, {.port = 8080}}, {.period = 2s});
/// web.on_change([](const SupervisionChange& change) { std::puts(change.reason().c_str()); });
/// web.start();
/// io.run();
/// \endcode
///
/// The process has a process group of its own, and whatever is left of the group is killed when the
/// process ends. Between start() and the end of supervision run() has work. Supervision is over
/// when the policy says so, or after async_stop(); start() and restart() begin it anew.
///
/// A process that cannot be started counts as one that exited with 128 (SupervisionChange::error
/// says why), so it backs off like any other. Every decision is ContainerFsm's and GroupFsm's.
///
/// Destroyed while the process runs, it kills the group with SIGKILL and does not wait: the
/// execution context reaps it. When the context goes first, the process is killed with it.
///
/// Threads: one thread or strand at a time, as ProbeWorker. Callbacks run on the executor given,
/// never inside a call, and may call every member, destroy or replace the object included.
template <Observer Obs = NoObserver, Clock Clk = std::chrono::steady_clock>
class BasicSupervisedProcess {
    using Core = detail::SupervisedCore<Obs, Clk>;
    static constexpr bool steady = std::same_as<Clk, std::chrono::steady_clock>;

public:
    using executor_type = asio::any_io_executor;

    /// `where`: an executor or an execution context; the probes' executor should be the same. The
    /// observer sees all that the probes' workers do.
    ///
    /// Throws: ConfigException if validate(process) or validate(options) finds anything, bad_alloc.
    template <detail::ExecutorSource<executor_type> Where>
        requires steady
    explicit BasicSupervisedProcess(Where&& where, ProcessSpec process,
                                    const SupervisionOptions& options = {}, Obs observer = {})
        : core_(Core::make(detail::ClockRef<Clk>{},
                           detail::executor_from<executor_type>(std::forward<Where>(where)),
                           std::move(process), options, std::move(observer))) {}
    /// Counts back-offs and periods by another clock, which must outlive the object. Grace periods
    /// are the process's own and pass in real time.
    template <detail::ExecutorSource<executor_type> Where>
        requires(!steady)
    BasicSupervisedProcess(Clk& clock, Where&& where, ProcessSpec process,
                           const SupervisionOptions& options = {}, Obs observer = {})
        : core_(Core::make(detail::ClockRef<Clk>{clock},
                           detail::executor_from<executor_type>(std::forward<Where>(where)),
                           std::move(process), options, std::move(observer))) {}

    BasicSupervisedProcess(BasicSupervisedProcess&&) noexcept = default;
    BasicSupervisedProcess& operator=(BasicSupervisedProcess&& other) noexcept {
        if (this == &other) return *this;
        if (core_) core_->abandon();
        core_ = std::move(other.core_);
        return *this;
    }
    ~BasicSupervisedProcess() {
        if (core_) core_->abandon();
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return core_->executor(); }

    /// Adds the probe of one kind, whatever kind the spec names; again: replaces it. Before start()
    /// as a rule; later, it begins at once. `spec.termination_grace_period` counts when the process
    /// is killed for this probe.
    ///
    /// Throws: ConfigException, bad_alloc.
    void probe(ProbeKind kind, AnyProbe probe, const ProbeSpec& spec) {
        core_->probe(kind, std::move(probe), spec);
    }

    /// `callback(const SupervisionChange&)`; replaceable at any time, also from inside itself.
    template <class F>
        requires std::invocable<std::decay_t<F>&, const SupervisionChange&>
    void on_change(F&& callback) {
        core_->on_change(detail::SmallFunction<SupervisionChange>{std::forward<F>(callback)});
    }
    void on_change(std::nullptr_t) noexcept { core_->on_change({}); }

    /// Starts the process now. Does nothing while supervision goes on; after its end everything
    /// begins anew, the back-off too.
    ///
    /// Throws: bad_alloc. That the process cannot be started is no exception but an exit.
    void start() { core_->start(); }

    /// Ends the process with its grace period and starts it again at once, whatever its restart
    /// policy; a process that waits for its back-off, or is over, is started now. The back-off does
    /// not move. Does nothing while the process is being stopped.
    void restart() { core_->restart(); }

    /// Ends the process for good: the termination's signal, its grace period, SIGKILL.
    ///
    /// Completes with: `void(std::error_code, ExitStatus)` once the process has been reaped and the
    /// probes have cleaned up; the status is that of the last run, and the error is empty, or
    /// Errc::status_lost as of Process::async_wait. Soon if nothing runs. `operation_aborted` if
    /// the object is destroyed meanwhile.
    /// Cancellation: terminal, partial and total alike end the waiting, not the stop.
    /// Threads: the handler runs on its associated executor, never inside this call.
    /// Throws: bad_alloc where the handler's memory cannot be had.
    template <class Token = asio::default_completion_token_t<executor_type>>
    auto async_stop(Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code, ExitStatus)>(
            detail::StopInitiation<Core>{core_}, token);
    }

    /// Signals the process's group: std::errc::no_such_process if it does not run.
    std::error_code signal(int number) noexcept { return core_->signal(number); }

    /// What the last run said, as Process::output(), if the spec captures it. Valid until the next
    /// run.
    [[nodiscard]] std::string_view output() const noexcept { return core_->output(); }

    [[nodiscard]] bool started() const noexcept { return core_->started(); }
    [[nodiscard]] bool ready() const noexcept { return core_->ready(); }

    /// All of it at one moment; allocates nothing.
    [[nodiscard]] SupervisionSnapshot snapshot() const noexcept { return core_->snapshot(); }
    /// As ProbeGroup::last_result(). Throws: bad_alloc.
    [[nodiscard]] std::optional<ProbeResult> last_result(ProbeKind kind) const {
        return core_->last_result(kind);
    }

private:
    detail::Ref<Core> core_;
};

template <class Where>
BasicSupervisedProcess(Where&&, ProcessSpec) -> BasicSupervisedProcess<>;
template <class Where>
BasicSupervisedProcess(Where&&, ProcessSpec, SupervisionOptions) -> BasicSupervisedProcess<>;
template <class Where, class Obs>
BasicSupervisedProcess(Where&&, ProcessSpec, SupervisionOptions, Obs)
    -> BasicSupervisedProcess<Obs>;
template <class Clk, class Where>
    requires Clock<Clk>
BasicSupervisedProcess(Clk&, Where&&, ProcessSpec) -> BasicSupervisedProcess<NoObserver, Clk>;
template <class Clk, class Where>
    requires Clock<Clk>
BasicSupervisedProcess(Clk&, Where&&, ProcessSpec, SupervisionOptions)
    -> BasicSupervisedProcess<NoObserver, Clk>;
template <class Clk, class Where, class Obs>
    requires Clock<Clk>
BasicSupervisedProcess(Clk&, Where&&, ProcessSpec, SupervisionOptions, Obs)
    -> BasicSupervisedProcess<Obs, Clk>;

using SupervisedProcess = BasicSupervisedProcess<>;

} // namespace probekit::inline PROBEKIT_ABI
