// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/ip/address.hpp>
#include <asio/ip/address_v4.hpp>

#include <probekit/async/detail/executors.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/message.hpp>
#include <probekit/core/detail/message_context.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/attempt.hpp>
#include <probekit/probes/detail/builtin_probe.hpp>
#include <probekit/probes/detail/dial.hpp>
#include <probekit/probes/detail/literal_address.hpp>
#include <probekit/probes/probe.hpp>

namespace probekit::inline PROBEKIT_ABI {
namespace detail {

/// The host within "[host]", as Go finds it there; with a colon in it, it would have been bracketed
/// once more.
[[nodiscard]] constexpr std::string_view unbracketed(std::string_view host) noexcept {
    const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
    return is_bracketed && host.find_first_of("[]:", 1) == host.size() - 1
               ? host.substr(1, host.size() - 2)
               : host;
}

/// What Go says against "host:port" before it dials; empty: nothing.
[[nodiscard]] constexpr std::string_view host_port_problem(std::string_view text) noexcept {
    std::size_t end = 0; // of the brackets, if it begins with one
    if (text.starts_with('[')) {
        end = text.find(']');
        if (end == std::string_view::npos) return "missing ']' in address";
        if (++end != text.rfind(':'))
            return text[end] == ':' ? "too many colons in address" : "missing port in address";
    }
    if (text.find('[', end == 0 ? 0 : 1) != std::string_view::npos)
        return "unexpected '[' in address";
    if (text.find(']', end) != std::string_view::npos) return "unexpected ']' in address";
    return {};
}

/// A TcpProbe's settings, shared with its attempts and results. A program may have a million of
/// them, most with an IPv4 address: the order leaves no gaps, and what is larger stands in a block
/// of its own.
template <class = OnUse>
class BasicTcpTarget final : public MessageContext {
public:
    BasicTcpTarget(TcpSocketAction what, const TcpOptions& options)
        : action(std::move(what)),
          silent_(options.silent),
          close_(options.silent ? SocketClose::reset : options.close) {
        DialTarget parsed = DialTarget::of(unbracketed(action.host), options);
        is_name_ = parsed.is_name();
        if (parsed.uncommon || (parsed.address && parsed.address->is_v6()))
            large_ = std::make_unique<const DialTarget>(std::move(parsed));
        else if (parsed.address)
            v4_ = parsed.address->to_v4();
    }

    /// Whether there is something to resolve.
    [[nodiscard]] bool is_name() const noexcept { return is_name_; }

    [[nodiscard]] DialSettings settings() const noexcept {
        return {large_ ? large_->uncommon.get() : nullptr, silent_, close_};
    }
    /// Empty: the host is a name.
    [[nodiscard]] std::optional<asio::ip::address> address() const noexcept {
        if (large_) return large_->address;
        if (is_name_) return std::nullopt;
        return v4_;
    }

    [[nodiscard]] std::string message(const ProbeResult& result,
                                      std::optional<Duration>) const override {
        if (result.passed()) return {};
        if (const UnixAddress* const socket = settings().unix_socket())
            return dial_message({}, socket->text(), result.phase, result.cause, "unix");
        const std::string port = std::to_string(action.port);
        const std::string joined = join_host_port(host_or_loopback(action.host), port);
        if (const std::string_view problem = host_port_problem(joined); !problem.empty())
            return "dial tcp: address " + joined + ": " + std::string{problem};
        const std::string_view host = unbracketed(host_or_loopback(action.host));
        const std::optional<asio::ip::address> literal = address();
        const std::string dialled =
            literal ? join_host_port(literal_text(*literal, host), port) : result.detail;
        return dial_message(host, dialled, result.phase, result.cause);
    }

