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

/// One look by HTTP as a pure machine: requests, redirects, what the answer means and what the
/// kubelet would say of it. It asks for one thing at a time; the caller does it and tells what came
/// of it. It has no clock and no socket: the timeout is an event like the others. Nothing is
/// allocated for an answer that is no redirect and of which nothing is to be kept. Functions may
/// throw std::bad_alloc, and what a matcher throws. Plan and result must outlive it.
template <class = detail::OnUse>
class BasicExchangeFsm {
public:
    /// What the caller is to do next.
    enum class Step : std::uint8_t {
        connect,   ///< a new connection to the plan's host at port(); drop the one before
        handshake, ///< TLS, on the new connection
        send,      ///< all of request()
        receive,   ///< anything
        done,      ///< drop the connection: the result is filled in but for times and target, and
                   ///< error() is known
    };

    BasicExchangeFsm(const ExchangePlan& plan, ProbeResult& result) noexcept
        : plan_(&plan), result_(&result) {}

    [[nodiscard]] Step start() {
        if (plan_->refusal().empty()) {
            result_->phase = Phase::connect;
            return Step::connect;
        }
        result_->phase = Phase::request; // no further than to what would have been sent
        result_->detail = plan_->refusal();
        result_->outcome = plan_->refusal_is_failure() ? Outcome::failure : Outcome::unknown;
        result_->cause = std::make_error_code(std::errc::invalid_argument);
        return Step::done;
    }

    [[nodiscard]] Step connected() noexcept {
        const bool is_secure = scheme() == HttpScheme::https;
        result_->phase = is_secure ? Phase::handshake : Phase::request;
        return is_secure ? Step::handshake : Step::send;
    }

    /// The handshake is over, and the peer is to be trusted.
    [[nodiscard]] Step secured() noexcept {
        result_->phase = Phase::request;
        return Step::send;
    }

    [[nodiscard]] Step sent() noexcept {
        result_->phase = Phase::response;
        return Step::receive;
    }

    [[nodiscard]] Step received(std::string_view bytes) {
        const auto on_header = [this](std::string_view name, std::string_view value) {
            if (parser_.status() >= 300 || plan_->watches_headers()) see_header(name, value);
        };
        for (;;) {
            switch (parser_.next(bytes, on_header)) {
            case ResponseParser::Event::more: return Step::receive;
            case ResponseParser::Event::head:
                if (begin_body()) break;
                return is_done_ ? Step::done : end_body();
            case ResponseParser::Event::body:
                if (take(parser_.body())) break;
                return end_body();
            case ResponseParser::Event::complete: return end_body();
            case ResponseParser::Event::failed: return reject_response();
            }
        }
    }

    /// The peer has closed the connection while something was to be received.
    [[nodiscard]] Step ended() {
        if (!parser_.started()) return fail(Phase::response, Errc::malformed_response, "EOF");
        return parser_.finish() == ResponseParser::Event::complete ? end_body() : reject_response();
    }

    /// There is no connection. `phase`: resolve or connect. `address`: what was dialled, if a name
    /// had to be resolved.
    [[nodiscard]] Step no_connection(Phase phase, std::error_code code,
                                     std::string_view address = {}) {
        result_->phase = phase;
        return stop_unanswered(to_std(code), address);
    }

    /// Sending or receiving failed. `ends`: local and remote address,
    /// "127.0.0.1:40000->127.0.0.1:80", "@->/run/app.sock".
    [[nodiscard]] Step broken(std::error_code code, std::string_view ends) {
        code = to_std(code);
        const bool writing = result_->phase == Phase::request;
        std::string text{writing ? "write " : "read "};
        text.append(plan_->network())
            .append(" ")
            .append(ends)
            .append(writing ? ": write: " : ": read: ") += go_error_text(code);
        return lost(code, std::move(text));
    }

    /// The connection is of no use any more, from its handshake on. `what` says why, in Go's words.
    [[nodiscard]] Step lost(std::error_code code, std::string what) {
        if (is_local_fault(code))
            return stop(Outcome::unknown, code, detail::request_message(shown_url(), what));
        if (result_->phase == Phase::body)
            return follows_ ? follow() : stop_incomplete(std::move(what));
        if (result_->phase != Phase::response || !parser_.started())
            return fail(result_->phase, code, what);
        if (parser_.between_heads()) return fail(Phase::response, code, broken_prefix + what);
        (void)parser_.finish(); // what came is judged as if it had ended: so does Go, which then
                                // meets the end
        return reject_response();
    }

    [[nodiscard]] Step timed_out() {
        if (result_->phase == Phase::body) {
            if (!follows_)
                return stop_incomplete("context deadline exceeded (Client.Timeout or context "
                                       "cancellation while reading body)");
            // Go blames the request that it would have sent next.
            if (const Step next = follow(); next == Step::done) return next;
        }
        return stop_unanswered(make_error_code(Errc::timed_out), {});
    }

