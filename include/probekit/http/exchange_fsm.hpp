// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/message.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/detail/to_size.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/http/exchange_plan.hpp>
#include <probekit/http/expectation.hpp>
#include <probekit/http/request.hpp>
#include <probekit/http/response_parser.hpp>
#include <probekit/http/url.hpp>

namespace probekit::inline PROBEKIT_ABI::http {

/// One HTTP attempt as a machine without I/O: it makes the requests, follows redirects, judges the
/// response and words the result as the kubelet does. It has no socket and no clock.
/// \code
/// // given: const http::ExchangePlan& plan, std::string_view bytes
/// ProbeResult result;
/// http::ExchangeFsm exchange{plan, result};
/// using Step = http::ExchangeFsm::Step;
/// Step step = exchange.start();                               // connect to plan.host()
/// if (step == Step::connect) step = exchange.connected();     // send exchange.request()
/// if (step == Step::send) step = exchange.sent();             // receive
/// if (step == Step::receive) step = exchange.received(bytes); // more, or done
/// \endcode
/// Each call says what happened and returns what the caller must do next; a timeout is an event
/// like the others. A call that does not answer the last step must not be made. The machine alone
/// writes outcome, phase, status, cause, detail, output and output_bytes of the result until it is
/// done; times and target are the caller's. It allocates nothing unless it follows a redirect,
/// keeps some of the response, or words a failure. Functions may throw std::bad_alloc, and what a
/// matcher throws. Plan and result must outlive the machine.
class ExchangeFsm {
public:
    /// What the caller must do next.
    enum class Step : std::uint8_t {
        connect,   ///< close the connection, if any, and open one to the plan's host at port()
        handshake, ///< do the TLS handshake on the new connection
        send,      ///< send all of request()
        receive,   ///< receive some bytes
        done,      ///< drop the connection as closes_gracefully() says; error() is known
    };

    ExchangeFsm(const ExchangePlan& plan, ProbeResult& result) noexcept
        : plan_(&plan), result_(&result) {}

    template <class = detail::OnUse>
    [[nodiscard]] Step start() {
        if (plan_->invalid_request().empty()) {
            result_->phase = Phase::connect;
            return Step::connect;
        }
        result_->phase = Phase::request; // the request is what fails, so no earlier phase does
        result_->detail = plan_->invalid_request();
        return stop(plan_->invalid_request_is_failure() ? Outcome::failure : Outcome::unknown,
                    std::make_error_code(std::errc::invalid_argument));
    }

    /// The connection is open. May be called again before sent(), since the first attempt to send
    /// may show that connecting had failed, and another address may be tried then.
    [[nodiscard]] Step connected() noexcept {
        PROBEKIT_ASSERT(is_in(Phase::connect) || is_in(Phase::request));
        const bool is_secure = scheme() == HttpScheme::https;
        result_->phase = is_secure ? Phase::handshake : Phase::request;
        return is_secure ? Step::handshake : Step::send;
    }

    /// The handshake is done, and the peer is trusted.
    [[nodiscard]] Step secured() noexcept {
        PROBEKIT_ASSERT(is_in(Phase::handshake));
        result_->phase = Phase::request;
        return Step::send;
    }

    [[nodiscard]] Step sent() noexcept {
        PROBEKIT_ASSERT(is_in(Phase::request));
        result_->phase = Phase::response;
        return Step::receive;
    }

    template <class = detail::OnUse>
    [[nodiscard]] Step received(std::string_view bytes) {
        PROBEKIT_ASSERT(is_receiving());
        const auto on_header = [this](std::string_view name, std::string_view value) {
            if (parser_.status() >= 300 || plan_->expects_headers()) record_header(name, value);
        };
        for (;;) {
            switch (parser_.next(bytes, on_header)) {
            case ResponseParser::Event::more: return Step::receive;
            case ResponseParser::Event::head:
                if (begin_body()) break;
                return is_done_ ? Step::done : end_body();
            case ResponseParser::Event::body:
                if (consume(parser_.body())) break;
                return end_body();
            case ResponseParser::Event::complete: return end_body();
            case ResponseParser::Event::failed: return reject_response();
            }
        }
    }

