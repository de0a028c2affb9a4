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
#include <probekit/probes/detail/connection.hpp>
#include <probekit/probes/detail/http_attempt.hpp>
#include <probekit/probes/detail/http_target.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Sends `GET path`, or HEAD (HttpOptions::method), over HTTP/1.1 on a new connection. A status from 200 to 399 is a success; a
/// redirect that is not followed is a warning.
/// \code
/// HttpGetProbe probe{io, {.port = 8080, .path = "/healthz"}};
/// probe.async_probe(1s, [](std::error_code error, const ProbeResult& result) {
///     std::puts((error ? error.message() : result.message()).c_str());
/// });
/// \endcode
/// Request bytes, redirects and messages are the kubelet's (see http/). The connection is closed in
/// another way, so that neither side is left with a TIME_WAIT. A body that breaks off is a prober
/// error.
///
/// An attempt owns what it needs: the probe may be moved or destroyed at once, and attempts may
/// overlap. A literal host needs no resolver. Use one object from one thread or strand at a time.
template <class Executor = asio::any_io_executor>
class BasicHttpGetProbe : public detail::BuiltinProbe<BasicHttpGetProbe<Executor>, Executor> {
    using Base = detail::BuiltinProbe<BasicHttpGetProbe, Executor>;

public:
    template <class Other>
    struct rebind_executor {
        using other = BasicHttpGetProbe<Other>;
    };

    /// `where`: an executor or an execution context. Throws ConfigException if validate() finds
    /// anything, and for https, which needs tls::HttpsGetProbe.
    template <detail::ExecutorSource<Executor> Where>
    explicit BasicHttpGetProbe(Where&& where, HttpGetAction action, const HttpOptions& options = {})
        : Base(std::forward<Where>(where)), target_(make_target(std::move(action), options)) {}

    [[nodiscard]] const HttpGetAction& action() const noexcept { return target_->action; }

private:
    friend Base;

    static std::shared_ptr<const detail::HttpTarget> make_target(HttpGetAction action,
                                                                 const HttpOptions& options) {
        ConfigErrors errors = detail::validate_at(action, options.unix_socket, options.any_host);
        if (action.scheme == HttpScheme::https)
            errors.push_back({"scheme", "https needs tls::HttpsGetProbe"});
        detail::throw_if_wrong(std::move(errors), detail::validate_http(options, action.host));
        return std::make_shared<const detail::HttpTarget>(std::move(action), options);
    }

    template <class Handler, class IoExecutor>
    using Attempt = detail::HttpAttempt<detail::PlainConnection, detail::HttpTarget, Handler,
                                        Executor, IoExecutor>;

    std::shared_ptr<const detail::HttpTarget> target_;
};

using HttpGetProbe = BasicHttpGetProbe<>;

} // namespace probekit::inline PROBEKIT_ABI
