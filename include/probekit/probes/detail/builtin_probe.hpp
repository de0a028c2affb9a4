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
#include <probekit/probes/detail/attempt_owner.hpp>
#include <probekit/probes/detail/literal_address.hpp>
#include <probekit/probes/probe.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

template <class = OnUse>
inline void throw_if_wrong(ConfigErrors errors, ConfigErrors more = {}) {
    errors.insert(errors.end(), more.begin(), more.end());
    if (!errors.empty()) asio::detail::throw_exception(ConfigException{std::move(errors)});
}

/// From an address of one family nothing of the other can be reached.
template <class = OnUse>
inline void check_source(const std::string& address, const std::string& host,
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

/// Of TcpOptions and HttpOptions.
template <class Options>
void check_socket(const Options& options, ConfigErrors& errors) {
    if (options.unix_socket.empty()) return;
    check_unix_socket(options.unix_socket, errors);
    if (!options.source_address.empty())
        errors.push_back({"unix_socket", "cannot be had with a source_address"});
    if constexpr (requires { options.silent; })
        if (options.silent) errors.push_back({"unix_socket", "cannot be had with a silent look"});
}

/// What the probes of this library have in common: an executor, and async_probe(), which makes an
/// attempt and starts it. A Derived has `Attempt<Handler, IoExecutor>` and `target_`.
template <class Derived, class Executor>
class BuiltinProbe : public BuiltinProbeTag {
public:
    using executor_type = Executor;

    /// Workers need not guard the timeout.
    static constexpr bool enforces_timeout = true;

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

    /// Looks once. `timeout` counts from now. Completes with void(std::error_code, ProbeResult),
    /// see ProbeSignature, on the handler's associated executor, never from inside this call; its
    /// memory comes from the handler's associated allocator. Cancellation (terminal, partial and
    /// total alike) gives operation_aborted once nothing of the attempt is left. The probe may be
    /// destroyed meanwhile.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_probe(Duration timeout, Token&& token = Token()) {
        return asio::async_initiate<Token, ProbeSignature>(Initiation{this}, token, timeout,
                                                           settings());
    }

    // For workers, which need the executor at every look.
    [[nodiscard]] const Executor& attempt_executor() const noexcept { return executor_; }

    // For workers, whose other threads may be reading the executor: this becomes `other` in all but
    // that.
    void take_settings(Derived&& other) noexcept {
        static_cast<Derived*>(this)->target_ = std::move(other.target_);
    }

    // For workers and AnyProbe: the same without a token, and it may complete at once.
    void start_attempt(Duration timeout, OwnedAttemptHandler<Executor> handler) {
        const Ref<Wheel>& wheel = handler.client().attempt_context().steady();
        start(executor_, wheel, settings(), timeout, std::move(handler));
    }

protected:
    template <class Where>
    explicit BuiltinProbe(Where&& where)
        : executor_(executor_from<Executor>(std::forward<Where>(where))) {
        static_cast<void>(Wheel::of(executor_)); // it is there from now on
    }

private:
    [[nodiscard]] auto settings() const { return static_cast<const Derived*>(this)->target_; }

    template <class Settings, class Handler>
    static void start(const Executor& executor, const Ref<Wheel>& wheel, Settings settings,
                      Duration timeout, Handler&& handler) {
        with_inner_executor(executor, [&](const auto& io) {
            using Attempt = typename Derived::template Attempt<std::decay_t<Handler>,
                                                               std::decay_t<decltype(io)>>;
            Attempt::start(Attempt::make(std::move(handler), executor, io, wheel, timeout,
                                         std::move(settings)));
        });
    }

    // Lazy tokens (deferred, use_awaitable) keep this, and call it later, when the probe may have
    // gone.
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