    /// The peer has closed the connection instead of sending more.
    template <class = detail::OnUse>
    [[nodiscard]] Step ended() {
        PROBEKIT_ASSERT(is_receiving());
        if (!parser_.started()) return fail(Phase::response, Errc::malformed_response, "EOF");
        return parser_.finish() == ResponseParser::Event::complete ? end_body() : reject_response();
    }

    /// Connecting failed, in Phase::resolve or Phase::connect. `address`: the address that was
    /// dialled, if the host is a name that was resolved.
    template <class = detail::OnUse>
    [[nodiscard]] Step connect_failed(Phase phase, std::error_code code,
                                      std::string_view address = {}) {
        PROBEKIT_ASSERT(is_in(Phase::connect) || is_in(Phase::request));
        result_->phase = phase;
        return stop_without_response(to_std(code), address);
    }

    /// The socket failed while bytes were sent or received. `endpoints`: the local and the remote
    /// address, "127.0.0.1:40000->127.0.0.1:80" or "@->/run/app.sock".
    template <class = detail::OnUse>
    [[nodiscard]] Step socket_failed(std::error_code code, std::string_view endpoints) {
        code = to_std(code);
        const bool is_writing = is_in(Phase::request);
        std::string text{is_writing ? "write " : "read "};
        text.append(plan_->network())
            .append(" ")
            .append(endpoints)
            .append(is_writing ? ": write: " : ": read: ") += go_error_text(code);
        return connection_failed(code, std::move(text));
    }

    /// The connection failed, in its handshake or later. `text`: why, in Go's words.
    template <class = detail::OnUse>
    [[nodiscard]] Step connection_failed(std::error_code code, std::string text) {
        PROBEKIT_ASSERT(is_in(Phase::handshake) || is_in(Phase::request) || is_receiving());
        if (is_local_fault(code))
            return stop(Outcome::unknown, code,
                        detail::request_message(plan_->method(), shown_url(), text));
        if (is_in(Phase::body)) return follows_ ? follow() : stop_incomplete(std::move(text));
        if (!is_in(Phase::response) || !parser_.started()) return fail(result_->phase, code, text);
        if (parser_.between_heads()) return fail(Phase::response, code, broken_prefix + text);
        // Go judges what has come as if the stream had ended there.
        (void)parser_.finish();
        return reject_response();
    }

    template <class = detail::OnUse>
    [[nodiscard]] Step timed_out() {
        if (is_in(Phase::body)) {
            if (!follows_)
                return stop_incomplete("context deadline exceeded (Client.Timeout or context "
                                       "cancellation while reading body)");
            // Go blames the request that it would have sent next.
            if (const Step next = follow(); next == Step::done) return next;
        }
        return stop_without_response(make_error_code(Errc::timed_out), {});
    }

    /// The port and the scheme to connect to.
    [[nodiscard]] std::uint16_t port() const noexcept {
        return is_first() ? plan_->port() : redirect_->port;
    }
    [[nodiscard]] HttpScheme scheme() const noexcept {
        if (is_first()) return plan_->scheme();
        return redirect_->url.scheme == "https" ? HttpScheme::https : HttpScheme::http;
    }

    /// What to send. Valid until the next Step::connect.
    [[nodiscard]] std::string_view request() const noexcept {
        return is_first() ? plan_->request() : redirect_->request;
    }

    /// The phase that the exchange is in, or in which it has ended.
    [[nodiscard]] Phase phase() const noexcept { return result_->phase; }

    /// When done: whether the response has come as far as it was wanted, so that the connection is
    /// to be closed as after any request. Otherwise it may be reset.
    [[nodiscard]] bool closes_gracefully() const noexcept { return is_in(Phase::finish); }

