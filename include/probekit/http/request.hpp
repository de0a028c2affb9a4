// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/http/detail/characters.hpp>
#include <probekit/http/detail/host_header.hpp>
#include <probekit/http/url.hpp>
#include <probekit/version.hpp>

// The bytes of a request, in the order and by the rules of Go's net/http and of the kubelet that
// calls it.
namespace probekit::inline PROBEKIT_ABI::http {

/// The headers that all requests of a probe share, put in order once.
struct RequestHeaders {
    std::string user_agent = {}; ///< empty: not sent; blanks are sent as an empty value
    std::string host = {};       ///< value of the Host header; empty: the URL's host
    /// Sorted by their canonical names. Values are as given; they are sent trimmed.
    std::vector<HttpHeader> fields = {};
    bool adds_close = true; ///< "Connection: close" is sent last
    std::string error = {}; ///< why Go would not send them; empty: it would

    /// The first value of a header; empty if there is no such header.
    template <class = detail::OnUse>
    [[nodiscard]] std::string_view first(std::string_view canonical_name) const noexcept {
        const auto found = std::find_if(fields.begin(), fields.end(), [=](const HttpHeader& field) {
            return field.name == canonical_name;
        });
        return found == fields.end() ? std::string_view{} : std::string_view{found->value};
    }
};

template <class = detail::OnUse>
[[nodiscard]] inline std::string base64(std::string_view text) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string result;
    for (std::size_t i = 0; i < text.size(); i += 3) {
        const std::string_view part = text.substr(i, 3);
        std::uint32_t bits = 0;
        for (std::size_t k = 0; k != 3; ++k)
            bits = bits << 8 | (k < part.size() ? static_cast<unsigned char>(part[k]) : 0u);
        for (std::size_t k = 0; k != 4; ++k)
            result += k <= part.size() ? digits[bits >> (18 - 6 * k) & 63u] : '=';
    }
    return result;
}

/// The headers that the kubelet and Go send for those a user gives. `user_agent` is sent if the
/// user gives none; empty means "probekit/VERSION".
template <class = detail::OnUse>
[[nodiscard]] inline RequestHeaders make_request_headers(const std::vector<HttpHeader>& given,
                                                         std::string_view user_agent = {}) {
    RequestHeaders headers;
    bool has_user_agent = false;
    bool has_accept = false;
    bool has_host = false;
    bool sends_accept = true;
    for (const HttpHeader& header : given) {
        const std::string name = detail::canonical_header_name(header.name);
        if (detail::has_control(header.value) && headers.error.empty())
            headers.error = "net/http: invalid header field value for " + go_quoted(name);
        // The first of several counts, for each of these three.
        if (name == "Host") {
            if (!has_host) headers.host = header.value;
            has_host = true;
        } else if (name == "User-Agent") {
            if (!has_user_agent) headers.user_agent = header.value;
            has_user_agent = true;
        } else if (name == "Accept" && !has_accept) {
            has_accept = true;
            sends_accept = !header.value.empty();
            headers.fields.push_back({name, header.value});
        } else if (name != "Content-Length" && name != "Transfer-Encoding" && name != "Trailer") {
            headers.fields.push_back({name, header.value});
        }
    }
    if (!has_user_agent) {
        headers.user_agent =
            user_agent.empty() ? std::string_view{"probekit/" PROBEKIT_VERSION} : user_agent;
        if (detail::has_control(headers.user_agent) && headers.error.empty())
            headers.error = "net/http: invalid header field value for \"User-Agent\"";
    }
    if (!has_accept) headers.fields.push_back({"Accept", "*/*"});
    if (!sends_accept)
        std::erase_if(headers.fields,
                      [](const HttpHeader& field) { return field.name == "Accept"; });
    // By name, then by place. std::stable_sort would ask a deprecated function for its buffer.
    std::vector<HttpHeader*> order;
    order.reserve(headers.fields.size());
    for (HttpHeader& field : headers.fields) order.push_back(&field);
    std::sort(order.begin(), order.end(), [](const HttpHeader* a, const HttpHeader* b) {
        return a->name != b->name ? a->name < b->name : a < b;
    });
    std::vector<HttpHeader> sorted;
    sorted.reserve(order.size());
    for (HttpHeader* const field : order) sorted.push_back(std::move(*field));
    headers.fields = std::move(sorted);

    // A request for another protocol on this connection must not ask to close it.
    const bool switches_protocol =
        !headers.first("Upgrade").empty() &&
        std::any_of(headers.fields.begin(), headers.fields.end(), [](const HttpHeader& field) {
            return field.name == "Connection" &&
                   detail::any_element(field.value, [](std::string_view element) {
                       return detail::iequals(element, "upgrade");
                   });
        });
    const bool closes_already = detail::has_word(headers.first("Connection"), "close");
    headers.adds_close = !switches_protocol && !closes_already;
    return headers;
}

/// A whole request. `host` is the value of the Host header; if empty, the URL's host is.
/// An empty `referer` is not sent.
template <class = detail::OnUse>
[[nodiscard]] inline std::string make_request(HttpMethod method, const Url& url,
                                              const RequestHeaders& headers, std::string_view host,
                                              std::string_view referer = {}) {
    std::string request = method == HttpMethod::head ? "HEAD " : "GET ";
    request += url.request_target() + " HTTP/1.1\r\n";
    const auto add = [&request](std::string_view name, std::string_view value) {
        request.append(name).append(": ").append(detail::trim(value)).append("\r\n");
    };
    add("Host", detail::host_header(host.empty() ? std::string_view{url.host} : host));
    if (!headers.user_agent.empty()) add("User-Agent", headers.user_agent);

    std::string authorization;
    if (url.user && headers.first("Authorization").empty())
        authorization =
            "Basic " + base64(url.user->name + ":" + url.user->password.value_or(std::string{}));
    // These two replace the user's headers of that name, at their place in the order.
    std::vector<HttpHeader> own;
    if (!authorization.empty()) own.push_back({"Authorization", authorization});
    if (!referer.empty()) own.push_back({"Referer", std::string{referer}});
    auto next = own.begin();
    for (const HttpHeader& field : headers.fields) {
        for (; next != own.end() && next->name < field.name; ++next) add(next->name, next->value);
        if (next == own.end() || next->name != field.name) add(field.name, field.value);
    }
    for (; next != own.end(); ++next) add(next->name, next->value);

    if (headers.adds_close) add("Connection", "close");
    return request + "\r\n";
}

} // namespace probekit::inline PROBEKIT_ABI::http
