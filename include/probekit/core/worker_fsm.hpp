// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstdint>
#include <system_error>
#include <utility>
#include <variant>

#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/policy.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/schedule.hpp>
#include <probekit/core/verdict.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// What can happen to a worker.
namespace event {

struct Started {
    TimePoint target_since = {}; ///< the target runs since then; the initial delay counts from it
};
/// Another target: initial health, hold over.
struct TargetStarted {
    TimePoint since = {};
    bool adopted = false; ///< it ran before the worker existed: no initial health, unknown until a
                          ///< threshold is met
};
struct TargetBack {};  ///< the same target runs again: resets nothing
struct TargetGone {};  ///< failing, for every kind; nothing on hold
struct Terminating {}; ///< startup and liveness pass and end; nothing on hold
struct GateOpened {};  ///< gates count while stopped, too; a gate never closed is open
struct GateClosed {};  ///< an attempt in flight is finished and counted
struct Due {};         ///< obeyed whenever it comes: the caller keeps the time
/// The attempt just decided does not begin yet: it waits for the event loop, or for a permit. Until
/// AttemptBegun each Decision but Action::none is made instead of it, and it needs no cancellation.
/// A caller who begins each attempt at once needs neither event.
struct AttemptScheduled {};
struct AttemptBegun {};
struct Result {
    const ProbeResult& result;
};
struct Error {
    std::error_code code = {};
};
struct AttemptCancelled {}; ///< a cancelled attempt has been cleaned up
struct Triggered {}; ///< probe_now: honours hold, gate and delay; moves the grid, even if gated
struct Paused {};
struct Resumed {}; ///< as Triggered
struct Stopped {};

} // namespace event

/// Any of them, for logs and replays.
using WorkerEvent =
    std::variant<event::Started, event::TargetStarted, event::TargetBack, event::TargetGone,
                 event::Terminating, event::GateOpened, event::GateClosed, event::Due,
                 event::AttemptScheduled, event::AttemptBegun, event::Result, event::Error,
                 event::AttemptCancelled, event::Triggered, event::Paused, event::Resumed,
                 event::Stopped>;

/// What to do now.
struct Decision {
    enum class Action : std::uint8_t {
        none,    ///< leave timer and attempt as they are
        attempt, ///< begin an attempt; no timer
        wait,    ///< Due at `at`, instead of whatever the timer was set to; TimePoint::max(): never
        hold,    ///< no timer: nothing to be done until another event
        end,     ///< no timer: over until Started
    };
    Action action = Action::none;
    TimePoint at = {};   ///< of wait
    bool cancel = false; ///< the attempt in flight; AttemptCancelled is awaited before the next
    int attempt_in_check = 0; ///< of attempt: 1 to 3; from 2 on, the one before is retried
    int skipped = 0;          ///< of attempt: points of the grid that were missed
    bool changed = false;     ///< notify the verdict's listeners: what follows is a Verdict
    Health health = Health::unknown;
    Verdict::Origin origin = Verdict::Origin::result;
    Health previous = Health::unknown; ///< if changed: unknown if nothing had been judged
    Duration previous_duration = {};   ///< if changed: how long `previous` had stood

    friend constexpr bool operator==(const Decision&, const Decision&) = default;
};