    /// When done: the prober error, or that the body is incomplete; empty if the outcome counts.
    [[nodiscard]] std::error_code error() const noexcept {
        if (!result_->cause) return {};
        const bool counts =
            result_->outcome != Outcome::unknown && result_->cause != Errc::incomplete_body;
        return counts ? std::error_code{} : result_->cause;
    }

private:
    /// Allocated on the first redirect, or on the first header that an expectation is about.
    struct Redirect {
        // The response that is being read:
        std::vector<HttpHeader> headers = {}; ///< those that expectations are about
        std::string location = {};            ///< the Location header
        Url next = {};                        ///< the URL that it means
        bool next_is_absolute = false;
        // The current request, from the second one on:
        Url url = {};
        std::string host = {}; ///< its Host header, if that is not the URL's host
        std::string request = {};
        std::uint16_t port = 0;
    };

    /// How much Go reads of the body of a redirect that it follows.
    static constexpr std::uint64_t redirect_body_limit = 2048;
    static constexpr const char* broken_prefix = "net/http: HTTP/1.x transport connection broken: ";

    [[nodiscard]] static constexpr bool is_redirect(int status) noexcept {
        return (status >= 301 && status <= 303) || status == 307 || status == 308;
    }

    [[nodiscard]] bool is_in(Phase phase) const noexcept { return result_->phase == phase; }
    [[nodiscard]] bool is_receiving() const noexcept {
        return is_in(Phase::response) || is_in(Phase::body);
    }
    [[nodiscard]] bool is_first() const noexcept { return requests_ == 1; }
    [[nodiscard]] const Url& url() const noexcept {
        return is_first() ? plan_->url() : redirect_->url;
    }
    template <class = detail::OnUse>
    [[nodiscard]] std::string shown_url() const {
        return url().text_for_messages();
    }

    template <class = detail::OnUse>
    Redirect& redirect() {
        if (!redirect_) redirect_ = std::make_unique<Redirect>();
        return *redirect_;
    }

    template <class = detail::OnUse>
    [[gnu::noinline]] void record_header(std::string_view name, std::string_view value) {
        const int status = parser_.status();
        if (is_redirect(status) && plan_->follows_redirects() &&
            detail::is_header(name, "location"))
            record_location(value);
        const bool is_interim = status < 200 && status != 101;
        if (!is_interim && plan_->expects_header(name)) record_expected_header(name, value);
    }

    /// The first Location of several counts. An empty one means nothing.
    template <class = detail::OnUse>
    void record_location(std::string_view value) {
        if (std::exchange(has_location_, true) || value.empty()) return;
        redirect().location = value;
    }

    template <class = detail::OnUse>
    void record_expected_header(std::string_view name, std::string_view value) {
        std::vector<HttpHeader>& headers = redirect().headers;
        for (HttpHeader& header : headers) {
            if (!detail::iequals(header.name, name)) continue;
            if (header.value.size() < ResponseParser::max_line)
                header.value.append(", ").append(value);
            return;
        }
        headers.push_back({std::string{name}, std::string{value}});
    }