    /// The look failed for another reason: `what` in Go's words, without the request it is said of.
    [[nodiscard]] Step fail(Phase phase, std::error_code cause, std::string_view what) {
        result_->phase = phase;
        return stop(Outcome::failure, cause, detail::request_message(shown_url(), what));
    }

    /// Where to connect to.
    [[nodiscard]] std::uint16_t port() const noexcept {
        return is_first() ? plan_->port() : hop_->port;
    }
    [[nodiscard]] HttpScheme scheme() const noexcept {
        if (is_first()) return plan_->scheme();
        return hop_->url.scheme == "https" ? HttpScheme::https : HttpScheme::http;
    }

    /// What to send. Valid until the next connect.
    [[nodiscard]] std::string_view request() const noexcept {
        return is_first() ? plan_->request() : hop_->request;
    }

    /// When done: why nothing was learned that counts; empty if the outcome counts.
    [[nodiscard]] std::error_code error() const noexcept {
        if (!result_->cause) return {};
        const bool counts =
            result_->outcome != Outcome::unknown && result_->cause != Errc::incomplete_body;
        return counts ? std::error_code{} : result_->cause;
    }

private:
    /// What there is only once a redirect has come, or a header that an expectation looks at.
    struct Hop {
        std::vector<HttpHeader> headers = {}; ///< those, of the answer that is being read
        std::string location = {};            ///< of the answer that is being read
        Url next = {};                        ///< what it means
        bool next_is_absolute = false;
        Url url = {}; ///< of the request under way, from the second on, as are the following
        std::string host = {}; ///< what its Host header says if it is not the URL's host
        std::string request = {};
        std::uint16_t port = 0;
    };

    /// As much as Go reads of the body of a redirect it follows.
    static constexpr std::uint64_t redirect_body_limit = 2048;
    static constexpr const char* broken_prefix = "net/http: HTTP/1.x transport connection broken: ";

    [[nodiscard]] static constexpr bool is_redirect(int status) noexcept {
        return (status >= 301 && status <= 303) || status == 307 || status == 308;
    }

    [[nodiscard]] bool is_first() const noexcept { return requests_ == 1; }
    [[nodiscard]] const Url& url() const noexcept { return is_first() ? plan_->url() : hop_->url; }
    [[nodiscard]] std::string shown_url() const { return url().text_for_messages(); }

    [[gnu::noinline]] void see_header(std::string_view name, std::string_view value) {
        const int status = parser_.status();
        if (is_redirect(status) && plan_->follows_redirects() &&
            detail::is_header(name, "location"))
            see_location(value);
        const bool is_interim = status < 200 && status != 101;
        if (!is_interim && plan_->watches(name)) note_header(name, value);
    }

    /// The first of several counts, an empty one means nothing.
    void see_location(std::string_view value) {
        if (std::exchange(has_location_, true) || value.empty()) return;
        if (!hop_) hop_ = std::make_unique<Hop>();
        hop_->location = value;
    }

    void note_header(std::string_view name, std::string_view value) {
        if (!hop_) hop_ = std::make_unique<Hop>();
        for (HttpHeader& header : hop_->headers) {
            if (!detail::iequals(header.name, name)) continue;
            if (header.value.size() < ResponseParser::max_line)
                header.value.append(", ").append(value);
            return;
        }
        hop_->headers.push_back({std::string{name}, std::string{value}});
    }

    /// The head is known. True: its body is to be read. False: there is no need to, or (is_done_)
    /// it was not to be borne.
    bool begin_body() {
        result_->phase = Phase::body;
        const int status = result_->status = parser_.status();
        if (hop_ && !hop_->location.empty()) {
            ParsedUrl location = parse_url(hop_->location);
            if (!location) {
                is_done_ = true;
                (void)fail(Phase::response, Errc::bad_redirect,
                           "failed to parse Location header " + go_quoted(hop_->location) + ": " +
                               location.error);
                return false;
            }
            hop_->next_is_absolute = !location.url.scheme.empty();
            hop_->next = resolve(url(), std::move(location.url));
            follows_ = hop_->next.hostname() == plan_->url().hostname();
        }
        body_left_ = follows_ ? redirect_body_limit : plan_->read_limit();
        const bool length_known = parser_.length() != ResponseParser::unknown_length;
        if (follows_) return !length_known || parser_.length() <= redirect_body_limit;
        keeps_body_ =
            plan_->keeps_output() || status < 200 || status > 299 || !plan_->expectations().empty();
        // A length is only what the peer says: what is really there may take more, step by step.
        if (keeps_body_ && length_known)
            result_->output.reserve(static_cast<std::size_t>(
                std::min<std::uint64_t>({parser_.length(), body_left_, 64 * 1024})));
        return body_left_ != 0;
    }

    /// False: no more of the body is wanted.
    bool take(std::string_view part) {
        part = part.substr(
            0, static_cast<std::size_t>(std::min<std::uint64_t>(part.size(), body_left_)));
        body_left_ -= part.size();
        if (!follows_) result_->output_bytes += part.size();
        if (keeps_body_) result_->output.append(part);
        return body_left_ != 0;
    }

