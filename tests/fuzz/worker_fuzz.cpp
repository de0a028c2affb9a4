// WorkerFsm: it agrees with the oracle over many runs of containers, and keeps its promises
// whatever events come, at whatever times.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <probekit/core/worker_fsm.hpp>

#include "../core/worker_oracle.hpp"
#include "bytes.hpp"
#include "expect.hpp"

namespace {

using namespace probekit;
using namespace std::chrono_literals;

ProbeSpec some_spec(fuzz::Bytes& input) {
    ProbeSpec spec;
    spec.kind = static_cast<ProbeKind>(input.below(3));
    spec.period = oracle::period;
    spec.initial_delay = input.below(30) * 1s;
    spec.failure_threshold = 1 + static_cast<int>(input.below(5));
    spec.error_threshold = 0; // the kubelet's
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
    fuzz::expect(node.agree(keep_going), "the first tick agrees with the kubelet's");
    while (keep_going && !input.empty()) {
        now += spec.period;
        const auto status = oracle::changed(node.status, input.one_of(oracle::changes), now);
        const oracle::Answer answer = input.one_of(oracle::answers);
        if (!status) continue;
        keep_going = node.tick(*status, now, answer);
        fuzz::expect(node.agree(keep_going), "each tick agrees with the kubelet's");
    }
}

/// Checks what a caller of WorkerFsm may rely on, whatever happens.
class Caller {
public:
    explicit Caller(const ProbeSpec& spec) : fsm_(spec) {}

    template <class Event>
    void handle(Event event, TimePoint now) {
        const bool was_in_flight = fsm_.in_flight();
        const Health before = fsm_.health();
        const Decision decision = fsm_.step(event, now);
        if (decision.action == Decision::Action::attempt) {
            fuzz::expect(decision.attempt_in_check >= 1 && decision.attempt_in_check <= 3,
                         "a check has one to three attempts");
            fuzz::expect(fsm_.in_flight() && fsm_.state() == WorkerState::probing,
                         "a worker with an attempt is probing");
            fuzz::expect(!timer_ || decision.attempt_in_check > 0, "an attempt needs no timer");
            timer_.reset();
        }
        if (decision.action == Decision::Action::wait) timer_ = decision.at;
        if (decision.action == Decision::Action::hold || decision.action == Decision::Action::end)
            timer_.reset();
        if (decision.cancel) fuzz::expect(was_in_flight, "only an attempt in flight is cancelled");
        if (decision.changed)
            fuzz::expect(decision.health == fsm_.health(), "a decision reports the current health");
        if (fsm_.health() != before)
            fuzz::expect(decision.changed || decision.origin != Verdict::Origin::result ||
                             restarted_,
                         "no verdict changes without a decision that says so");
        fuzz::expect(fsm_.run() >= 0, "the number of equal results is not negative");
        if (fsm_.state() == WorkerState::stopped || fsm_.state() == WorkerState::ended)
            fuzz::expect(!timer_ || *timer_ == TimePoint::max(),
                         "a worker that has ended has no timer");
    }

    void set_restarted(bool restarted) { restarted_ = restarted; }
    [[nodiscard]] const std::optional<TimePoint>& timer() const { return timer_; }
    [[nodiscard]] const WorkerFsm<>& fsm() const { return fsm_; }

private:
    WorkerFsm<> fsm_;
    std::optional<TimePoint> timer_ = {};
    bool restarted_ = false;
};

void send_anything(fuzz::Bytes& input) {
    ProbeSpec spec = some_spec(input);
    spec.period = 1ms * (1 + input.byte());
    spec.error_threshold = static_cast<int>(input.below(3));
    if (input.flag()) spec.pacing.cadence = Cadence::target_start;
    if (input.flag()) spec.pacing.jitter = spec.period / 2;
    spec.pacing.seed = 1 + input.byte();
    Caller caller{spec};
    TimePoint now{};
    while (!input.empty()) {
        now += input.byte() * 1ms;
        const unsigned what = input.below(19);
        caller.set_restarted(what == 0 || what == 1 || what == 18);
        ProbeResult result;
        result.outcome = static_cast<Outcome>(input.below(4));
        switch (what) {
        case 0: caller.handle(event::Started{now}, now); break;
        case 1:
            caller.handle(event::TargetStarted{now - input.byte() * 1ms, input.flag()}, now);
            break;
        case 2: caller.handle(event::TargetBack{}, now); break;
        case 3: caller.handle(event::TargetGone{}, now); break;
        case 4: caller.handle(event::Terminating{}, now); break;
        case 5: caller.handle(event::GateOpened{}, now); break;
        case 6: caller.handle(event::GateClosed{}, now); break;
        case 7:
        case 8:
        case 9:
            if (caller.timer() && *caller.timer() != TimePoint::max())
                now = std::max(now, *caller.timer());
            caller.handle(event::Due{}, now);
            break;
        case 10:
        case 11: caller.handle(event::Result{result}, now); break;
        case 12: caller.handle(event::Error{}, now); break;
        case 13: caller.handle(event::AttemptCancelled{}, now); break;
        case 14: caller.handle(event::Triggered{}, now); break;
        case 15: caller.handle(event::Paused{}, now); break;
        case 16: caller.handle(event::AttemptScheduled{}, now); break;
        case 17: caller.handle(event::AttemptBegun{}, now); break;
        default:
            input.flag() ? caller.handle(event::Resumed{}, now)
                         : caller.handle(event::Stopped{}, now);
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
        send_anything(input);
    return 0;
}