/// A worker as a pure machine: it handles events, each with its time, and decides what is done.
/// \code
/// // given: TimePoint now
/// WorkerFsm fsm{ProbeSpec{.kind = ProbeKind::liveness, .period = 5s, .failure_threshold = 1}};
/// Decision decision = fsm.step(event::Started{now}, now); // attempt
/// decision = fsm.step(event::Result{ProbeResult::failure("no")}, now + 2ms);
/// if (decision.changed && decision.health == Health::failing) std::cout << "restart it\n";
/// \endcode
///
/// It is the only place where "what now" is decided. It reads no clock, holds no timer and no
/// attempt, never allocates and never throws.
///
/// Its caller carries out each Decision: keeps one timer, has at most one attempt in flight, and
/// reports the end of an attempt by exactly one of Result, Error and, once the FSM has asked for
/// its cancellation, AttemptCancelled (a Result or Error then counts as that). Time never goes
/// back. Events that mean nothing in a state do nothing in it.
///
/// The state is a few independent facts: started, target running, on hold, paused, gate open; and
/// whether an attempt is scheduled, running or being cancelled. A check may begin if the first five
/// allow it and the initial delay is over. A worker that is not started remembers its gate alone;
/// else:
///
/// | event            | does something if           | what it does; without an attempt, then what next |
/// |------------------|-----------------------------|--------------------------------------------------|
/// | Started          | not started                 | initial health, everything anew; the grid begins |
/// | TargetStarted    | started                     | initial health, hold over; attempt cancelled     |
/// | TargetBack       | no target                   | the grid goes on                                 |
/// | TargetGone       | target, not on hold         | failing; attempt cancelled                       |
/// | Terminating      | not on hold, not readiness  | passing, ended; attempt cancelled                |
/// | GateOpened       | gate closed                 | readiness: as Triggered; others: grid goes on    |
/// | GateClosed       | gate open                   | no check begins; an attempt goes on and counts   |
/// | Due              | a check may begin           | attempt                                          |
/// | AttemptScheduled | attempt just decided        | waits; whatever would cancel it calls it off     |
/// | AttemptBegun     | attempt scheduled           | in flight                                        |
/// | Result           | attempt in flight           | judged; startup decided, liveness failing: hold  |
/// | Error            | attempt in flight           | again at once, three attempts; then check erred  |
/// | AttemptCancelled | attempt in flight           | what was put off until now                       |
/// | Triggered        | target, no hold, not paused | new grid; check now, or after the one in flight  |
/// | Paused           | not paused                  | attempt cancelled                                |
/// | Resumed          | paused                      | as Triggered                                     |
/// | Stopped          | always                      | attempt cancelled                                |
///
/// A check whose last attempt ended with an error moves no counter of the policy. At
/// `spec.error_threshold` of them in a row the health is unknown (Verdict::Origin::prober_error),
/// whatever it was. The next result that counts ends this: the policy says what the health is now,
/// or that of before stands again (restored). So does whatever gives a verdict of its own:
///
/// | errored and then ...                        | the health                    | the errors in a row |
/// |---------------------------------------------|-------------------------------|---------------------|
/// | Result, the policy says one                 | that one                      | 0                   |
/// | Result, the policy says none                | of before, judged as before   | 0                   |
/// | Error, local unless error_threshold_local   | stays                         | stay                |
/// | another Error at the end of a check         | stays                         | one more            |
/// | AttemptCancelled, GateClosed, Paused        | stays                         | stay                |
/// | TargetGone, Terminating                     | as ever, and not errored      | stay                |
/// | TargetStarted, Started                      | the initial one               | 0                   |
/// | Stopped                                     | can still be read             | 0                   |
///
/// `Spec` is ProbeSpec, or a handle that `*` dereferences to one: many machines may share it.
///
/// Precondition: `is_valid(spec)`.
template <Policy P = KubeletPolicy, class Spec = ProbeSpec>
class WorkerFsm {
public:
    explicit WorkerFsm(Spec given, P policy = {})
        : spec_(std::move(given)),
          policy_(std::move(policy)),
          health_(initial_health(spec().kind)) {}

    Decision step(event::Started started, TimePoint now) noexcept;
    Decision step(event::TargetStarted target, TimePoint now) noexcept;
    Decision step(event::TargetBack, TimePoint now) noexcept;
    Decision step(event::TargetGone, TimePoint now) noexcept;
    Decision step(event::Terminating, TimePoint now) noexcept;
    Decision step(event::GateOpened, TimePoint now) noexcept;
    Decision step(event::GateClosed, TimePoint now) noexcept;
    Decision step(event::Due, TimePoint now) noexcept;
    Decision step(event::AttemptScheduled, TimePoint now) noexcept;
    Decision step(event::AttemptBegun, TimePoint now) noexcept;
    Decision step(event::Result ended, TimePoint now) noexcept;
    Decision step(event::Error ended, TimePoint now) noexcept;
    Decision step(event::AttemptCancelled, TimePoint now) noexcept;
    Decision step(event::Triggered, TimePoint now) noexcept;
    Decision step(event::Paused, TimePoint now) noexcept;
    Decision step(event::Resumed, TimePoint now) noexcept;
    Decision step(event::Stopped, TimePoint now) noexcept;
    Decision step(const WorkerEvent& any, TimePoint now) noexcept {
        return std::visit([&](const auto& event) { return step(event, now); }, any);
    }

    /// Another spec of the same kind, valid: counters and verdict stay, thresholds apply from the
    /// next result on, another period counts from the last check, another seed from the next start.
    Decision update(Spec to, TimePoint now) noexcept;

