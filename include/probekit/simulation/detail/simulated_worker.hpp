// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <system_error>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/worker_fsm.hpp>
#include <probekit/simulation/script.hpp>
#include <probekit/simulation/timeline.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A worker of a simulation: applies what its WorkerFsm decides, on a clock that its owner moves.
/// `Owner` has `now()`, `response_to(SimulatedWorker&)`, `record(Event)` and
/// `judged(SimulatedWorker&, const Decision&)`.
template <class Owner>
class SimulatedWorker {
public:
    SimulatedWorker(Owner& owner, ProbeKind kind, const ProbeSpec& spec)
        : owner_(owner), fsm_(seeded(spec, kind)) {
        fsm_.step(event::GateClosed{}, TimePoint{});
    }

    [[nodiscard]] ProbeKind kind() const noexcept { return fsm_.spec().kind; }
    [[nodiscard]] const ProbeSpec& spec() const noexcept { return fsm_.spec(); }
    [[nodiscard]] bool begun() const noexcept { return begun_; }
    [[nodiscard]] bool in_flight() const noexcept { return flight_.has_value(); }
    /// How many attempts have begun.
    [[nodiscard]] int attempts() const noexcept { return attempts_; }
    /// When the attempt in flight ends, and when the next check is due; TimePoint::max(): never.
    [[nodiscard]] TimePoint ends() const noexcept {
        return flight_ ? flight_->ends : TimePoint::max();
    }
    [[nodiscard]] TimePoint due() const noexcept { return due_; }

    void start(TimePoint target_since) {
        begun_ = true;
        step(event::Started{target_since});
    }
    void set_gate(bool open) {
        if (std::exchange(gate_open_, open) == open) return;
        if (open)
            step(event::GateOpened{});
        else
            step(event::GateClosed{});
    }
    template <class WorkerEvent>
    void step(WorkerEvent event) {
        apply(fsm_.step(event, owner_.now()));
    }

    void check_due() {
        due_ = TimePoint::max();
        step(event::Due{});
    }

    void attempt_ends() {
        const Flight ended = *std::exchange(flight_, std::nullopt);
        simulation::Event event = attempt_event(ended);
        event.outcome = ended.result.outcome;
        event.error = ended.error;
        event.timed_out = ended.result.cause == Errc::timed_out;
        owner_.record(event);
        if (ended.error)
            step(event::Error{ended.error});
        else
            step(event::Result{ended.result});
    }

private:
    struct Flight {
        TimePoint began = {};
        TimePoint ends = {};
        std::error_code error = {};
        ProbeResult result = {};
    };

    /// With a fixed seed, so that simulations can be repeated.
    static ProbeSpec seeded(ProbeSpec spec, ProbeKind kind) {
        spec.kind = kind;
        if (spec.pacing.seed == 0) spec.pacing.seed = 1 + static_cast<std::uint64_t>(kind);
        return spec;
    }

    void apply(const Decision& decision) {
        switch (decision.action) {
        case Decision::Action::none: break;
        case Decision::Action::attempt: begin_attempt(); break;
        case Decision::Action::wait:
            due_ = shared_moment(decision.at, spec().pacing.slack.value_or(Duration{}));
            break;
        case Decision::Action::hold:
        case Decision::Action::end: due_ = TimePoint::max(); break;
        }
        if (decision.cancel) cancel_attempt();
        if (decision.changed) owner_.judged(*this, decision);
    }

    void begin_attempt() {
        due_ = TimePoint::max();
        ++attempts_;
        const simulation::Response response = owner_.response_to(*this);
        const bool timed_out = response.takes > spec().timeout;
        const Duration takes =
            std::max(Duration::zero(), timed_out ? spec().timeout : response.takes);
        flight_ = Flight{.began = owner_.now(), .ends = saturating_add(owner_.now(), takes)};
        if (timed_out) {
            flight_->result = ProbeResult::failure(Errc::timed_out);
        } else {
            flight_->error = response.error;
            flight_->result.outcome = response.outcome;
        }
    }

    /// A simulated attempt needs no time to end.
    void cancel_attempt() {
        simulation::Event event = attempt_event(*std::exchange(flight_, std::nullopt));
        event.error = make_error_code(std::errc::operation_canceled);
        owner_.record(event);
        step(event::AttemptCancelled{});
    }

    simulation::Event attempt_event(const Flight& flight) const {
        return {.what = simulation::Event::What::check,
                .kind = kind(),
                .span = owner_.now() - flight.began};
    }

    Owner& owner_;
    WorkerFsm<> fsm_;
    std::optional<Flight> flight_ = {};
    TimePoint due_ = TimePoint::max();
    int attempts_ = 0;
    bool begun_ = false;
    bool gate_open_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