    /// The head has been read. Returns whether the body is to be read. If not, the response counts
    /// as it is, unless is_done_: then the exchange has failed.
    template <class = detail::OnUse>
    bool begin_body() {
        result_->phase = Phase::body;
        const int status = result_->status = parser_.status();
        if (redirect_ && !redirect_->location.empty()) {
            ParsedUrl location = parse_url(redirect_->location);
            if (!location) {
                is_done_ = true;
                (void)fail(Phase::response, Errc::bad_redirect,
                           "failed to parse Location header " + go_quoted(redirect_->location) +
                               ": " + location.error);
                return false;
            }
            redirect_->next_is_absolute = !location.url.scheme.empty();
            redirect_->next = resolve(url(), std::move(location.url));
            follows_ = redirect_->next.hostname() == plan_->url().hostname();
            if (follows_ && plan_->refuses_downgrades() && url().scheme == "https" &&
                redirect_->next.scheme == "http") {
                is_done_ = true;
                (void)fail(Phase::response, Errc::bad_redirect,
                           "redirect from https to http is not followed: " +
                               go_quoted(redirect_->location));
                return false;
            }
        }
        // What follows 101 is another protocol, which the server may speak for ever.
        if (status == 101 || plan_->method() == HttpMethod::head) return false;
        body_left_ = follows_ ? redirect_body_limit : plan_->read_limit();
        const bool length_known = parser_.length() != ResponseParser::unknown_length;
        if (follows_) return !length_known || parser_.length() <= redirect_body_limit;
        keeps_body_ =
            plan_->keeps_output() || status < 200 || status > 299 || !plan_->expectations().empty();
        // The peer may announce any length, so a long body gets its memory as it comes.
        if (keeps_body_ && length_known)
            result_->output.reserve(detail::to_size(
                std::min<std::uint64_t>({parser_.length(), body_left_, std::uint64_t{64} * 1024})));
        return body_left_ != 0;
    }

    /// Takes the next part of the body. Returns whether more of it is wanted.
    template <class = detail::OnUse>
    bool consume(std::string_view part) {
        part = part.substr(
            0, static_cast<std::size_t>(std::min<std::uint64_t>(part.size(), body_left_)));
        body_left_ -= part.size();
        if (!follows_) result_->output_bytes += part.size();
        if (keeps_body_) result_->output.append(part);
        return body_left_ != 0;
    }

    template <class = detail::OnUse>
    [[nodiscard]] Step end_body() {
        if (follows_) return follow();
        result_->phase = Phase::finish;
        const int status = result_->status;
        if (!plan_->expects_status() && (status < 200 || status > 399))
            return stop_with_response(Outcome::failure, Errc::http_status);
        if (!plan_->expectations().empty()) {
            const Response response{.status = status,
                                    .headers = redirect_
                                                   ? std::span<const HttpHeader>{redirect_->headers}
                                                   : std::span<const HttpHeader>{},
                                    .body = result_->output,
                                    .is_whole = result_->output_bytes <= max_body,
                                    .elapsed = result_->elapsed()};
            const std::string why = first_mismatch(plan_->expectations(), response);
            if (!why.empty()) {
                result_->detail = "HTTP probe failed: " + why;
                return stop_with_response(Outcome::failure, Errc::unexpected_response);
            }
        }
        return stop_with_response(
            status < 300 || plan_->expects_status() ? Outcome::success : Outcome::warning, {});
    }

    /// Ends with a response. Expectations may have needed more of the body than is to be kept.
    template <class = detail::OnUse>
    [[nodiscard]] Step stop_with_response(Outcome outcome, std::error_code cause) {
        const std::size_t kept =
            outcome == Outcome::success && !plan_->keeps_output() ? 0 : plan_->body_limit();
        if (result_->output.size() > kept) result_->output = result_->output.substr(0, kept);
        return stop(outcome, cause);
    }

    template <class = detail::OnUse>
    [[nodiscard]] Step reject_response() {
        if (result_->phase != Phase::body)
            return fail(Phase::response, Errc::malformed_response, broken_prefix + parser_.error());
        return follows_ ? follow() : stop_incomplete(parser_.error());
    }