    [[nodiscard]] const ProbeSpec& spec() const noexcept { return deref(spec_); }
    [[nodiscard]] const P& policy() const noexcept { return policy_; }
    [[nodiscard]] Health health() const noexcept { return health_; }
    /// Whether `health()` was concluded since the start or the last new target, or is only the
    /// initial value.
    [[nodiscard]] bool judged() const noexcept { return judged_; }
    /// Since when `health()` stands: the last change, start or new target.
    [[nodiscard]] TimePoint since() const noexcept { return since_; }
    [[nodiscard]] WorkerState state() const noexcept;
    /// How many equal results in a row the policy has counted; 0 if it does not say.
    [[nodiscard]] int run() const noexcept {
        if constexpr (requires {
                          { policy_.run() } -> std::convertible_to<int>;
                      })
            return policy_.run();
        return 0;
    }
    /// When the check that is waited for is due, or the one in flight was due: what "late" is
    /// measured from.
    [[nodiscard]] TimePoint due() const noexcept { return schedule_.due(); }
    /// When the next check is to begin, as far as is known now: the one waited for, or the one
    /// after that in flight. TimePoint::max(): no check is to come as things stand.
    [[nodiscard]] TimePoint next_check() const noexcept;
    /// Whether an attempt has begun and not ended yet, cancelled or not.
    [[nodiscard]] bool in_flight() const noexcept {
        return flight_ == Flight::running || flight_ == Flight::cancelling;
    }
    /// Whether an attempt is scheduled, or a check has been requested that begins as soon as the
    /// attempt in flight has ended.
    [[nodiscard]] bool check_pending() const noexcept {
        return flight_ == Flight::scheduled || check_requested_;
    }

    /// The health of a worker before anything is known: startup unknown, liveness passing,
    /// readiness failing.
    [[nodiscard]] static constexpr Health initial_health(ProbeKind kind) noexcept {
        switch (kind) {
        case ProbeKind::startup: return Health::unknown;
        case ProbeKind::liveness: return Health::passing;
        case ProbeKind::readiness: break;
        }
        return Health::failing;
    }

private:
    enum class Flight : std::uint8_t { none, scheduled, running, cancelling };
    // The kubelet's maxProbeRetries, which counts the first attempt.
    static constexpr int max_attempts = 3;

    [[nodiscard]] static const ProbeSpec& deref(const Spec& spec) noexcept {
        if constexpr (std::same_as<Spec, ProbeSpec>)
            return spec;
        else
            return *spec;
    }

    [[nodiscard]] bool has_subject() const noexcept {
        return started_ && !on_hold_ && target_running_ && !paused_;
    }
    [[nodiscard]] bool may_check() const noexcept { return has_subject() && gate_open_; }
    [[nodiscard]] bool first_attempt_scheduled() const noexcept {
        return flight_ == Flight::scheduled && attempt_in_check_ == 1;
    }
    [[nodiscard]] Decision nothing() const noexcept;
    void begin_check(Decision& decision, TimePoint now) noexcept;
    void next(Decision& decision, TimePoint now) noexcept;
    [[nodiscard]] Decision next(TimePoint now) noexcept;
    void attempt_over(Decision& decision, TimePoint now) noexcept;
    void check_errored(Decision& decision, const std::error_code& code, TimePoint now) noexcept;
    void conclude(Decision& decision, Health health, Verdict::Origin origin,
                  TimePoint now) noexcept;
    void cancel_attempt(Decision& decision) noexcept;

    Spec spec_;
    TimePoint since_ = {};
    [[no_unique_address]] P policy_;
    [[no_unique_address]] Schedule schedule_ = {}; // its tail holds the flags
    Health health_;
    Flight flight_ = Flight::none;
    std::uint8_t attempt_in_check_ = 0; // of the attempt decided last
    bool started_ : 1 = false;
    bool started_before_ : 1 = false;
    bool ended_ : 1 = false;
    bool on_hold_ : 1 = false;
    bool target_running_ : 1 = false;
    bool paused_ : 1 = false;
    bool gate_open_ : 1 = true;
    bool judged_ : 1 = false;
    bool check_requested_ : 1 = false; // while an attempt was in flight
    bool errored_ : 1 = false;         // unknown because of errors; before it:
    bool judged_before_ : 1 = false;
    Health health_before_ : 2 = Health::unknown;
    std::uint16_t errors_in_row_ = 0; // checks
};

} // namespace probekit::inline PROBEKIT_ABI

#include <probekit/core/impl/worker_fsm.hpp>
