// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <system_error>

#include <asio/cancellation_signal.hpp>

#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/result.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Why an attempt is to end before it has a result.
enum class StopReason : std::uint8_t { none, timeout, cancel };

/// An attempt of a built-in probe, as its owner sees it. The owner ends it by a call: a
/// cancellation slot would take one allocation per attempt.
class StoppableAttempt {
public:
    /// Ends what is pending, for this reason, unless the attempt is over. From any thread.
    virtual void stop(StopReason reason) noexcept = 0;

protected:
    StoppableAttempt() = default;
    ~StoppableAttempt() = default;
};

/// What an attempt may rely on.
struct AttemptOwnerTraits {
    /// The owner stops the attempt at its timeout, by a clock of its own: the attempt needs no
    /// deadline.
    bool enforces_timeout;
    /// The owner starts attempts on the probe's executor, from the event loop: a user's function
    /// may be called at once.
    bool starts_on_executor;
};

/// Starts attempts through an OwnedAttemptHandler, at most one at a time: a worker, or AnyProbe's
/// wrapper of a user's handler. Counted: the handler of an attempt keeps its owner alive.
template <class Executor>
class AttemptOwner : public RefCounted<AttemptOwner<Executor>> {
public:
    using executor_type = Executor;

    /// The executor of the owner's handler, and of nothing else.
    [[nodiscard]] virtual const Executor& attempt_executor() const noexcept = 0;
    /// The state of the executor's context: gives an attempt its memory and its deadline.
    [[nodiscard]] virtual ContextState& attempt_context() const noexcept = 0;
    /// For probes that are cancelled through a slot; not connected if the owner never cancels.
    [[nodiscard]] virtual asio::cancellation_slot attempt_slot() noexcept = 0;
    /// When the attempt that is just being started began, on the steady clock.
    [[nodiscard]] virtual TimePoint attempt_started_at() const noexcept = 0;
    /// Called at the end of the attempt, on the executor, from no other function of the owner.
    /// `self` is the handler's reference. `at` is the steady clock's time if the caller has just
    /// read it, else TimePoint::min().
    virtual void on_attempt_done(Ref<AttemptOwner> self, TimePoint at, std::error_code error,
                                 ProbeResult&& result) = 0;

    virtual void destroy() noexcept = 0;

    /// See AttemptOwnerTraits.
    [[nodiscard]] bool owner_enforces_timeout() const noexcept { return traits_.enforces_timeout; }
    [[nodiscard]] bool starts_on_executor() const noexcept { return traits_.starts_on_executor; }

    /// Stops the attempt in flight if it is a built-in probe's; false if it is not, and the slot
    /// has to serve.
    bool stop_own_attempt(StopReason reason) noexcept {
        if (attempt_ == nullptr) return false;
        attempt_->stop(reason);
        return true;
    }

    // Called by an attempt of a built-in probe.
    void on_own_attempt_started(StoppableAttempt& attempt) noexcept {
        PROBEKIT_ASSERT(attempt_ == nullptr); // one attempt at a time
        attempt_ = &attempt;
    }
    void on_own_attempt_over() noexcept { attempt_ = nullptr; }

protected:
    explicit AttemptOwner(AttemptOwnerTraits traits) noexcept : traits_(traits) {}
    ~AttemptOwner() = default;

private:
    AttemptOwnerTraits traits_;
    StoppableAttempt* attempt_ = nullptr;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
