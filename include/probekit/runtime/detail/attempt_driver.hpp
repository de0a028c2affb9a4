// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/block_pool.hpp>
#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/attempt_owner.hpp>
#include <probekit/probes/detail/deadline.hpp>
#include <probekit/probes/detail/owned_attempt_handler.hpp>
#include <probekit/probes/detail/start_attempt.hpp>
#include <probekit/runtime/detail/attempt_stage.hpp>
#include <probekit/runtime/detail/clock_ref.hpp>
#include <probekit/runtime/detail/probe_holder.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// What an AttemptDriver needs of the worker that derives from it. All are called on the executor.
template <class D>
concept DrivesAttempts =
    requires(D& worker, const D& same, TimePoint now, std::error_code error, ProbeResult&& result) {
        // The timer of the next check has fired.
        worker.on_check_due(now);
        // Whether the attempt that is scheduled may still begin. If not, it has been cancelled.
        { worker.may_begin(now) } -> std::same_as<bool>;
        // Permits, of workers that need them. False: waits, and calls begin() with the permit.
        { worker.acquire_permit() } noexcept -> std::same_as<bool>;
        worker.withdraw_permit();
        worker.release_permit();
        // The attempt begins. What this throws goes on to run().
        worker.announce(now);
        // The attempt has ended; `cancelled`: its result does not count.
        worker.on_attempt_ended(now, true, error, std::move(result));
        // Whether the end of an attempt has to wait, since listeners may not be notified now.
        { same.must_wait() } -> std::same_as<bool>;
        // Calls a function, in which listeners may not be notified.
        worker.notify_nobody_during([]() noexcept {});
        { same.abandoned() } -> std::same_as<bool>;
        { same.timeout() } -> std::same_as<Duration>;
    };

/// Carries out a worker's attempts, one at a time: waits for their moment and for a permit, starts
/// the probe, enforces the timeout where the probe does not, stops the probe, and reports each end
/// once. Its one timer is a wheel node; what that is for follows from the stage.
///
/// Counted: the attempt in flight, a timer that fires and whatever has been posted keep it. Every
/// function runs on the probe's executor, unless it says otherwise.
template <class Derived, class P, class Clk>
class AttemptDriver : public AttemptOwner<typename P::executor_type>, public WheelNode {
public:
    using Executor = typename P::executor_type;

    [[nodiscard]] const Executor& executor() const noexcept { return probe_.executor(); }

    /// From any thread.
    [[nodiscard]] ContextState& context() const noexcept { return wheel_->context(); }

    /// From any thread.
    void post(void (Derived::*run)()) {
        asio::post(executor(), Posted{Ref<Derived>{&derived()}, run});
    }

protected:
    using Holder = ProbeHolder<P>;

    static constexpr bool steady = std::same_as<Clk, std::chrono::steady_clock>;

    AttemptDriver(ClockRef<Clk> clock, Ref<Wheel>&& wheel, P&& probe)
        : AttemptOwner<Executor>({.enforces_timeout = !steady, .starts_on_executor = true}),
          WheelNode(hooks),
          clock_(clock),
          wheel_(std::move(wheel)),
          probe_(std::move(probe)) {
        static_assert(DrivesAttempts<Derived>);
    }
    ~AttemptDriver() {
        if (!probe_destroyed_) std::destroy_at(&probe_);
    }

    [[nodiscard]] TimePoint now() const { return clock_.now(); }
    [[nodiscard]] Stage stage() const noexcept { return stage_; }
    [[nodiscard]] int attempt_in_check() const noexcept { return attempt_in_check_; }
    /// When the last attempt began.
    [[nodiscard]] TimePoint begun_at() const noexcept { return begun_at_; }
    /// How many attempts have begun.
    [[nodiscard]] std::uint64_t attempts() const noexcept { return attempts_; }
    [[nodiscard]] Holder& probe() noexcept { return probe_; }

    // ---- what the worker orders ----

    /// on_check_due() comes at `due`; never, if that is TimePoint::max().
    void wait_until(TimePoint due) noexcept {
        PROBEKIT_ASSERT(stage_ == Stage::idle);
        if (due == TimePoint::max())
            disarm();
        else
            arm(due);
    }
    void stop_waiting() noexcept {
        if (stage_ == Stage::idle) disarm();
    }

    /// An attempt has been decided on. It begins when the event loop comes to it, or by begin().
    void schedule(int attempt_in_check, TimePoint now) noexcept {
        prepare(attempt_in_check);
        arm(now);
    }
    /// The same, for a caller who is called by the event loop and begins the attempt at once.
    void prepare(int attempt_in_check) noexcept {
        advance(StageEvent::schedule);
        attempt_in_check_ = static_cast<std::uint8_t>(attempt_in_check) & 3;
    }

