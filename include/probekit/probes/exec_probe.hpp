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
#include <probekit/probes/detail/exec_attempt.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Runs a command. Exit status 0 is a success.
/// \code
/// ExecProbe probe{io, {.command = {"/bin/test", "-e", "/run/app.pid"}}};
/// probe.async_probe(1s, [](std::error_code error, const ProbeResult& result) {
///     std::puts(!error && result.passed() ? "up" : "down");
/// });
/// \endcode
/// Mirrors the kubelet's exec probe: there is no shell, and the output is stdout followed by
/// stderr, the first 10 KiB of it.
///
/// The command runs in a process group of its own, with /dev/null as stdin and none of the
/// program's descriptors. The timeout counts from its execution. At the timeout, or when the
/// attempt is cancelled, the group is killed and the command reaped before the handler runs; a
/// command that may not be signalled (set-user-ID) is waited for. Processes that a command leaves
/// behind when it ends by itself are left alone, as in a container, and delay nothing.
///
/// The inherited environment is that of the moment the probe is made. An attempt owns what it
/// needs: the probe may be moved or destroyed at once, and attempts may overlap. Use one object
/// from one thread or strand at a time.
template <class Executor = asio::any_io_executor>
class BasicExecProbe : public detail::BuiltinProbe<BasicExecProbe<Executor>, Executor> {
    using Base = detail::BuiltinProbe<BasicExecProbe, Executor>;

public:
    template <class Other>
    struct rebind_executor {
        using other = BasicExecProbe<Other>;
    };

    /// `where`: an executor or an execution context. Throws ConfigException if validate() finds
    /// anything.
    template <detail::ExecutorSource<Executor> Where>
    explicit BasicExecProbe(Where&& where, ExecAction action, const ExecOptions& options = {})
        : Base(std::forward<Where>(where)), target_(make_target(std::move(action), options)) {}

    [[nodiscard]] const ExecAction& action() const noexcept { return target_->action; }

private:
    friend Base;

    static std::shared_ptr<const detail::ExecTarget> make_target(ExecAction action,
                                                                 const ExecOptions& options) {
        detail::throw_if_wrong(validate(action), validate(options));
        return std::make_shared<const detail::ExecTarget>(std::move(action), options);
    }

    template <class Handler, class IoExecutor>
    using Attempt = detail::ExecAttempt<Handler, Executor, IoExecutor>;

    std::shared_ptr<const detail::ExecTarget> target_;
};

using ExecProbe = BasicExecProbe<>;

} // namespace probekit::inline PROBEKIT_ABI
