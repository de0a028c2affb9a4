// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <variant>

#include <asio/any_io_executor.hpp>
#include <asio/detail/throw_exception.hpp>

#include <probekit/async/detail/executors.hpp>
#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/error.hpp>
#include <probekit/http/detail/punycode.hpp>
#include <probekit/probes/any_probe.hpp>
#include <probekit/probes/detail/builtin_probe.hpp>
#include <probekit/probes/detail/http_attempt.hpp>
#include <probekit/probes/detail/http_target.hpp>
#include <probekit/probes/detail/literal_address.hpp>
#include <probekit/tls/detail/tls_connection.hpp>
#include <probekit/tls/detail/tls_context.hpp>
#include <probekit/tls/options.hpp>
#include <probekit/tls/peer_certificate.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The name that the certificate has to be for. OpenSSL wants it without the root's dot.
[[nodiscard]] inline std::string tls_peer_name(const HttpGetAction& action,
                                               const tls::Options& options) {
    std::string name = options.server_name.empty() ? ascii_host(host_or_loopback(action.host))
                                                   : ascii_host(options.server_name);
    if (name.ends_with('.')) name.pop_back();
    return name;
}

} // namespace probekit::inline PROBEKIT_ABI::detail

namespace probekit::inline PROBEKIT_ABI::tls {

/// What is wrong with the options; reads their files. The fields are those of Options.
[[nodiscard]] inline ConfigErrors validate(const Options& options) {
    ConfigErrors errors;
    static_cast<void>(detail::make_ssl_context(options, options.server_name, errors));
    return errors;
}

/// HttpGetProbe with TLS (OpenSSL 3).
/// \code
/// tls::HttpsGetProbe probe{
///     io, {.port = 8443, .path = "/healthz", .scheme = HttpScheme::https}};
/// probe.async_probe(1s, [](std::error_code error, const ProbeResult& result) {
///     std::puts((error ? error.message() : result.message()).c_str());
/// });
/// \endcode
/// Speaks HTTP/1.1 over TLS where the action or a redirect says https, and is otherwise the same:
/// request bytes, outcomes, messages, deadline, cancellation, lifetime. Like the kubelet it accepts
/// any certificate unless told to verify. Each attempt makes a full handshake, on a context that
/// the probe's attempts share.
///
/// An attempt that fails in TLS has as its cause a tls::Errc, or the system's error, and ends in
/// Phase::handshake; some servers refuse a client's certificate only later, in Phase::response.
template <class Executor = asio::any_io_executor>
class BasicHttpsGetProbe : public detail::BuiltinProbe<BasicHttpsGetProbe<Executor>, Executor> {
    using Base = detail::BuiltinProbe<BasicHttpsGetProbe, Executor>;

public:
    template <class Other>
    struct rebind_executor {
        using other = BasicHttpsGetProbe<Other>;
    };

    /// `where`: an executor or an execution context. Throws ConfigException if anything is wrong
    /// with the settings.
    template <detail::ExecutorSource<Executor> Where>
    explicit BasicHttpsGetProbe(Where&& where, HttpGetAction action, const Options& options = {},
                                const HttpOptions& http = {})
        : Base(std::forward<Where>(where)),
          target_(make_target(std::move(action), options, http)) {}

    [[nodiscard]] const HttpGetAction& action() const noexcept { return target_->action; }

    /// What attempts see of the peer's certificate.
    [[nodiscard]] PeerCertificate peer_certificate() const noexcept {
        return PeerCertificate{
            std::shared_ptr<const std::atomic<std::int64_t>>{target_, &target_->expires}};
    }

private:
    friend Base;

    static std::shared_ptr<const detail::HttpsTarget> make_target(HttpGetAction action,
                                                                  const Options& options,
                                                                  const HttpOptions& http) {
        ConfigErrors errors = detail::validate_at(action, http.unix_socket, http.any_host);
        for (ConfigError& error : detail::validate_http(http, action.host))
            errors.push_back(std::move(error));
        std::string name = detail::tls_peer_name(action, options);
        detail::SslContext context = detail::make_ssl_context(options, name, errors);
        detail::SocketMethod method = detail::TlsConnection::make_method();
        if (!method) asio::detail::throw_exception(std::bad_alloc{});
        detail::throw_if_wrong(std::move(errors));
        detail::TlsConnection::prepare_context(context.get());
        return std::make_shared<const detail::HttpsTarget>(std::move(action), http, options,
                                                           std::move(name), std::move(context),
                                                           std::move(method));
    }

    template <class Handler, class IoExecutor>
    using Attempt = detail::HttpAttempt<detail::TlsConnection, detail::HttpsTarget, Handler,
                                        Executor, IoExecutor>;

    std::shared_ptr<const detail::HttpsTarget> target_;
};

using HttpsGetProbe = BasicHttpsGetProbe<>;

/// For probekit::make_probe(): makes an HttpsGetProbe of each HttpGetAction, for those with scheme
/// https and those that are redirected to it.
/// \code
/// // given: const ProbeSettings& settings
/// const tls::Maker maker{{.verify = tls::Verify::full}};
/// AnyProbe probe = make_probe(io.get_executor(), settings, maker);
/// \endcode
struct Maker {
    Options tls = {};

    [[nodiscard]] AnyProbe operator()(const asio::any_io_executor& executor, HttpGetAction action,
                                      const ProbeOptions& options) const {
        return HttpsGetProbe{executor, std::move(action), tls, options.http};
    }
};

/// probekit::make_probe() with this room's Maker and no other.
[[nodiscard]] inline AnyProbe make_probe(const asio::any_io_executor& executor, ProbeAction action,
                                         const ProbeOptions& options = {},
                                         const Options& tls = {}) {
    return probekit::make_probe(executor, std::move(action), options, Maker{tls});
}

} // namespace probekit::inline PROBEKIT_ABI::tls
