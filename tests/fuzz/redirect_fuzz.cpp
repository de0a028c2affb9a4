// Redirects to any Location: where the next request goes is what RFC 3986 says, never another host
// nor a scheme that was ruled out, the request has nothing in it that the Location must not bring,
// and there is an end.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <probekit/core/actions.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/http/exchange_fsm.hpp>
#include <probekit/http/exchange_plan.hpp>
#include <probekit/http/url.hpp>

#include "bytes.hpp"
#include "expect.hpp"

namespace {

using namespace probekit;
using Step = http::ExchangeFsm::Step;

/// RFC 3986, section 5.2, with Go's way of treating what goes above the root.
std::string joined(std::string_view base, std::string_view reference) {
    std::string whole{reference.starts_with('/') ? std::string_view{} : base};
    if (!reference.empty()) whole = whole.substr(0, whole.rfind('/') + 1).append(reference);
    if (whole.empty()) return {};
    std::vector<std::string> kept;
    std::string segment;
    for (std::size_t at = 0; at <= whole.size(); ++at) {
        if (at != whole.size() && whole[at] != '/') {
            segment += whole[at];
            continue;
        }
        const bool is_last = at == whole.size();
        if (segment == "..") {
            if (!kept.empty()) kept.pop_back();
        } else if (segment != ".") {
            kept.push_back(segment);
        } else if (kept.empty()) {
            kept.emplace_back();
        }
        if (is_last && (segment == "." || segment == "..")) kept.emplace_back();
        segment.clear();
    }
    std::string path;
    for (const std::string& one : kept) path += "/" + one;
    if (path.starts_with("//")) path.erase(0, 1);
    return path.empty() ? "/" : path;
}

std::string_view line_of(std::string_view& text) {
    const std::string_view line = text.substr(0, text.find("\r\n"));
    text.remove_prefix(std::min(line.size() + 2, text.size()));
    return line;
}

struct Request {
    std::string_view target = {};
    std::string_view host = {};
    std::string_view referer = {};
};

/// Takes a request apart. It consists of a request line and headers, of which nothing can have
/// come from elsewhere.
Request read(std::string_view text) {
    fuzz::expect(text.ends_with("\r\n\r\n"), "the request is complete");
    Request request;
    request.target = line_of(text);
    fuzz::expect(request.target.starts_with("GET /") && request.target.ends_with(" HTTP/1.1"),
                 "a path is asked for");
    request.target = request.target.substr(4, request.target.size() - 4 - 9);
    int hosts = 0;
    int closes = 0;
    for (std::string_view line; !(line = line_of(text)).empty();) {
        const std::size_t colon = line.find(": ");
        const std::string_view name = line.substr(0, colon);
        fuzz::expect(name == "Host" || name == "User-Agent" || name == "Accept" ||
                         name == "Authorization" || name == "Referer" || name == "Connection",
                     "headers are those of every request");
        const std::string_view value = line.substr(std::min(colon + 2, line.size()));
        for (const char byte : value)
            fuzz::expect(static_cast<unsigned char>(byte) >= 0x20 && byte != 0x7f,
                         "no control character gets into a header");
        if (name == "Host") request.host = value;
        if (name == "Referer") request.referer = value;
        hosts += name == "Host" ? 1 : 0;
        closes += name == "Connection" ? 1 : 0;
    }
    fuzz::expect(hosts == 1 && closes == 1, "Host and Connection come once");
    fuzz::expect(text.empty(), "nothing comes behind the headers");
    for (const char byte : request.target)
        fuzz::expect(static_cast<unsigned char>(byte) >= 0x20 && byte != 0x7f,
                     "no control character gets into a path");
    return request;
}

/// What a Location means in a document at `base`.
http::Url meant(const http::Url& base, const http::Url& location) {
    http::Url url = location;
    if (url.scheme.empty()) url.scheme = base.scheme;
    if (!location.opaque.empty()) return url;
    if (!location.scheme.empty() || !location.host.empty() || location.user) {
        url.path = joined(location.path, {});
        return url;
    }
    url.host = base.host;
    url.user = base.user;
    url.path = joined(base.path, location.path);
    if (location.path.empty() && !location.has_query) {
        url.query = base.query;
        url.has_query = !base.query.empty();
        if (location.fragment.empty()) url.fragment = base.fragment;
    }
    return url;
}

unsigned port_of(const http::Url& url) {
    if (url.port().empty()) return url.scheme == "https" ? 443 : 80;
    return static_cast<unsigned>(std::stoul(std::string{url.port()}));
}

void check_end(const ProbeResult& result, const http::ExchangePlan& plan,
               const http::ExchangeFsm& exchange, std::string_view location,
               const http::Url& current, int requests) {
    fuzz::expect(!exchange.error(), "a redirect is the target's doing");
    fuzz::expect(!plan.message(result, {}).empty(), "it is said what the redirect came to");
    if (result.outcome == Outcome::failure) {
        if (result.cause == Errc::too_many_redirects)
            fuzz::expect(requests == plan.max_requests(), "it goes on up to the limit");
        else
            fuzz::expect(result.cause == Errc::bad_redirect ||
                             result.cause == Errc::malformed_response,
                         "a failure is that of the redirect");
        return;
    }
    fuzz::expect(result.outcome == Outcome::warning, "a redirect is a failure or a warning");
    if (!plan.follows_redirects() || location.empty()) return;
    const http::ParsedUrl parsed = http::parse_url(location);
    fuzz::expect(static_cast<bool>(parsed), "a Location that means nothing is a failure");
    fuzz::expect(meant(current, parsed.url).hostname() != plan.url().hostname(),
                 "a redirect on the same host is followed");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input{data, size};
    const unsigned options = input.byte();
    const std::string_view rest = input.rest();
    const std::string_view path = rest.substr(0, rest.find('\xff'));
    std::string_view location = rest.substr(std::min(path.size() + 1, rest.size()));
    if (location.find_first_of("\r\n") != std::string_view::npos) return -1;
    const bool has_tls = (options & 1) != 0;
    constexpr std::array statuses{301, 302, 303, 307, 308};
    const std::string response = "HTTP/1.1 " + std::to_string(statuses[options % 5]) +
                                 " Away\r\nLocation: " + std::string{location} +
                                 "\r\nContent-Length: 0\r\n\r\n";
    constexpr std::string_view blanks = " \t";
    location.remove_prefix(std::min(location.find_first_not_of(blanks), location.size()));
    location = location.substr(0, location.find_last_not_of(blanks) + 1);

    HttpGetAction action{.host = (options & 2) != 0 ? "localhost" : "127.0.0.1",
                         .port = 8080,
                         .path = std::string{path},
                         .scheme = (options & 5) == 5 ? HttpScheme::https : HttpScheme::http};
    std::string own_host = (options & 8) != 0 ? "own.example" : "";
    if (!own_host.empty()) action.headers = {{"Host", own_host}};
    const http::ExchangePlan plan{action,
                                  {.redirects = static_cast<Redirects>((options >> 4) % 4),
                                   .max_requests = 1 + static_cast<int>(options >> 6)},
                                  {},
                                  has_tls};
    if (!plan.invalid_request().empty()) return -1;
    ProbeResult result;
    http::ExchangeFsm exchange{plan, result};
    http::Url current = plan.url();
    bool secret_before = false;
    Step step = exchange.start();
    for (int requests = 1;; ++requests) {
        fuzz::expect(step == Step::connect, "there is a request");
        fuzz::expect(requests <= plan.max_requests(), "there is an end");
        fuzz::expect(current.hostname() == plan.url().hostname(), "it is asked of the same host");
        fuzz::expect(exchange.port() == port_of(current), "the port is the URL's");
        const bool secret = exchange.scheme() == HttpScheme::https;
        fuzz::expect(current.scheme == (secret ? "https" : "http") && (has_tls || !secret),
                     "the scheme is one that the caller has");
        fuzz::expect(!plan.refuses_downgrades() || secret || !secret_before,
                     "what was encrypted stays so");
        step = exchange.connected();
        if (secret) step = exchange.secured();
        fuzz::expect(step == Step::send, "a request is sent");
        const Request request = read(exchange.request());
        fuzz::expect(request.target == current.request_target(), "the URL's path is asked for");
        fuzz::expect(request.host == (own_host.empty() ? current.host : own_host),
                     "the Host is the URL's, or the user's for relative redirects");
        fuzz::expect(request.referer.empty() || (requests > 1 && (secret || !secret_before) &&
                                                 !http::parse_url(request.referer).url.user),
                     "a server hears of no password and of no encrypted page");
        fuzz::expect(exchange.sent() == Step::receive, "a response is waited for");
        step = exchange.received(response);
        if (step == Step::done) {
            check_end(result, plan, exchange, location, current, requests);
            return 0;
        }
        const http::ParsedUrl parsed = http::parse_url(location);
        fuzz::expect(plan.follows_redirects() && parsed, "what is followed may be followed");
        http::Url next = meant(current, parsed.url);
        fuzz::expect(http::resolve(current, parsed.url) == next, "a reference means one URL");
        if (!parsed.url.scheme.empty() || own_host == current.host) own_host.clear();
        current = std::move(next);
        secret_before = secret;
    }
}