    /// Goes on to the next request: the redirect's body has been read, or does not matter.
    template <class = detail::OnUse>
    [[nodiscard]] Step follow() {
        Redirect& redirect = *redirect_;
        if (requests_ >= plan_->max_requests()) {
            result_->phase = Phase::response;
            return stop(Outcome::failure, Errc::too_many_redirects,
                        detail::request_message(plan_->method(), redirect.location,
                                                "stopped after " +
                                                    std::to_string(plan_->max_requests()) +
                                                    " redirects"));
        }
        const std::string_view given_referer = plan_->headers().first("Referer");
        std::string referer =
            given_referer.empty() ? url().text_without_user() : std::string{given_referer};
        if (url().scheme == "https" && redirect.next.scheme == "http") referer.clear();
        // The user's Host header is sent again for relative redirects only.
        std::string host = std::move(redirect.host);
        if (is_first()) host = plan_->headers().host;
        if (redirect.next_is_absolute || host == url().host) host.clear();

        redirect.url = std::exchange(redirect.next, {});
        redirect.host = std::move(host);
        redirect.request =
            make_request(plan_->method(), redirect.url, plan_->headers(), redirect.host, referer);
        redirect.location.clear();
        redirect.headers.clear();
        ++requests_;
        has_location_ = false;
        follows_ = false;
        parser_ = ResponseParser{};
        result_->status = -1;
        return prepare_next_request();
    }

    /// Finds the port of the next request, or why it cannot be sent.
    template <class = detail::OnUse>
    [[nodiscard]] Step prepare_next_request() {
        Redirect& redirect = *redirect_;
        const bool is_https = redirect.url.scheme == "https";
        if (redirect.url.scheme != "http" && !(is_https && plan_->has_tls()))
            return fail(Phase::response, Errc::bad_redirect,
                        "unsupported protocol scheme " + go_quoted(redirect.url.scheme));
        std::uint32_t port = redirect.url.port().empty() ? (is_https ? 443 : 80) : 0;
        for (const char digit : redirect.url.port())
            port = std::min(port * 10 + static_cast<std::uint32_t>(digit - '0'), 65'536u);
        if (port > 65'535)
            return fail(Phase::response, Errc::bad_redirect,
                        "dial tcp: address " + std::string{redirect.url.port()} + ": invalid port");
        redirect.port = static_cast<std::uint16_t>(port);
        result_->phase = Phase::connect;
        return Step::connect;
    }

    /// Ends without a response. If the first request fails, result.target can word the message.
    template <class = detail::OnUse>
    [[nodiscard]] Step stop_without_response(std::error_code cause, std::string_view address) {
        std::string text;
        if (!is_first() || !address.empty())
            text = detail::unanswered_message(plan_->method(), shown_url(), plan_->host(),
                                              address.empty() ? plan_->dialled_address(port())
                                                              : std::string{address},
                                              result_->phase, cause, plan_->network());
        return stop(detail::is_prober_error(cause) ? Outcome::unknown : Outcome::failure, cause,
                    std::move(text));
    }

    template <class = detail::OnUse>
    [[nodiscard]] Step stop_incomplete(std::string text) {
        return stop(Outcome::failure, Errc::incomplete_body, std::move(text));
    }

    /// `what`: in Go's words, without the request that failed.
    template <class = detail::OnUse>
    [[nodiscard]] Step fail(Phase phase, std::error_code cause, std::string_view what) {
        result_->phase = phase;
        return stop(Outcome::failure, cause,
                    detail::request_message(plan_->method(), shown_url(), what));
    }

    [[nodiscard]] Step stop(Outcome outcome, std::error_code cause, std::string text) noexcept {
        result_->detail = std::move(text);
        return stop(outcome, cause);
    }

    [[nodiscard]] Step stop(Outcome outcome, std::error_code cause) noexcept {
        result_->outcome = outcome;
        result_->cause = cause;
        return Step::done;
    }

    const ExchangePlan* plan_;
    ProbeResult* result_;
    ResponseParser parser_ = {};
    std::unique_ptr<Redirect> redirect_ = {};
    std::uint64_t body_left_ = 0;
    int requests_ = 1;
    bool has_location_ = false;
    bool follows_ = false; ///< the response that is being read is a redirect to follow
    bool keeps_body_ = false;
    bool is_done_ = false; ///< begin_body() has ended the exchange
};

} // namespace probekit::inline PROBEKIT_ABI::http