    [[no_unique_address]] const TcpSocketAction action;

private:
    bool is_name_ : 1;
    bool silent_ : 1;
    SocketClose close_ : 1;
    asio::ip::address_v4 v4_;
    std::unique_ptr<const DialTarget> large_; // of all but an IPv4 address or a name, from anywhere
};

using TcpTarget = BasicTcpTarget<>;

template <class Handler, class Executor, class IoExecutor>
class TcpAttempt final : public DialingAttempt<TcpAttempt<Handler, Executor, IoExecutor>, Handler,
                                               Executor, IoExecutor> {
    using Self = Ref<TcpAttempt>;
    using Base = DialingAttempt<TcpAttempt, Handler, Executor, IoExecutor>;

public:
    TcpAttempt(Handler&& handler, const Executor& executor, const IoExecutor& io,
               const Ref<Wheel>& wheel, Duration timeout, std::shared_ptr<const TcpTarget> target)
        : Base(std::move(handler), executor, io, wheel, timeout), target_(std::move(target)) {}

    static void start(Self&& self) {
        TcpAttempt& attempt = *self;
        attempt.dial(std::move(self));
    }

private:
    friend Base;
    friend typename Base::Base;

    static constexpr bool sends = false;

    [[nodiscard]] DialSettings dial_settings() const noexcept { return target_->settings(); }
    [[nodiscard]] std::optional<asio::ip::address> dial_address() const noexcept {
        return target_->address();
    }
    [[nodiscard]] std::string_view dial_host() const noexcept {
        return unbracketed(target_->action.host);
    }
    [[nodiscard]] std::uint16_t dial_port() const noexcept { return target_->action.port; }

    void connected(Self&& self) {
        this->close_socket();
        this->finish_passed(std::move(self), Phase::connect);
    }

    void dial_failed(Self&& self, Phase phase, std::error_code why) {
        this->finish_with(std::move(self), phase, why);
    }

    void dial_stopped(Self&& self, Phase phase, std::error_code why) {
        this->finish_stopped(std::move(self), phase, why);
    }

    void describe(Phase where) {
        this->result_.target = target_;
        if (target_->is_name() && where == Phase::connect)
            this->result_.detail = join_host_port(this->dialled().address().to_string(),
                                                  std::to_string(target_->action.port));
    }

    std::shared_ptr<const TcpTarget> target_;
};

} // namespace detail

/// Opens a TCP connection and closes it at once, with a reset: that it opens is success. Nothing is
/// sent. Mirrors the kubelet's tcpSocket probe, but for its linger of one second, which may hold up
/// the event loop (TcpOptions::close).
///
/// An attempt owns what it needs: the probe may be moved or destroyed at once, and looks may
/// overlap. A literal host needs no resolver. One object from one thread or strand at a time.
template <class Executor = asio::any_io_executor>
class BasicTcpProbe : public detail::BuiltinProbe<BasicTcpProbe<Executor>, Executor> {
    using Base = detail::BuiltinProbe<BasicTcpProbe, Executor>;

public:
    template <class Other>
    struct rebind_executor {
        using other = BasicTcpProbe<Other>;
    };

    /// `where`: an executor or an execution context. Throws ConfigException if validate() finds
    /// anything.
    template <detail::ExecutorSource<Executor> Where>
    explicit BasicTcpProbe(Where&& where, TcpSocketAction action, const TcpOptions& options = {})
        : Base(std::forward<Where>(where)), target_(make_target(std::move(action), options)) {}

    [[nodiscard]] const TcpSocketAction& action() const noexcept { return target_->action; }

private:
    friend Base;

    static std::shared_ptr<const detail::TcpTarget> make_target(TcpSocketAction action,
                                                                const TcpOptions& options) {
        ConfigErrors errors = detail::validate_at(action, options.unix_socket);
        detail::check_source(options.source_address, action.host, errors);
        detail::check_socket(options, errors);
        detail::throw_if_wrong(std::move(errors));
        return std::make_shared<const detail::TcpTarget>(std::move(action), options);
    }

    template <class Handler, class IoExecutor>
    using Attempt = detail::TcpAttempt<Handler, Executor, IoExecutor>;

    std::shared_ptr<const detail::TcpTarget> target_;
};

using TcpProbe = BasicTcpProbe<>;

} // namespace probekit::inline PROBEKIT_ABI
