// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/message.hpp>
#include <probekit/core/detail/message_context.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/result.hpp>
#include <probekit/http/detail/punycode.hpp>
#include <probekit/http/expectation.hpp>
#include <probekit/http/request.hpp>
#include <probekit/http/url.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The URL that the kubelet makes of a probe's settings. If the path is a whole URL, only its path
/// and query count; if it is no URL, every byte of it is part of the path.
template <class = OnUse>
[[nodiscard]] inline http::ParsedUrl probe_url(const HttpGetAction& action) {
    http::ParsedUrl parsed = http::parse_url(action.path);
    if (!parsed) parsed = {.url = {.path = url_escaped(action.path, UrlPart::path)}};
    parsed.url.scheme = action.scheme == HttpScheme::https ? "https" : "http";
    const std::string_view host =
        action.host.empty() ? std::string_view{"127.0.0.1"} : std::string_view{action.host};
    parsed.url.host = join_host_port(host, std::to_string(action.port));
    if (action.port == 0)
        parsed.url.host.resize(parsed.url.host.size() - 2); // a Unix-domain socket has no port
    return http::parse_url(parsed.url.text());
}

} // namespace probekit::inline PROBEKIT_ABI::detail

namespace probekit::inline PROBEKIT_ABI::http {

/// What all exchanges of an HTTP probe share: made once, used by all attempts and their results.
/// The settings must be valid. If Go would still not send the request, invalid_request() says why.
/// ExchangeFsm has an example.
class ExchangePlan final : public detail::MessageContext {
public:
    /// `address`: a literal host as messages print it; empty: as in `action`. `has_tls`: the caller
    /// can connect to a scheme() of https.
    template <class = detail::OnUse>
    explicit ExchangePlan(const HttpGetAction& action, const HttpOptions& options = {},
                          std::string_view address = {}, bool has_tls = false)
        : ExchangePlan(detail::probe_url(action), action, options, address, has_tls) {}

    [[nodiscard]] const Url& url() const noexcept { return url_; }
    [[nodiscard]] HttpMethod method() const noexcept { return method_; }
    [[nodiscard]] const RequestHeaders& headers() const noexcept { return headers_; }
    /// The bytes of the first request.
    [[nodiscard]] const std::string& request() const noexcept { return request_; }

    /// An address or a name, without brackets, to connect to for every request: redirects never
    /// lead to another host.
    [[nodiscard]] const std::string& host() const noexcept { return host_; }
    /// Port and scheme of the first request.
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] HttpScheme scheme() const noexcept { return scheme_; }
    [[nodiscard]] bool has_tls() const noexcept { return has_tls_; }

    /// The address that an attempt connects to, as messages print it: "127.0.0.1:80".
    template <class = detail::OnUse>
    [[nodiscard]] std::string dialled_address(std::uint16_t port) const {
        return is_unix_ ? address_ : detail::join_host_port(address_, std::to_string(port));
    }

    /// "tcp" or "unix".
    [[nodiscard]] std::string_view network() const noexcept { return is_unix_ ? "unix" : "tcp"; }

    [[nodiscard]] const std::vector<Expectation>& expectations() const noexcept {
        return expectations_;
    }
    /// Whether expectations decide which statuses are right, instead of the kubelet's rule.
    [[nodiscard]] bool expects_status() const noexcept { return expects_status_; }
    /// Whether an expectation is about headers.
    [[nodiscard]] bool expects_headers() const noexcept { return !expected_headers_.empty(); }
    /// Whether an expectation is about this header.
    template <class = detail::OnUse>
    [[nodiscard]] bool expects_header(std::string_view header) const noexcept {
        return std::ranges::any_of(expected_headers_,
                                   [&](const auto& name) { return detail::iequals(name, header); });
    }

    /// How much of a body may be kept.
    [[nodiscard]] std::size_t body_limit() const noexcept { return body_limit_; }
    /// How much of a body is read.
    [[nodiscard]] std::size_t read_limit() const noexcept { return read_limit_; }
    [[nodiscard]] bool keeps_output() const noexcept { return keeps_output_; }
    [[nodiscard]] bool follows_redirects() const noexcept { return redirects_ != Redirects::none; }
    /// Whether a redirect from https to http is a failure.
    [[nodiscard]] bool refuses_downgrades() const noexcept {
        return redirects_ == Redirects::no_downgrade;
    }
    [[nodiscard]] int max_requests() const noexcept { return max_requests_; }

    /// Why no request can be sent, in the kubelet's words; empty if one can.
    [[nodiscard]] const std::string& invalid_request() const noexcept { return invalid_request_; }
    /// Whether the kubelet counts an invalid request as a failure of the target. Otherwise it could
    /// not even form the request, which is a prober error.
    [[nodiscard]] bool invalid_request_is_failure() const noexcept {
        return invalid_request_is_failure_;
    }

    [[nodiscard]] std::string message(const ProbeResult& result,
                                      std::optional<Duration>) const override {
        return detail::http_message(method_, url_.text_for_messages(), host_,
                                    dialled_address(port_), result, network());
    }

private:
    template <class = detail::OnUse>
    ExchangePlan(ParsedUrl parsed, const HttpGetAction& action, const HttpOptions& options,
                 std::string_view address, bool has_tls)
        : url_(std::move(parsed.url)),
          headers_(make_request_headers(action.headers, options.user_agent)),
          request_(make_request(options.method, url_, headers_, headers_.host)),
          host_(detail::ascii_host(url_.hostname())),
          address_(!options.unix_socket.empty() ? options.unix_socket
                   : address.empty()            ? host_
                                                : std::string{address}),
          invalid_request_(std::move(parsed.error)),
          expectations_(options.expect),
          body_limit_(options.body_limit),
          read_limit_(options.body_limit),
          max_requests_(options.max_requests),
          port_(action.port),
          scheme_(action.scheme),
          method_(options.method),
          has_tls_(has_tls),
          is_unix_(!options.unix_socket.empty()),
          keeps_output_(options.keep_output),
          redirects_(options.redirects) {
        detail::each_expectation(expectations_, [this](const Expectation& expectation) {
            if (expectation.subject == Expectation::Subject::status) expects_status_ = true;
            if (expectation.subject == Expectation::Subject::header)
                expected_headers_.push_back(expectation.header);
            // One byte more than the most that is kept shows whether a whole body was longer.
            if (expectation.subject == Expectation::Subject::body)
                read_limit_ = std::max(read_limit_, std::min(expectation.body_bytes, max_body + 1));
        });
        if (!invalid_request_.empty()) return;
        std::string_view reason = headers_.error;
        if (reason.empty() && host_.empty()) reason = "http: no Host in request URL";
        if (reason.empty()) return;
        invalid_request_ = detail::request_message(method_, url_.text_for_messages(), reason);
        invalid_request_is_failure_ = true;
    }

    Url url_;
    RequestHeaders headers_;
    std::string request_;
    std::string host_;
    std::string address_;
    std::string invalid_request_;
    std::vector<Expectation> expectations_;
    std::vector<std::string> expected_headers_;
    std::size_t body_limit_;
    std::size_t read_limit_;
    int max_requests_;
    std::uint16_t port_;
    HttpScheme scheme_;
    HttpMethod method_;
    bool has_tls_;
    bool is_unix_;
    bool keeps_output_;
    Redirects redirects_;
    bool expects_status_ = false;
    bool invalid_request_is_failure_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI::http
