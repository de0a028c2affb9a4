// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>

#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/runtime/detail/gate_state.hpp>

namespace probekit::inline PROBEKIT_ABI {

namespace detail {
struct GateAccess;
} // namespace detail

/// Holds workers back until their target has started.
/// \code
/// // given: ProbeWorker<TcpProbe>& startup, ProbeWorker<TcpProbe>& liveness
/// StartupGate started{io};
/// startup.opens(started);
/// startup.start();
/// liveness.start(started); // makes no attempt before startup has passed
/// started.async_wait([](std::error_code) { std::cout << "the target has started\n"; });
/// \endcode
///
/// A gate is closed at first. It is opened by hand or by conditions, such as the success of a
/// startup worker (ProbeWorker::opens()), and may close again when the target is replaced. Any
/// number of workers may start behind one gate, and any number of waits may wait for it. The
/// kubelet does the same with a container's `started` state.
///
/// Threads: every member may be called from any thread, while the gate is neither moved nor
/// destroyed. is_open() shows a change before the call that makes it returns; workers and waits are
/// notified on their executors soon after.
///
/// Destroying a gate ends its waits with `asio::error::operation_aborted`. For the workers behind
/// it the gate then stays as it was, whatever its conditions say.
class StartupGate {
public:
    using executor_type = asio::any_io_executor;

    /// `where`: an executor or an execution context, for handlers without an associated executor.
    /// Throws std::bad_alloc.
    template <class Where>
        requires(!std::same_as<std::remove_cvref_t<Where>, StartupGate>) &&
                detail::ExecutorSource<Where, asio::any_io_executor>
    explicit StartupGate(Where&& where)
        : state_(detail::make_gate_state(
              detail::executor_from<asio::any_io_executor>(std::forward<Where>(where)))) {}

    StartupGate(StartupGate&&) noexcept = default;
    StartupGate& operator=(StartupGate&& other) noexcept {
        if (this == &other) return *this;
        if (state_) state_->abandon();
        state_ = std::move(other.state_);
        return *this;
    }
    ~StartupGate() {
        if (state_) state_->abandon();
    }

    [[nodiscard]] executor_type get_executor() const noexcept { return state_->executor(); }

    /// Opens the gate by hand: all conditions become met, and may become unmet again.
    void open() noexcept { state_->set_all(true); }

    /// Closes the gate by hand: all conditions become unmet.
    void close() noexcept { state_->set_all(false); }

    [[nodiscard]] bool is_open() const noexcept { return state_->is_open(); }

    /// Waits until the gate opens. At an open gate the wait ends soon, also if the gate closes by
    /// then. A pending wait keeps run() from returning.
    ///
    /// Completes with: void(std::error_code), never from inside this call;
    /// `asio::error::operation_aborted` if the gate is destroyed or the wait cancelled.
    /// Cancellation: terminal, partial and total alike.
    /// Threads: any; the handler runs on its associated executor, by default the gate's.
    /// Throws: std::bad_alloc, before the wait begins.
    template <class Token = asio::default_completion_token_t<executor_type>>
    auto async_wait(Token&& token = Token()) {
        return asio::async_initiate<Token, void(std::error_code)>(Initiation{state_}, token);
    }

    /// One of the conditions that must all be met for the gate to be open. May outlive the gate. A
    /// condition that is destroyed stays as it was last set.
    class Condition {
    public:
        Condition(Condition&&) noexcept = default; // a copy would be counted twice
        Condition& operator=(Condition&&) noexcept = default;

        /// From any thread. Does nothing once the gate has been destroyed.
        void set(bool met) noexcept { state_->set(condition_, met); }

    private:
        friend StartupGate;

        explicit Condition(detail::Ref<detail::AbstractGate> state)
            : state_(std::move(state)), condition_(state_->add_condition()) {}

        detail::Ref<detail::AbstractGate> state_;
        detail::GateCondition condition_;
    };

    /// Adds a condition, which is unmet: the gate is closed until all its conditions are met.
    [[nodiscard]] Condition add_condition() { return Condition{state_}; }

private:
    friend detail::GateAccess;

    class Initiation {
    public:
        using executor_type = StartupGate::executor_type;

        explicit Initiation(detail::Ref<detail::AbstractGate> state) noexcept
            : state_(std::move(state)) {}

        [[nodiscard]] executor_type get_executor() const noexcept { return state_->executor(); }

        template <class Handler>
        void operator()(Handler&& handler) const {
            detail::state_of(*state_).async_wait(std::forward<Handler>(handler));
        }

    private:
        detail::Ref<detail::AbstractGate> state_;
    };

    detail::Ref<detail::AbstractGate> state_;
};

namespace detail {

/// For the workers of this library.
struct GateAccess {
    template <class = OnUse>
    [[nodiscard]] static Ref<GateState> state(const StartupGate& gate) noexcept {
        return Ref{&state_of(*gate.state_)};
    }
};

} // namespace detail
} // namespace probekit::inline PROBEKIT_ABI