    /// The attempt that was scheduled begins, or waits for a permit if there is none.
    void begin(TimePoint now) {
        if (!derived().acquire_permit()) return advance(StageEvent::queue);
        begin_with_permit(now);
    }
    void begin_with_permit(TimePoint now) {
        advance(StageEvent::announce);
        renewal_ = {};
        ++attempts_;
        begun_at_ = now;
        if constexpr (Derived::announces_attempts) {
            arm(now); // in case a listener throws
            derived().announce(now);
            disarm();
            start();
        } else { // without listeners nothing comes between
            derived().announce(now);
            stage_ = Stage::running;
            start_probe();
        }
    }

    void cancel() noexcept { handle(StageEvent::cancel); }

    /// The worker's handle is destroyed. An attempt in flight keeps what it still needs.
    void abandon_attempt() noexcept {
        if (wheel_->context().is_shut_down()) // and with that the probe's attempt
            handle(StageEvent::shutdown);
        else
            handle(StageEvent::abandon);
        disarm();
    }

    /// The execution context is destroyed before the worker. Neither a strand nor what a user's
    /// probe may hold can outlive it.
    void shut_down_attempt() noexcept {
        const bool probe_must_stay = uses_probe(stage_) && probe_.must_outlive_attempts();
        handle(StageEvent::shutdown);
        if (probe_must_stay) return;
        std::destroy_at(&probe_);
        probe_destroyed_ = true;
    }

private:
    struct Posted {
        using allocator_type = PoolAllocator<void>;
        Ref<Derived> driver;
        void (Derived::*run)();
        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return allocator_type{driver->context().pool()};
        }
        void operator()() { (driver.get()->*run)(); }
    };

    // The end of an attempt that had to wait.
    struct PostedEnd {
        using allocator_type = PoolAllocator<void>;
        Ref<Derived> driver;
        std::error_code error;
        ProbeResult result;
        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return allocator_type{driver->context().pool()};
        }
        void operator()() {
            static_cast<AttemptDriver&>(*driver).on_attempt_done({}, TimePoint::min(), error,
                                                                 std::move(result));
        }
    };

    [[nodiscard]] Derived& derived() noexcept { return static_cast<Derived&>(*this); }

    // ---- AttemptOwner ----

    [[nodiscard]] const Executor& attempt_executor() const noexcept final { return executor(); }
    [[nodiscard]] ContextState& attempt_context() const noexcept final { return context(); }
    [[nodiscard]] asio::cancellation_slot attempt_slot() noexcept final {
        if constexpr (Holder::needs_slot)
            return signal_.slot();
        else
            return {};
    }
    // Listeners that were notified of the beginning took their time, which is not the probe's.
    [[nodiscard]] TimePoint attempt_started_at() const noexcept final {
        return steady && !Derived::announces_attempts ? begun_at_
                                                      : std::chrono::steady_clock::now();
    }
    void on_attempt_done(Ref<AttemptOwner<Executor>>, TimePoint at, std::error_code error,
                         ProbeResult&& result) final {
        if (derived().abandoned()) return handle(StageEvent::finish);
        if (derived().must_wait())
            return asio::post(executor(),
                              PostedEnd{Ref<Derived>{&derived()}, error, std::move(result)});
        const TimePoint now = steady && at != TimePoint::min() ? at : clock_.now();
        disarm();
        const Stage ended = stage_;
        stage_ = stage_step(ended, StageEvent::finish).to;
        derived().release_permit();
        if (is_cancelled(ended)) {
            error = asio::error::operation_aborted;
        } else if (ended == Stage::timed_out && error == asio::error::operation_aborted) {
            error = {};
            result.outcome = Outcome::failure;
            result.cause = Errc::timed_out;
            if (result.elapsed() == Duration{})
                result.times[static_cast<std::size_t>(Phase::run) - 1] = now - begun_at_;
        }
        derived().on_attempt_ended(now, is_cancelled(ended), error, std::move(result));
    }
    void destroy() noexcept final { delete &derived(); }

    // ---- the stages ----

    /// An event that needs nothing to be done.
    void advance(StageEvent event) noexcept {
        const StageStep step = stage_step(stage_, event);
        PROBEKIT_ASSERT(step.action == StageAction::none);
        stage_ = step.to;
    }

    void handle(StageEvent event) noexcept {
        const StageStep step = stage_step(stage_, event);
        stage_ = step.to;
        switch (step.action) {
        case StageAction::none: break;
        case StageAction::disarm: disarm(); break;
        case StageAction::withdraw: derived().withdraw_permit(); break;
        case StageAction::release_permit: derived().release_permit(); break;
        case StageAction::stop_probe:
            stop_probe(event == StageEvent::time_out ? StopReason::timeout : StopReason::cancel);
            break;
        case StageAction::start_probe: // start() does these two
        case StageAction::finish_revoked:
        case StageAction::impossible: unreachable();
        }
    }

    void start() {
        const StageStep step = stage_step(stage_, StageEvent::start);
        stage_ = step.to;
        if (step.action == StageAction::start_probe)
            start_probe();
        else if (step.action == StageAction::finish_revoked)
            on_attempt_done({}, TimePoint::min(), asio::error::operation_aborted, {});
    }

    void start_probe() {
        const Duration timeout = derived().timeout();
        const bool enforces_timeout = !steady || !probe_.enforces_timeout();
        if (enforces_timeout) arm(saturating_add(begun_at_, timeout));
        const auto start_attempt = [&]() -> std::error_code {
            detail::start_attempt(probe_.probe, timeout,
                                  OwnedAttemptHandler<Executor>{Ref<AttemptOwner<Executor>>{this}});
            return {};
        };
        const std::error_code could_not = try_call(start_attempt, [&](const auto& thrown) {
            // A listener's exception, at the end of an attempt that ended at once?
            if (!uses_probe(stage_)) std::rethrow_exception(std::current_exception());
            return ToErrorCode{}(thrown);
        });
        if (could_not) on_attempt_done({}, TimePoint::min(), could_not, {});
    }

    void stop_probe(StopReason reason) noexcept {
        const Ref<Derived> keep{&derived()};
        derived().notify_nobody_during([&]() noexcept {
            if (!this->stop_own_attempt(reason))
                if constexpr (Holder::needs_slot) signal_.emit(asio::cancellation_type::terminal);
        });
    }

    // ---- the timer ----

    void arm(TimePoint due) noexcept {
        armed_ = true;
        wheel_->arm(*this, due);
    }
    void disarm() noexcept {
        if (!armed_) return;
        armed_ = false;
        wheel_->disarm(*this);
    }

    void node_fired() {
        if (runs_here(executor())) return on_timer();
        // Without memory for the post it is tried again soon.
        constexpr Duration soon = std::chrono::milliseconds{10};
        if (try_allocating([this] { post(&Derived::on_posted_timer); }) && !wheel_->armed(*this))
            wheel_->arm(*this, saturating_add(wheel_->now(), soon));
    }

    void on_posted_timer() {
        if (!wheel_->armed(*this)) on_timer(); // else it has been armed anew
    }

    void on_timer() {
        const TimePoint now = clock_.now();
        if (derived().abandoned() || !armed_ || now < this->due()) return; // out of date
        // What has been left to a post comes first.
        if (!uses_probe(stage_) && derived().must_wait()) return arm(now);
        armed_ = false;
        switch (stage_) {
        case Stage::idle: return derived().on_check_due(now);
        case Stage::scheduled:
            if (derived().may_begin(now)) begin(now);
            return;
        case Stage::announced:
        case Stage::revoked: return start();
        case Stage::running:
        case Stage::timed_out:
        case Stage::cancelling: return timeout_is_over(now);
        case Stage::queued: unreachable();
        }
    }

    void timeout_is_over(TimePoint now) noexcept {
        const Duration timeout = derived().timeout();
        if (renewal_.grant(now - this->due(), timeout))
            arm(saturating_add(now, timeout));
        else
            handle(StageEvent::time_out);
    }

    static inline const WheelHooks hooks{
        .retain = [](WheelNode& node) noexcept { static_cast<AttemptDriver&>(node).retain(); },
        .fire =
            [](WheelNode& node) {
                const auto driver =
                    Ref<Derived>::adopt(static_cast<Derived*>(&static_cast<AttemptDriver&>(node)));
                static_cast<AttemptDriver&>(*driver).node_fired();
            },
    };

    // The order leaves no gaps: the worker's own small members follow the last of these.
    [[no_unique_address]] ClockRef<Clk> clock_;
    Ref<Wheel> wheel_;
    TimePoint begun_at_ = {};
    std::uint64_t attempts_ = 0;
    union {
        Holder probe_; // destroyed with the context, if that goes first
    };
    [[no_unique_address]] std::conditional_t<Holder::needs_slot, asio::cancellation_signal, Nothing>
        signal_;
    Stage stage_ = Stage::idle;
    DeadlineRenewal renewal_;
    std::uint8_t attempt_in_check_ : 2 = 0;
    bool armed_ : 1 = false;
    bool probe_destroyed_ : 1 = false;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
