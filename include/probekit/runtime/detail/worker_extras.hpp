// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/runtime/attempt_limit.hpp>
#include <probekit/runtime/detail/notifier.hpp>
#include <probekit/runtime/startup_gate.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Something that a call has changed, and listeners have not been notified of.
struct WorkerNotification {
    std::optional<Verdict> verdict = {};
    WorkerState before = WorkerState::stopped;
    WorkerState after = WorkerState::stopped;
    std::uint32_t generation = 0;
    bool judged = false;   // whether the verdict is a judgement
    bool observed = false; // whether the observer has been notified of the verdict
};

/// What most workers do not need, in a block of its own: a gate, a limit, handlers that wait,
/// pending notifications. Listed with the context: if that is destroyed first, the worker has to
/// let go of what it shares with others.
template <class Core>
class WorkerExtras final : public GateListener, public LimitWaiter, private ShutdownListener {
public:
    explicit WorkerExtras(Core& core) : core_(&core) { core.context().add(*this); }
    ~WorkerExtras() { core_->context().remove(*this); }

    void subscribe(Ref<GateState> to) {
        gate = std::move(to);
        gate->subscribe(*this);
    }
    void unsubscribe() noexcept {
        if (gate) std::exchange(gate, {})->unsubscribe(*this);
    }

    /// False: waits, and the core's on_permit_granted() comes.
    [[nodiscard]] bool acquire_permit() noexcept {
        if (limit && !limit->acquire(*this)) return false;
        permit = limit;
        return true;
    }
    void release_permit() noexcept {
        if (!permit) return;
        give_back(std::exchange(permit, {}));
    }
    /// In on_permit_granted(): false if the permit has been given back meanwhile.
    [[nodiscard]] bool take_grant() noexcept {
        if (granted_.load(std::memory_order_relaxed) == 0) return false;
        granted_.fetch_sub(1, std::memory_order_relaxed);
        return true;
    }
    /// Gives back the permits that the core has been granted and has not heard of yet.
    void return_grants() noexcept {
        for (int left = granted_.exchange(0, std::memory_order_relaxed); left != 0; --left)
            give_back(limit);
    }

    Ref<GateState> gate;
    Ref<LimitState> limit;
    Ref<LimitState> permit; // where the attempt in flight has its permit from
    std::vector<StartupGate::Condition> opens;
    LazyWaiters<Verdict> waits; // tagged with the Health they wait for
    LazyWaiters<> stop_waits;
    std::deque<WorkerNotification> pending;
    std::optional<typename Core::probe_type> next_probe; // set while an attempt was in flight
    // Where they are not plain successes, which can be rebuilt: of the verdict that stands, and of
    // the latest attempt.
    std::unique_ptr<ProbeResult> deciding;
    std::unique_ptr<ProbeResult> last;

private:
    void retain_owner() noexcept override { core_->retain(); }
    void release_owner() noexcept override { core_->release(); }

    void gate_changed() override {
        core_->context().while_alive([this] { core_->post(&Core::on_gate); });
    }

    void limit_granted() override {
        bool posted = false;
        core_->context().while_alive([&] {
            granted_.fetch_add(1, std::memory_order_relaxed); // before the core can hear of it
            posted = !try_allocating([&] { core_->post(&Core::on_permit_granted); });
            if (!posted) granted_.fetch_sub(1, std::memory_order_relaxed);
        });
        if (!posted) limit->release_permit();
    }

    static void give_back(const Ref<LimitState>& to) noexcept {
        static_cast<void>(try_allocating([&] { to->release_permit(); }));
    }

    void on_context_shutdown() noexcept override { core_->on_context_shutdown(); }

    Core* core_;
    std::atomic<int> granted_ = 0; // permits whose on_permit_granted() has been posted
};

} // namespace probekit::inline PROBEKIT_ABI::detail
