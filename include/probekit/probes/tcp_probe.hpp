// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <utility>

#include <asio/any_io_executor.hpp>

#include <probekit/async/detail/executors.hpp>
#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/error.hpp>
#include <probekit/probes/detail/builtin_probe.hpp>
#include <probekit/probes/detail/tcp_attempt.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Opens a TCP connection and closes it at once. A connection is a success; nothing is sent. By
/// default the server's program does not see it (TcpOptions::close).
/// \code
/// TcpProbe probe{io, {.host = "127.0.0.1", .port = 5432}};
/// probe.async_probe(1s, [](std::error_code error, const ProbeResult& result) {
///     std::puts(!error && result.passed() ? "up" : "down");
/// });
/// \endcode
/// Mirrors the kubelet's tcpSocket probe, whose connections servers do see, and which lingers for
/// up to one second when it closes: TcpClose::linger.
///
/// An attempt owns what it needs: the probe may be moved or destroyed at once, and attempts may
/// overlap. A literal host needs no resolver. Use one object from one thread or strand at a time.
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
        ConfigErrors errors = detail::validate_at(action, options.unix_socket, options.any_host);
        detail::validate_source_address(options.source_address, action.host, errors);
        detail::validate_socket_options(options, errors);
        detail::throw_if_wrong(std::move(errors));
        return std::make_shared<const detail::TcpTarget>(std::move(action), options);
    }

    template <class Handler, class IoExecutor>
    using Attempt = detail::TcpAttempt<Handler, Executor, IoExecutor>;

    std::shared_ptr<const detail::TcpTarget> target_;
};

using TcpProbe = BasicTcpProbe<>;

} // namespace probekit::inline PROBEKIT_ABI