    [[nodiscard]] Step end_body() {
        if (follows_) return follow();
        result_->phase = Phase::finish;
        const int status = result_->status;
        if (!plan_->expects_status() && (status < 200 || status > 399))
            return stop_read(Outcome::failure, Errc::http_status);
        if (!plan_->expectations().empty()) {
            const Answer answer{.status = status,
                                .headers = hop_ ? std::span<const HttpHeader>{hop_->headers}
                                                : std::span<const HttpHeader>{},
                                .body = result_->output,
                                .is_whole = result_->output_bytes <= most_body,
                                .elapsed = result_->elapsed()};
            if (const std::string why = unmet(plan_->expectations(), answer); !why.empty()) {
                result_->detail = "HTTP probe failed: " + why;
                return stop_read(Outcome::failure, Errc::unexpected_response);
            }
        }
        return stop_read(
            status < 300 || plan_->expects_status() ? Outcome::success : Outcome::warning, {});
    }

    /// Expectations may have wanted more of the body than is to be kept.
    [[nodiscard]] Step stop_read(Outcome outcome, std::error_code cause) {
        const std::size_t kept =
            outcome == Outcome::success && !plan_->keeps_output() ? 0 : plan_->body_limit();
        if (result_->output.size() > kept) result_->output = result_->output.substr(0, kept);
        return stop(outcome, cause);
    }

    [[nodiscard]] Step reject_response() {
        if (result_->phase != Phase::body)
            return fail(Phase::response, Errc::malformed_response, broken_prefix + parser_.error());
        return follows_ ? follow() : stop_incomplete(parser_.error());
    }

    /// To the next request, now that the redirect's body is over or does not matter.
    [[nodiscard]] Step follow() {
        Hop& hop = *hop_;
        if (requests_ >= plan_->max_requests()) {
            result_->phase = Phase::response;
            return stop(Outcome::failure, Errc::too_many_redirects,
                        detail::request_message(
                            hop.location, "stopped after " + std::to_string(plan_->max_requests()) +
                                              " redirects"));
        }
        const std::string_view given_referer = plan_->headers().first("Referer");
        std::string referer =
            given_referer.empty() ? url().text_without_user() : std::string{given_referer};
        if (url().scheme == "https" && hop.next.scheme == "http") referer.clear();
        // The user's Host header goes along with relative redirects only.
        std::string host = is_first() ? plan_->headers().host : std::move(hop.host);
        if (hop.next_is_absolute || host == url().host) host.clear();

        hop.url = std::exchange(hop.next, {});
        hop.host = std::move(host);
        hop.request = make_request(hop.url, plan_->headers(), hop.host, referer);
        hop.location.clear();
        hop.headers.clear();
        ++requests_;
        has_location_ = false;
        follows_ = false;
        parser_ = ResponseParser{};
        result_->status = -1;
        return aim();
    }

    /// Finds the port of the next request, and whether it can be made at all.
    [[nodiscard]] Step aim() {
        Hop& hop = *hop_;
        const bool is_https = hop.url.scheme == "https";
        if (hop.url.scheme != "http" && !(is_https && plan_->has_tls()))
            return fail(Phase::response, Errc::bad_redirect,
                        "unsupported protocol scheme " + go_quoted(hop.url.scheme));
        std::uint32_t port = hop.url.port().empty() ? (is_https ? 443 : 80) : 0;
        for (const char digit : hop.url.port())
            port = std::min(port * 10 + static_cast<std::uint32_t>(digit - '0'), 65'536u);
        if (port > 65'535)
            return fail(Phase::response, Errc::bad_redirect,
                        "dial tcp: address " + std::string{hop.url.port()} + ": invalid port");
        hop.port = static_cast<std::uint16_t>(port);
        result_->phase = Phase::connect;
        return Step::connect;
    }

    /// No connection, or no answer. Of the first request the result's target can tell all there is
    /// to say.
    [[nodiscard]] Step stop_unanswered(std::error_code cause, std::string_view address) {
        std::string text;
        if (!is_first() || !address.empty())
            text = detail::unanswered_message(shown_url(), plan_->host(),
                                              address.empty() ? plan_->dialled(port())
                                                              : std::string{address},
                                              result_->phase, cause, plan_->network());
        return stop(is_local_fault(cause) ? Outcome::unknown : Outcome::failure, cause,
                    std::move(text));
    }

    [[nodiscard]] Step stop_incomplete(std::string text) {
        return stop(Outcome::failure, Errc::incomplete_body, std::move(text));
    }

    [[nodiscard]] Step stop(Outcome outcome, std::error_code cause, std::string text) {
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
    std::unique_ptr<Hop> hop_ = {};
    std::uint64_t body_left_ = 0;
    int requests_ = 1;
    bool has_location_ = false;
    bool follows_ = false; ///< the answer being read is a redirect that will be followed
    bool keeps_body_ = false;
    bool is_done_ = false;
};

using ExchangeFsm = BasicExchangeFsm<>;

} // namespace probekit::inline PROBEKIT_ABI::http
