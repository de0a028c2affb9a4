// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include <asio/async_result.hpp>
#include <asio/detail/throw_exception.hpp>
#include <asio/ip/address.hpp>

#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/probes/detail/literal_address.hpp>
#include <probekit/probes/detail/owned_attempt_handler.hpp>
#include <probekit/probes/probe.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

template <class = OnUse>
inline void throw_if_wrong(ConfigErrors errors, ConfigErrors more = {}) {
    errors.insert(errors.end(), more.begin(), more.end());
    if (!errors.empty()) asio::detail::throw_exception(ConfigException{std::move(errors)});
}

/// An address of one family cannot reach a target of the other.
template <class = OnUse>
inline void validate_source_address(const std::string& address, const std::string& host,
                                    ConfigErrors& errors) {
    if (address.empty()) return;
    std::error_code wrong;
    const auto source = asio::ip::make_address(address, wrong);
    const auto target = literal_address(host);
    if (wrong)
        errors.push_back({"source_address", "must be a literal IP address"});
    else if (target && source.is_v4() != target->is_v4())
        errors.push_back({"source_address", "must be of the same family as the host"});
}

/// `options`: TcpOptions or HttpOptions.
template <class Options>
void validate_socket_options(const Options& options, ConfigErrors& errors) {
    if (options.unix_socket.empty()) return;
    validate_unix_socket(options.unix_socket, errors);
    if (!options.source_address.empty())
        errors.push_back({"unix_socket", "cannot be combined with source_address"});
}

/// The base of all built-in probes: an executor, and async_probe(), which makes an attempt and
/// starts it. A Derived has the settings, `target_`, and the attempt, `Attempt<Handler,
/// IoExecutor>`.
template <class Derived, class Executor>
class BuiltinProbe : public BuiltinProbeTag {
public:
    using executor_type = Executor;

    /// An attempt ends at its timeout without the worker's help.
    static constexpr bool enforces_timeout = true;

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

    /// Makes one attempt. `timeout` counts from this call.
    ///
    /// Completes with: void(std::error_code, ProbeResult), see ProbeSignature. Never from inside
    /// this call.
    /// Cancellation: terminal, partial and total alike give operation_aborted, once nothing of the
    /// attempt is left.
    /// Threads: the handler runs on its associated executor, its memory comes from its associated
    /// allocator. The probe may be destroyed meanwhile.
    /// Throws: what the handler's allocator throws.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_probe(Duration timeout, Token&& token = Token()) {
        return asio::async_initiate<Token, ProbeSignature>(Initiation{this}, token, timeout,
                                                           settings());
    }

    // For workers, which need the executor at every attempt.
    [[nodiscard]] const Executor& attempt_executor() const noexcept { return executor_; }

    // For workers: takes all of `other` but its executor, which other threads may be reading.
    void take_settings(Derived&& other) noexcept {
        static_cast<Derived*>(this)->target_ = std::move(other.target_);
    }

    // For workers and AnyProbe: async_probe() without a token; may complete at once.
    void start_attempt(Duration timeout, OwnedAttemptHandler<Executor> handler) {
        const Ref<Wheel>& wheel = handler.owner().attempt_context().steady();
        start(executor_, wheel, settings(), timeout, std::move(handler));
    }

protected:
    template <class Where>
    explicit BuiltinProbe(Where&& where)
        : executor_(executor_from<Executor>(std::forward<Where>(where))) {
        static_cast<void>(Wheel::of(executor_)); // makes it, so that later uses cannot fail
    }

private:
    [[nodiscard]] auto settings() const { return static_cast<const Derived*>(this)->target_; }

    template <class Settings, class Handler>
    static void start(const Executor& executor, const Ref<Wheel>& wheel, Settings settings,
                      Duration timeout, Handler&& handler) {
        with_inner_executor(executor, [&](const auto& io) {
            using Attempt = typename Derived::template Attempt<std::decay_t<Handler>,
                                                               std::decay_t<decltype(io)>>;
            Ref attempt = Attempt::make(std::forward<Handler>(handler), executor, io, wheel,
                                        timeout, std::move(settings));
            Attempt::start(std::move(attempt));
            PROBEKIT_ASSERT(Attempt::goes_on(attempt));
        });
    }

    // Lazy tokens (deferred, use_awaitable) keep this object and call it later, when the probe may
    // have been destroyed.
    class Initiation {
    public:
        using executor_type = Executor;

        explicit Initiation(const BuiltinProbe* probe) : executor_(probe->executor_) {}

        [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

        template <class Handler, class Settings>
        void operator()(Handler&& handler, Duration timeout, Settings settings) const {
            start(executor_, Wheel::of(executor_), std::move(settings), timeout,
                  std::decay_t<Handler>(std::forward<Handler>(handler)));
        }

    private:
        Executor executor_;
    };

    Executor executor_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
