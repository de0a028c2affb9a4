// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>
#include <string>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/message_context.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/result.hpp>
#include <probekit/http/exchange_plan.hpp>
#include <probekit/http/expectation.hpp>
#include <probekit/probes/detail/builtin_probe.hpp>
#include <probekit/probes/detail/dial_target.hpp>
#include <probekit/probes/detail/literal_address.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

template <class = OnUse>
[[nodiscard]] inline ConfigErrors validate_http(const HttpOptions& options,
                                                const std::string& host) {
    ConfigErrors errors;
    if (options.max_requests < 1) errors.push_back({"max_requests", "must be greater than zero"});
    if (!is_one_line(options.user_agent))
        errors.push_back({"user_agent", "must not contain CR, LF or NUL"});
    validate_source_address(options.source_address, host, errors);
    for (ConfigError& error : http::validate(options.expect)) errors.push_back(std::move(error));
    if (options.method == HttpMethod::head)
        each_expectation(options.expect, [&errors](const http::Expectation& expectation) {
            if (expectation.subject == http::Expectation::Subject::body)
                errors.push_back({"method", "HEAD has no body of which something can be expected"});
        });
    validate_socket_options(options, errors);
    return errors;
}

/// The settings of an HTTP probe, shared with its attempts and results.
template <class = OnUse>
class BasicHttpTargetBase : public MessageContext {
public:
    [[nodiscard]] std::string message(const ProbeResult& result,
                                      std::optional<Duration> shown) const final {
        return plan.message(result, shown);
    }

    HttpGetAction action;
    DialTarget dial;
    http::ExchangePlan plan;
    SocketClose close;

protected:
    /// `has_tls`: whether its attempts can speak TLS.
    BasicHttpTargetBase(HttpGetAction what, const HttpOptions& options, bool has_tls)
        : action(std::move(what)),
          dial(DialTarget::of(action.host, options)),
          plan(action, options,
               dial.address ? literal_text(*dial.address, action.host) : std::string{}, has_tls),
          close(options.close) {}
    ~BasicHttpTargetBase() = default;
};

using HttpTargetBase = BasicHttpTargetBase<>;

template <class = OnUse>
class BasicHttpTarget final : public HttpTargetBase {
public:
    BasicHttpTarget(HttpGetAction what, const HttpOptions& options)
        : HttpTargetBase(std::move(what), options, false) {}
};

using HttpTarget = BasicHttpTarget<>;

} // namespace probekit::inline PROBEKIT_ABI::detail
