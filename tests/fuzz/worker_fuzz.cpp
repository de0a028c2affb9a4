// WorkerFsm: over long lives of containers the same as the oracle, and under any events at any
// times what it promises.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <probekit/core/worker_fsm.hpp>

#include "../core/worker_oracle.hpp"
#include "bytes.hpp"
#include "check.hpp"

namespace {

using namespace probekit;
using namespace std::chrono_literals;

ProbeSpec some_spec(fuzz::Bytes& input) {
    ProbeSpec spec;
    spec.kind = static_cast<ProbeKind>(input.below(3));
    spec.period = oracle::period;
    spec.initial_delay = input.below(30) * 1s;
    spec.failure_threshold = 1 + static_cast<int>(input.below(5));
    if (spec.kind == ProbeKind::readiness)
        spec.success_threshold = 1 + static_cast<int>(input.below(5));
    return spec;
}

void compare_with_oracle(fuzz::Bytes& input) {
    const ProbeSpec spec = some_spec(input);
    const bool adopted = input.flag();
    TimePoint now{};
    oracle::Node node = oracle::Node::first(spec, adopted, input.flag(), now);
    bool keep_going = node.tick(node.status, now, input.one_of(oracle::answers));
    fuzz::check(node.agree(keep_going), "the first tick is as the kubelet's");
    while (keep_going && !input.empty()) {
        now += spec.period;
        const auto status = oracle::changed(node.status, input.one_of(oracle::changes), now);
        const oracle::Answer answer = input.one_of(oracle::answers);
        if (!status) continue;
        keep_going = node.tick(*status, now, answer);
        fuzz::check(node.agree(keep_going), "each tick is as the kubelet's");
    }
}

/// What a caller of WorkerFsm may rely on, whatever happens.
class Caller {
public:
    explicit Caller(const ProbeSpec& spec) : fsm_(spec) {}

    template <class Event>
    void tell(Event event, TimePoint now) {
        const bool was_in_flight = fsm_.in_flight();
        const Health before = fsm_.health();
        const Decision decision = fsm_.step(event, now);
        if (decision.action == Decision::Action::attempt) {
            fuzz::check(decision.attempt_in_check >= 1 && decision.attempt_in_check <= 3,
                        "there are three tries");
            fuzz::check(fsm_.in_flight() && fsm_.state() == WorkerState::probing,
                        "who looks is probing");
            fuzz::check(!timer_ || decision.attempt_in_check > 0, "a look needs no timer");
            timer_.reset();
        }
        if (decision.action == Decision::Action::wait) timer_ = decision.at;
        if (decision.action == Decision::Action::hold || decision.action == Decision::Action::end)
            timer_.reset();
        if (decision.cancel) fuzz::check(was_in_flight, "only what is in flight is cancelled");
        if (decision.changed)
            fuzz::check(decision.health == fsm_.health(), "what is told is what is so");
        if (fsm_.health() != before)
            fuzz::check(decision.changed || decision.origin != Verdict::Origin::result ||
                            started_anew_,
                        "no verdict changes unheard");
        fuzz::check(fsm_.run() >= 0, "a run is no debt");
        if (fsm_.state() == WorkerState::stopped || fsm_.state() == WorkerState::ended)
            fuzz::check(!timer_ || *timer_ == TimePoint::max(), "who has ended waits for nothing");
    }

    void starts_anew(bool anew) { started_anew_ = anew; }
    [[nodiscard]] const std::optional<TimePoint>& timer() const { return timer_; }
    [[nodiscard]] const WorkerFsm<>& fsm() const { return fsm_; }

private:
    WorkerFsm<> fsm_;
    std::optional<TimePoint> timer_ = {};
    bool started_anew_ = false;
};

void tell_anything(fuzz::Bytes& input) {
    ProbeSpec spec = some_spec(input);
    spec.period = 1ms * (1 + input.byte());
    if (input.flag()) spec.pacing.cadence = Cadence::target_start;
    if (input.flag()) spec.pacing.jitter = spec.period / 2;
    spec.pacing.seed = 1 + input.byte();
    Caller caller{spec};
    TimePoint now{};
    while (!input.empty()) {
        now += input.byte() * 1ms;
        const unsigned what = input.below(19);
        caller.starts_anew(what == 0 || what == 1 || what == 18);
        ProbeResult result;
        result.outcome = static_cast<Outcome>(input.below(4));
        switch (what) {
        case 0: caller.tell(event::Started{now}, now); break;
        case 1:
            caller.tell(event::TargetStarted{now - input.byte() * 1ms, input.flag()}, now);
            break;
        case 2: caller.tell(event::TargetBack{}, now); break;
        case 3: caller.tell(event::TargetGone{}, now); break;
        case 4: caller.tell(event::Terminating{}, now); break;
        case 5: caller.tell(event::GateOpened{}, now); break;
        case 6: caller.tell(event::GateClosed{}, now); break;
        case 7:
        case 8:
        case 9:
            if (caller.timer() && *caller.timer() != TimePoint::max())
                now = std::max(now, *caller.timer());
            caller.tell(event::Due{}, now);
            break;
        case 10:
        case 11: caller.tell(event::Result{result}, now); break;
        case 12: caller.tell(event::Error{}, now); break;
        case 13: caller.tell(event::AttemptCancelled{}, now); break;
        case 14: caller.tell(event::Triggered{}, now); break;
        case 15: caller.tell(event::Paused{}, now); break;
        case 16: caller.tell(event::AttemptScheduled{}, now); break;
        case 17: caller.tell(event::AttemptBegun{}, now); break;
        default:
            input.flag() ? caller.tell(event::Resumed{}, now) : caller.tell(event::Stopped{}, now);
            break;
        }
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input{data, size};
    if (input.flag())
        compare_with_oracle(input);
    else
        tell_anything(input);
    return 0;
}
