// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio/ip/address.hpp>
#include <asio/ip/address_v4.hpp>

#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/message.hpp>
#include <probekit/core/detail/message_context.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/dial_target.hpp>
#include <probekit/probes/detail/dialing_attempt.hpp>
#include <probekit/probes/detail/literal_address.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The host within "[host]", as Go finds it there. A host with a colon keeps its brackets: Go would
/// bracket it once more.
[[nodiscard]] constexpr std::string_view unbracketed(std::string_view host) noexcept {
    const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
    return is_bracketed && host.find_first_of("[]:", 1) == host.size() - 1
               ? host.substr(1, host.size() - 2)
               : host;
}

/// What is wrong with "host:port", in the words of Go, which looks before it dials; empty: nothing.
[[nodiscard]] constexpr std::string_view host_port_problem(std::string_view text) noexcept {
    std::size_t end = 0; // behind a bracketed host
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

/// The settings of a TcpProbe, shared with its attempts and results. A program may have a million
/// of them, most with an IPv4 address: the order of the members leaves no gaps, and larger settings
/// lie in a block of their own.
template <class = OnUse>
class BasicTcpTarget final : public MessageContext {
public:
    BasicTcpTarget(TcpSocketAction what, const TcpOptions& options)
        : action(std::move(what)),
          close_(options.unix_socket.empty() ? options.close : TcpClose::orderly) {
        DialTarget parsed = DialTarget::of(unbracketed(action.host), options);
        is_name_ = parsed.is_name();
        if (parsed.uncommon || (parsed.address && parsed.address->is_v6()))
            large_ = std::make_unique<const DialTarget>(std::move(parsed));
        else if (parsed.address)
            v4_ = parsed.address->to_v4();
    }

    /// Whether the host has to be resolved.
    [[nodiscard]] bool is_name() const noexcept { return is_name_; }

    [[nodiscard]] DialSettings settings() const noexcept {
        return {large_ ? large_->uncommon.get() : nullptr, close_};
    }
    /// Empty if the host is a name.
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
    TcpClose close_ : 2;
    asio::ip::address_v4 v4_;
    std::unique_ptr<const DialTarget>
        large_; // null for an IPv4 address or name without uncommon settings
};

using TcpTarget = BasicTcpTarget<>;

/// Connects and closes the connection at once.
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
        this->finish_with_cause(std::move(self), phase, why);
    }

    void dial_aborted(Self&& self, Phase phase, std::error_code why) {
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

} // namespace probekit::inline PROBEKIT_ABI::detail
