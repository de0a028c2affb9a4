// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/waiters.hpp>
#include <probekit/config.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/runtime/attempt_limit.hpp>
#include <probekit/runtime/startup_gate.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Something a call has changed, and listeners have not been told.
struct WorkerNote {
    std::optional<Verdict> verdict = {};
    WorkerState before = WorkerState::stopped;
    WorkerState after = WorkerState::stopped;
    std::uint32_t life = 0;
};

/// What most workers do not need, in a block of its own: a gate, a limit, handlers that wait, news
/// to be told. Listed with the context: when that goes first the worker must let go of what it
/// shares with others.
template <class Core>
class WorkerExtras final : public GateListener, public LimitWaiter, private ShutdownListener {
public:
    using VerdictWaiters = WaiterQueue<Verdict>;
    using StopWaiters = WaiterQueue<>;

    explicit WorkerExtras(Core& core) : core_(&core) { core.context().add(*this); }
    ~WorkerExtras() { core_->context().remove(*this); }

    Ref<GateState> gate;
    Ref<LimitState> limit;
    std::vector<StartupGate::Condition> opens;
    Ref<VerdictWaiters> waits; // tagged with the Health they wait for
    Ref<StopWaiters> stop_waits;
    std::deque<WorkerNote> notes;
    std::optional<typename Core::probe_type>
        next_probe; // its target came while an attempt was in flight
    std::optional<ProbeResult>
        deciding; // the look behind the standing verdict, if not a plain success

private:
    void retain_owner() noexcept override { core_->retain(); }
    void release_owner() noexcept override { core_->release(); }

    void gate_changed() override {
        core_->context().while_alive([this] { core_->post(&Core::on_gate); });
    }

    void limit_granted() override {
        bool posted = false;
        core_->context().while_alive([&] {
            core_->post(&Core::on_granted);
            posted = true;
        });
        if (!posted) limit->release_permit();
    }

    void on_context_shutdown() noexcept override { core_->on_context_shutdown(); }

    Core* core_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
