// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/core/worker_fsm.hpp>

namespace probekit::inline PROBEKIT_ABI {

namespace event {

/// A group has a probe of this kind from now on, or another one than before.
struct ProbeSet {
    ProbeKind kind = ProbeKind::readiness;
};
/// A worker has reached a verdict.
struct Judged {
    ProbeKind kind = ProbeKind::readiness;
    Health health = Health::unknown;
    Verdict::Origin origin = Verdict::Origin::result;
};

} // namespace event

/// What the verdicts on a target mean together.
enum class GroupEvent : std::uint8_t {
    started,      ///< the startup probe has passed, or there is none
    ready,        ///< started, and the readiness probe passes, or there is none
    unready,      ///< only after ready
    kill,         ///< a check by the liveness or startup probe has failed; at most once per target
    prober_error, ///< the liveness or startup probe cannot ask (Verdict::errored()): no kill
};

[[nodiscard]] constexpr std::string_view to_string(GroupEvent event) noexcept {
    switch (event) {
    case GroupEvent::started: return "started";
    case GroupEvent::ready: return "ready";
    case GroupEvent::unready: return "unready";
    case GroupEvent::prober_error: return "prober_error";
    case GroupEvent::kill: break;
    }
    return "kill";
}

/// What changes now, in this order. Most steps change nothing.
class GroupDecision {
public:
    [[nodiscard]] constexpr const GroupEvent* begin() const noexcept { return events_.data(); }
    [[nodiscard]] constexpr const GroupEvent* end() const noexcept {
        return events_.data() + count_;
    }
    [[nodiscard]] constexpr bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] constexpr bool contains(GroupEvent event) const noexcept {
        for (const GroupEvent each : *this)
            if (each == event) return true;
        return false;
    }

    constexpr void push(GroupEvent event) noexcept {
        PROBEKIT_ASSERT(count_ < events_.size());
        events_[count_++] = event;
    }

    friend constexpr bool operator==(const GroupDecision&, const GroupDecision&) = default;

private:
    std::array<GroupEvent, 3> events_ = {}; // at most unready, started, ready
    std::uint8_t count_ = 0;
};

/// The startup, liveness and readiness probes of one target as a pure machine: decides whether the
/// target has started, is ready, and is to be killed, as the kubelet does for a container. It knows
/// no time, allocates nothing and never throws.
///
/// \code
/// GroupFsm group;
/// group.step(event::ProbeSet{ProbeKind::startup});
/// group.step(event::Started{}); // nothing yet: the startup probe decides
/// for (const GroupEvent change : group.step(event::Judged{ProbeKind::startup, Health::passing}))
///     std::printf("%s\n", to_string(change).data()); // started, then ready
/// \endcode
///
/// Liveness and readiness probe only while `started()`: its caller opens and closes their gate, and
/// passes on what happens to the target to the workers, whose verdicts come back as event::Judged.
///
/// | event         | does something if  | what it does                                              |
/// |---------------|--------------------|-----------------------------------------------------------|
/// | ProbeSet      | always             | that kind no longer counts as passed without a probe      |
/// | Started       | not running        | as TargetStarted                                          |
/// | TargetStarted | running            | unready; without a startup probe: started                 |
/// | TargetGone    | running            | unready                                                   |
/// | Terminating   | running            | from now on nothing is a reason to kill this target       |
/// | Judged        | running            | startup passes: started; startup or liveness fails: kill, |
/// |               |                    | or errs: prober_error                                     |
/// | Stopped       | running            | forgets nothing: what was known last can still be read    |
///
/// A target is ready while it is there, has started, and its readiness probe passes or there is
/// none. A readiness probe that errs does not pass.
class GroupFsm {
public:
    constexpr GroupDecision step(event::ProbeSet set) noexcept {
        if (set.kind == ProbeKind::startup) {
            has_startup_ = true;
            if (running_) started_ = false;
        } else if (set.kind == ProbeKind::readiness) {
            has_readiness_ = true;
            readiness_passes_ = false;
        }
        GroupDecision decision;
        if (running_) update_ready(decision);
        return decision;
    }

    constexpr GroupDecision step(event::Started) noexcept {
        if (std::exchange(running_, true)) return {};
        return new_target();
    }

    constexpr GroupDecision step(event::TargetStarted) noexcept {
        if (!running_) return {};
        return new_target();
    }

    constexpr GroupDecision step(event::TargetGone) noexcept {
        GroupDecision decision;
        if (!running_) return decision;
        present_ = false;
        update_ready(decision);
        return decision;
    }

    constexpr GroupDecision step(event::Terminating) noexcept {
        if (running_) {
            may_kill_ = false;
            failed_.reset();
        }
        return {};
    }

    constexpr GroupDecision step(event::Stopped) noexcept {
        running_ = false;
        return {};
    }

    constexpr GroupDecision step(event::Judged verdict) noexcept {
        GroupDecision decision;
        if (!running_) return decision;
        const bool passes = verdict.health == Health::passing;
        if (verdict.kind == ProbeKind::readiness) {
            readiness_passes_ = passes;
        } else if (verdict.origin == Verdict::Origin::result) {
            if (verdict.health == Health::failing && std::exchange(may_kill_, false)) {
                failed_ = verdict.kind;
                decision.push(GroupEvent::kill);
            } else if (passes && verdict.kind == ProbeKind::startup && !started_) {
                start(decision);
            }
        } else if (verdict.origin == Verdict::Origin::prober_error) {
            decision.push(GroupEvent::prober_error);
        }
        update_ready(decision);
        return decision;
    }

    [[nodiscard]] constexpr bool running() const noexcept { return running_; }
    [[nodiscard]] constexpr bool started() const noexcept { return started_; }
    [[nodiscard]] constexpr bool ready() const noexcept { return ready_; }
    /// The probe for which this target is to be killed.
    [[nodiscard]] constexpr std::optional<ProbeKind> failed() const noexcept { return failed_; }

    /// Whether the readiness probe is to check now, whatever its grid says. A kubelet does that
    /// when it synchronises a pod, thus also when it has just restarted a container, with every
    /// container that has started and is not ready. Container-scoped probes
    /// (Cadence::target_start) check when they are due and at no other time. A check that is in
    /// flight is enough.
    [[nodiscard]] constexpr bool checks_readiness_at_sync(Cadence cadence,
                                                          bool in_flight) const noexcept {
        return running_ && present_ && has_readiness_ && started_ && !ready_ &&
               cadence == Cadence::grid && !in_flight;
    }

private:
    constexpr GroupDecision new_target() noexcept {
        GroupDecision decision;
        started_ = readiness_passes_ = false;
        update_ready(decision);
        present_ = may_kill_ = true;
        failed_.reset();
        if (!has_startup_) start(decision);
        update_ready(decision);
        return decision;
    }

    constexpr void start(GroupDecision& decision) noexcept {
        started_ = true;
        decision.push(GroupEvent::started);
    }

    constexpr void update_ready(GroupDecision& decision) noexcept {
        const bool ready = present_ && started_ && (readiness_passes_ || !has_readiness_);
        if (std::exchange(ready_, ready) != ready)
            decision.push(ready ? GroupEvent::ready : GroupEvent::unready);
    }

    std::optional<ProbeKind> failed_ = {};
    bool has_startup_ = false;
    bool has_readiness_ = false;
    bool running_ = false;
    bool present_ = false;
    bool started_ = false;
    bool readiness_passes_ = false;
    bool ready_ = false;
    bool may_kill_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI
