// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <new>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/associated_allocator.hpp>
#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/error.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/cancel_link.hpp>
#include <probekit/async/detail/context_state.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/probe.hpp>
#include <probekit/testing/manual_clock.hpp>

namespace probekit::inline PROBEKIT_ABI::testing {

/// One attempt of a ScriptedProbe: its result, and how long it takes on the clock.
class Step {
public:
    Step(Outcome outcome, Duration takes = {}) : takes_(takes) {
        result_.outcome = outcome;
        result_.phase = Phase::finish;
        add_time();
    }
    Step(ProbeResult result, Duration takes = {}) : result_(std::move(result)), takes_(takes) {
        add_time();
    }
    /// A prober error.
    Step(std::error_code error, Duration takes = {}) : error_(error), takes_(takes) {
        result_.cause = to_std(error);
        add_time();
    }

    template <class E>
        requires std::is_error_code_enum_v<E>
    Step(E error, Duration takes = {}) : Step(std::error_code{error}, takes) {}

    /// An attempt that ends only when it is cancelled.
    [[nodiscard]] static Step hang() {
        Step step{Outcome::unknown};
        step.hangs_ = true;
        return step;
    }

private:
    friend class ScriptedProbe;

    void add_time() noexcept {
        if (takes_ != Duration{}) result_.times = {};
        result_.times[static_cast<std::size_t>(Phase::run) - 1] += takes_;
    }

    ProbeResult result_ = {};
    std::error_code error_ = {};
    Duration takes_;
    bool hangs_ = false;
};

/// A probe for tests, which takes its results from a script and its time from a ManualClock.
/// \code
/// testing::ManualClock clock{io};
/// testing::ScriptedProbe probe{clock, {Outcome::success, {Outcome::failure, 300ms}}};
/// ProbeWorker worker{clock, probe, ProbeSpec{.period = 1s}};
/// worker.start();
/// clock.advance(2s); // one success, then failures that take 300 ms each
/// if (probe.attempts() != 3 || probe.in_flight() != 1) std::abort();
/// \endcode
///
/// Copies share the script, whose last step repeats. The probe does not enforce its timeout, so
/// that a worker's own can be tested.
class ScriptedProbe {
public:
    using executor_type = asio::any_io_executor;

    ScriptedProbe(ManualClock& clock, std::initializer_list<Step> steps)
        : script_(std::make_shared<Script>(clock, steps)) {}

    [[nodiscard]] executor_type get_executor() const noexcept { return script_->executor; }

    /// How many attempts have started.
    [[nodiscard]] std::size_t attempts() const noexcept { return script_->attempts; }
    /// How many attempts have not ended.
    [[nodiscard]] std::size_t in_flight() const noexcept { return script_->in_flight; }
    /// Appends a step. The one before no longer repeats.
    void push(Step step) { script_->steps.push_back(std::move(step)); }

    template <class Token = asio::default_completion_token_t<executor_type>>
    auto async_probe(Duration, Token&& token = Token()) {
        return asio::async_initiate<Token, ProbeSignature>(Initiation{script_}, token);
    }

private:
    struct Script {
        Script(ManualClock& clock, std::initializer_list<Step> list)
            : executor(clock.context().get_executor()),
              wheel(detail::Wheel::of(executor, clock)),
              steps(list) {}

        [[nodiscard]] Step next() {
            ++attempts;
            if (steps.empty()) return Step{Outcome::success};
            return position < steps.size() ? steps[position++] : steps.back();
        }

        asio::any_io_executor executor;
        detail::Ref<detail::Wheel> wheel;
        std::vector<Step> steps;
        std::size_t position = 0;
        std::size_t attempts = 0;
        std::size_t in_flight = 0;
    };

    // One attempt. It owns itself until its completion is posted, or until its context is shut
    // down.
    template <class Handler>
    class ScriptedAttempt final : public detail::RefCounted<ScriptedAttempt<Handler>>,
                                  public detail::WheelNode,
                                  private detail::ShutdownListener {
        using Executor = asio::associated_executor_t<Handler, executor_type>;
        using Allocator = typename std::allocator_traits<
            asio::associated_allocator_t<Handler>>::template rebind_alloc<ScriptedAttempt>;

    public:
        static void start(Handler handler, std::shared_ptr<Script> script) {
            Allocator allocator(asio::get_associated_allocator(handler));
            ScriptedAttempt* const memory =
                std::allocator_traits<Allocator>::allocate(allocator, 1);
            detail::Ref<ScriptedAttempt> attempt{::new (static_cast<void*>(memory)) ScriptedAttempt(
                std::move(handler), std::move(script))};
            attempt->link_.connect(asio::get_associated_cancellation_slot(attempt->handler_),
                                   *attempt);
            ScriptedAttempt& started = *attempt;
            started.self_ = std::move(attempt);
            if (started.step_.hangs_) return;
            if (started.step_.takes_ == Duration{}) return started.complete();
            started.script_->wheel->arm(
                started,
                detail::saturating_add(started.script_->wheel->now(), started.step_.takes_));
        }

        void cancel_requested() {
            if (!self_) return; // its completion is posted already
            // A step that ends in this very moment counts.
            if (script_->wheel->disarm(*this) && this->due() <= script_->wheel->now())
                return complete();
            step_.error_ = asio::error::operation_aborted;
            step_.result_ = {};
            step_.result_.cause = step_.error_;
            complete();
        }

        void destroy() noexcept {
            Allocator allocator(allocator_);
            this->~ScriptedAttempt();
            std::allocator_traits<Allocator>::deallocate(allocator, this, 1);
        }

    private:
        ScriptedAttempt(Handler&& handler, std::shared_ptr<Script> script)
            : WheelNode(hooks),
              allocator_(asio::get_associated_allocator(handler)),
              handler_(std::move(handler)),
              work_(asio::get_associated_executor(handler_, script->executor)),
              script_(std::move(script)),
              step_(script_->next()) {
            ++script_->in_flight;
            script_->wheel->context().add(*this);
        }
        ~ScriptedAttempt() {
            script_->wheel->context().remove(*this);
            script_->wheel->disarm(*this);
            --script_->in_flight;
        }

        void on_context_shutdown() noexcept override { self_ = {}; }

        void complete() {
            asio::post(work_.get_executor(), [attempt = std::move(self_)]() mutable {
                attempt->link_.disconnect(
                    asio::get_associated_cancellation_slot(attempt->handler_));
                Handler handler(std::move(attempt->handler_));
                const auto work = std::move(attempt->work_);
                const std::error_code error = attempt->step_.error_;
                ProbeResult result = std::move(attempt->step_.result_);
                attempt = {};
                std::move(handler)(error, std::move(result));
            });
        }

        static inline const detail::WheelHooks hooks{
            .retain =
                [](detail::WheelNode& node) noexcept {
                    static_cast<ScriptedAttempt&>(node).retain();
                },
            .fire =
                [](detail::WheelNode& node) {
                    const auto attempt =
                        detail::Ref<ScriptedAttempt>::adopt(&static_cast<ScriptedAttempt&>(node));
                    if (attempt->self_) attempt->complete();
                },
        };

        Allocator allocator_;
        Handler handler_;
        asio::executor_work_guard<Executor> work_;
        detail::CancelLink link_;
        std::shared_ptr<Script> script_;
        Step step_;
        detail::Ref<ScriptedAttempt> self_;
    };

    struct Initiation {
        using executor_type = asio::any_io_executor;
        std::shared_ptr<Script> script;
        [[nodiscard]] executor_type get_executor() const noexcept { return script->executor; }
        template <class Handler>
        void operator()(Handler&& handler) const {
            ScriptedAttempt<std::decay_t<Handler>>::start(std::forward<Handler>(handler), script);
        }
    };

    std::shared_ptr<Script> script_;
};

} // namespace probekit::inline PROBEKIT_ABI::testing
