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

/// The URL that the kubelet makes of a probe's settings: of a path that is a whole URL only the
/// path and query count, of one that is none every byte does.
template <class = OnUse>
[[nodiscard]] inline http::ParsedUrl probe_url(const HttpGetAction& action) {
    http::ParsedUrl parsed = http::parse_url(action.path);
    if (!parsed) parsed = {.url = {.path = url_escaped(action.path, UrlPart::path)}};
    parsed.url.scheme = action.scheme == HttpScheme::https ? "https" : "http";
    const std::string_view host =
        action.host.empty() ? std::string_view{"127.0.0.1"} : std::string_view{action.host};
    parsed.url.host = join_host_port(host, std::to_string(action.port));
    if (action.port == 0)
        parsed.url.host.resize(parsed.url.host.size() - 2); // of a Unix-domain socket
    return http::parse_url(parsed.url.text());
}

} // namespace probekit::inline PROBEKIT_ABI::detail

namespace probekit::inline PROBEKIT_ABI::http {

/// All of a probe's exchanges that does not change from one to the next: made once, shared by all
/// attempts and their results. Settings must be valid; what Go would refuse to send all the same is
/// kept as refusal().
template <class = detail::OnUse>
class BasicExchangePlan final : public detail::MessageContext {
public:
    /// `address`: of a literal host, as messages shall print it; empty: as it was given. `has_tls`:
    /// whether the caller can connect where scheme() says https.
    explicit BasicExchangePlan(const HttpGetAction& action, const HttpOptions& options = {},
                               std::string_view address = {}, bool has_tls = false)
        : BasicExchangePlan(detail::probe_url(action), action, options, address, has_tls) {}

    [[nodiscard]] const Url& url() const noexcept { return url_; }
    [[nodiscard]] const RequestHeaders& headers() const noexcept { return headers_; }
    [[nodiscard]] const std::string& request() const noexcept {
        return request_;
    } ///< the first one

    /// To be connected to, for every request: redirects never lead to another host. An address or a
    /// name, no brackets.
    [[nodiscard]] const std::string& host() const noexcept { return host_; }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; } ///< of the first request
    [[nodiscard]] HttpScheme scheme() const noexcept { return scheme_; }
    [[nodiscard]] bool has_tls() const noexcept { return has_tls_; }

    /// "127.0.0.1:80": what was dialled, as messages say it.
    [[nodiscard]] std::string dialled(std::uint16_t port) const {
        return is_unix_ ? address_ : detail::join_host_port(address_, std::to_string(port));
    }

    /// "tcp" or "unix".
    [[nodiscard]] std::string_view network() const noexcept { return is_unix_ ? "unix" : "tcp"; }

    [[nodiscard]] const std::vector<Expectation>& expectations() const noexcept {
        return expectations_;
    }
    /// Whether an expectation decides which statuses are right, instead of the kubelet's rule.
    [[nodiscard]] bool expects_status() const noexcept { return expects_status_; }
    /// Whether an expectation looks at headers, and whether at that one.
    [[nodiscard]] bool watches_headers() const noexcept { return !watched_.empty(); }
    [[nodiscard]] bool watches(std::string_view header) const noexcept {
        return std::ranges::any_of(watched_,
                                   [&](const auto& name) { return detail::iequals(name, header); });
    }

    [[nodiscard]] std::size_t body_limit() const noexcept {
        return body_limit_;
    } ///< of what may be kept
    [[nodiscard]] std::size_t read_limit() const noexcept {
        return read_limit_;
    } ///< of what is read of a body
    [[nodiscard]] bool keeps_output() const noexcept { return keeps_output_; }
    [[nodiscard]] bool follows_redirects() const noexcept { return follows_redirects_; }
    [[nodiscard]] int max_requests() const noexcept { return max_requests_; }

    /// Why nothing will be sent; empty if it will. The kubelet's text.
    [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }
    /// Whether the refusal is a failure of the target, or an error: the kubelet could not even form
    /// the request.
    [[nodiscard]] bool refusal_is_failure() const noexcept { return refusal_is_failure_; }

    [[nodiscard]] std::string message(const ProbeResult& result,
                                      std::optional<Duration>) const override {
        return detail::http_message(url_.text_for_messages(), host_, dialled(port_), result,
                                    network());
    }

private:
    BasicExchangePlan(ParsedUrl parsed, const HttpGetAction& action, const HttpOptions& options,
                      std::string_view address, bool has_tls)
        : url_(std::move(parsed.url)),
          headers_(make_request_headers(action.headers, options.user_agent)),
          request_(make_request(url_, headers_, headers_.host)),
          host_(detail::ascii_host(url_.hostname())),
          address_(!options.unix_socket.empty() ? options.unix_socket
                   : address.empty()            ? host_
                                                : std::string{address}),
          refusal_(std::move(parsed.error)),
          expectations_(options.expect),
          body_limit_(options.body_limit),
          read_limit_(options.body_limit),
          max_requests_(options.max_requests),
          port_(action.port),
          scheme_(action.scheme),
          has_tls_(has_tls),
          is_unix_(!options.unix_socket.empty()),
          keeps_output_(options.keep_output),
          follows_redirects_(options.redirects == Redirects::same_host) {
        detail::each_expectation(expectations_, [this](const Expectation& one) {
            if (one.subject == Expectation::Subject::status) expects_status_ = true;
            if (one.subject == Expectation::Subject::header) watched_.push_back(one.header);
            // One more than is kept of a body that is to be whole tells whether it was.
            if (one.subject == Expectation::Subject::body)
                read_limit_ = std::max(read_limit_, std::min(one.body_bytes, most_body + 1));
        });
        if (!refusal_.empty()) return;
        std::string_view reason = headers_.error;
        if (reason.empty() && host_.empty()) reason = "http: no Host in request URL";
        if (reason.empty()) return;
        refusal_ = detail::request_message(url_.text_for_messages(), reason);
        refusal_is_failure_ = true;
    }

    Url url_;
    RequestHeaders headers_;
    std::string request_;
    std::string host_;
    std::string address_;
    std::string refusal_;
    std::vector<Expectation> expectations_;
    std::vector<std::string> watched_;
    std::size_t body_limit_;
    std::size_t read_limit_;
    int max_requests_;
    std::uint16_t port_;
    HttpScheme scheme_;
    bool has_tls_;
    bool is_unix_;
    bool keeps_output_;
    bool follows_redirects_;
    bool expects_status_ = false;
    bool refusal_is_failure_ = false;
};

using ExchangePlan = BasicExchangePlan<>;

} // namespace probekit::inline PROBEKIT_ABI::http
