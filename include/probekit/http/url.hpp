// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/http/detail/characters.hpp>
#include <probekit/http/detail/ip_literal.hpp>
#include <probekit/http/detail/url_escape.hpp>

// URLs as Go's net/url parses and prints them, as far as a probe shows it: the kubelet's paths,
// redirects and messages go through that package.
namespace probekit::inline PROBEKIT_ABI::http {

/// The part of a URL before the @, decoded.
struct UserInfo {
    std::string name = {};
    std::optional<std::string> password = {};

    friend bool operator==(const UserInfo&, const UserInfo&) = default;
};

/// The parts of a URL or of a relative reference.
/// \code
/// #include <stdexcept>
/// const http::Url base = http::parse_url("http://127.0.0.1:8080/health/live").url;
/// const http::ParsedUrl ready = http::parse_url("ready?verbose");
/// if (!ready) throw std::invalid_argument{ready.error};
/// const std::string text = http::resolve(base, ready.url).text();
/// // text == "http://127.0.0.1:8080/health/ready?verbose"
/// \endcode
struct Url {
    std::string scheme = {}; ///< in small letters; empty: the reference is relative
    std::string opaque = {}; ///< what follows the scheme if that is not a path: "mailto:OPAQUE"
    std::optional<UserInfo> user = {};
    std::string host = {};     ///< decoded, with ":port" if it has one; IPv6 in brackets
    std::string path = {};     ///< escaped, as it is sent
    bool has_query = false;    ///< it has a question mark, perhaps with nothing after it
    std::string query = {};    ///< as given
    std::string fragment = {}; ///< escaped

    /// The host without port and brackets.
    [[nodiscard]] std::string_view hostname() const noexcept {
        std::string_view name = std::string_view{host}.substr(0, port_at());
        if (name.size() >= 2 && name.starts_with('[') && name.ends_with(']'))
            name = name.substr(1, name.size() - 2);
        return name;
    }

    /// The port as it was written; empty if the URL has none.
    [[nodiscard]] std::string_view port() const noexcept {
        const std::string_view tail = std::string_view{host}.substr(port_at());
        return tail.substr(tail.empty() ? 0 : 1);
    }

    /// Path and query, as in a request line.
    [[nodiscard]] std::string request_target() const {
        std::string target = opaque.empty() ? path : opaque;
        if (target.empty()) target = "/";
        if (has_query) target.append("?").append(query);
        return target;
    }

    [[nodiscard]] std::string text() const { return text_for(user_text()); }

    /// The URL with its password hidden, as in Go's errors.
    [[nodiscard]] std::string text_for_messages() const {
        return text_for(user && user->password ? user->name + ":***@" : user_text());
    }

    /// The URL without user and password, as in a Referer header.
    [[nodiscard]] std::string text_without_user() const { return text_for({}); }

    friend bool operator==(const Url&, const Url&) = default;

private:
    [[nodiscard]] std::size_t port_at() const noexcept {
        const std::size_t colon = host.rfind(':');
        const bool numeric = colon != std::string::npos &&
                             host.find_first_not_of("0123456789", colon + 1) == std::string::npos;
        return numeric ? colon : host.size();
    }

    [[nodiscard]] std::string user_text() const {
        if (!user) return {};
        std::string text = detail::url_escaped(user->name, detail::UrlPart::userinfo);
        if (user->password)
            text += ":" + detail::url_escaped(*user->password, detail::UrlPart::userinfo);
        return text + "@";
    }

    [[nodiscard]] std::string text_for(std::string_view before_host) const {
        std::string text = scheme.empty() ? std::string{} : scheme + ":";
        if (!opaque.empty()) {
            text += opaque;
        } else {
            if (!host.empty() || user) {
                text.append("//").append(before_host);
                text += detail::url_escaped(host, detail::UrlPart::host);
                if (!path.empty() && path.front() != '/') text += '/';
            }
            text += path;
        }
        if (has_query) text.append("?").append(query);
        if (!fragment.empty()) text.append("#").append(fragment);
        return text;
    }
};

/// A URL, or what is wrong with its text: "parse \"http://[::1\": missing ']' in host".
struct ParsedUrl {
    Url url = {};
    std::string error = {};

    explicit operator bool() const noexcept { return error.empty(); }
};

} // namespace probekit::inline PROBEKIT_ABI::http

namespace probekit::inline PROBEKIT_ABI::detail {

[[nodiscard]] inline bool is_optional_port(std::string_view text) noexcept {
    return text.empty() || (text.front() == ':' &&
                            text.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

// Each of these functions fills its part of `url` and returns what is wrong; empty: nothing is.

template <class = OnUse>
[[nodiscard]] inline std::string parse_url_host(std::string_view text, http::Url& url) {
    const std::size_t bracket = text.rfind('[');
    const bool literal = bracket == 0;
    if (bracket != std::string_view::npos && !literal) return "invalid IP-literal";
    const std::size_t end = text.rfind(literal ? ']' : ':');
    if (literal && end == std::string_view::npos) return "missing ']' in host";
    const std::string_view port =
        end == std::string_view::npos ? std::string_view{} : text.substr(literal ? end + 1 : end);
    if (!is_optional_port(port)) return "invalid port " + go_quoted(port) + " after host";
    if (!literal) return url_unescape(text, UrlPart::host, url.host);

    const std::string_view address = text.substr(1, end - 1);
    const std::size_t zone = address.find("%25");
    std::string decoded;
    std::string error = url_unescape(address.substr(0, zone), UrlPart::host, decoded);
    if (error.empty() && zone != std::string_view::npos)
        error = url_unescape(address.substr(zone), UrlPart::zone, decoded);
    if (error.empty()) error = bracketed_host_problem(decoded);
    url.host = "[" + decoded + "]" + std::string{port};
    return error;
}

template <class = OnUse>
[[nodiscard]] inline std::string parse_url_user(std::string_view text, http::Url& url) {
    constexpr std::string_view also_allowed = "!'()*:%@";
    for (const char c : text)
        if (is_escaped_in(c, UrlPart::userinfo) && also_allowed.find(c) == std::string_view::npos)
            return "net/url: invalid userinfo";
    http::UserInfo& user = url.user.emplace();
    const std::size_t colon = text.find(':');
    std::string error = url_unescape(text.substr(0, colon), UrlPart::userinfo, user.name);
    if (error.empty() && colon != std::string_view::npos)
        error = url_unescape(text.substr(colon + 1), UrlPart::userinfo, user.password.emplace());
    return error;
}

/// Takes "scheme:" off the text. A colon at its beginning is an error; a text that cannot be a
/// scheme is a path.
template <class = OnUse>
[[nodiscard]] inline std::string parse_url_scheme(std::string_view& text, http::Url& url) {
    for (std::size_t i = 0; i != text.size(); ++i) {
        const char c = ascii_lower(text[i]);
        if (c == ':') {
            if (i == 0) return "missing protocol scheme";
            for (const char letter : text.substr(0, i)) url.scheme += ascii_lower(letter);
            text.remove_prefix(i + 1);
            return {};
        }
        const bool inside = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
        if ((c < 'a' || c > 'z') && (!inside || i == 0)) return {};
    }
    return {};
}

template <class = OnUse>
[[nodiscard]] inline std::string parse_url_without_fragment(std::string_view text, http::Url& url) {
    if (std::any_of(text.begin(), text.end(), is_control))
        return "net/url: invalid control character in URL";
    if (std::string error = parse_url_scheme(text, url); !error.empty()) return error;
    if (const std::size_t mark = text.find('?'); mark != std::string_view::npos) {
        url.has_query = true;
        url.query = text.substr(mark + 1);
        text = text.substr(0, mark);
    }
    if (!text.starts_with('/')) {
        if (!url.scheme.empty()) {
            url.opaque = text;
            return {};
        }
        if (text.substr(0, text.find('/')).find(':') != std::string_view::npos)
            return "first path segment in URL cannot contain colon";
    }
    if (text.starts_with("//") && (!url.scheme.empty() || !text.starts_with("///"))) {
        text.remove_prefix(2);
        std::string_view authority = text.substr(0, text.find('/'));
        text.remove_prefix(authority.size());
        const std::size_t at = authority.rfind('@');
        std::string error = parse_url_host(authority.substr(at + 1), url); // npos + 1 is 0
        if (error.empty() && at != std::string_view::npos)
            error = parse_url_user(authority.substr(0, at), url);
        if (!error.empty()) return error;
    }
    std::string decoded;
    std::string error = url_unescape(text, UrlPart::path, decoded);
    if (error.empty()) url.path = url_reescaped(text, UrlPart::path);
    return error;
}

/// Joins the path of a reference to that of its base and resolves "." and "..": RFC 3986,
/// section 5.2.
template <class = OnUse>
[[nodiscard]] inline std::string resolve_url_path(std::string_view base,
                                                  std::string_view reference) {
    std::string joined{reference.empty() || reference.front() != '/' ? base : reference};
    if (!reference.empty() && reference.front() != '/')
        joined.erase(joined.rfind('/') + 1).append(reference);
    if (joined.empty()) return {};

    std::string result = "/";
    bool first = true;
    std::string_view rest = joined;
    for (;;) {
        const std::size_t slash = rest.find('/');
        const std::string_view segment = rest.substr(0, slash);
        if (segment == "..") {
            const std::size_t last = result.rfind('/');
            first = last == 0;
            result.erase(first ? 1 : last);
        } else if (segment == ".") {
            first = false;
        } else {
            if (!first) result += '/';
            result += segment;
            first = false;
        }
        if (slash == std::string_view::npos) {
            if (segment == "." || segment == "..") result += '/';
            break;
        }
        rest.remove_prefix(slash + 1);
    }
    // An absolute path brings a slash of its own in addition to the first one.
    return result.starts_with("//") ? result.substr(1) : result;
}

} // namespace probekit::inline PROBEKIT_ABI::detail

namespace probekit::inline PROBEKIT_ABI::http {

/// Parses a URL or a relative reference.
[[nodiscard]] inline ParsedUrl parse_url(std::string_view text) {
    ParsedUrl result;
    const std::size_t hash = text.find('#');
    std::string_view blamed = text.substr(0, hash);
    result.error = detail::parse_url_without_fragment(blamed, result.url);
    if (result.error.empty() && hash != std::string_view::npos) {
        blamed = text;
        std::string decoded;
        result.error =
            detail::url_unescape(text.substr(hash + 1), detail::UrlPart::fragment, decoded);
        if (result.error.empty())
            result.url.fragment =
                detail::url_reescaped(text.substr(hash + 1), detail::UrlPart::fragment);
    }
    if (!result.error.empty()) result.error = "parse " + go_quoted(blamed) + ": " + result.error;
    return result;
}

/// The URL that a Location header or a link means in a document at `base`.
[[nodiscard]] inline Url resolve(const Url& base, Url reference) {
    if (!reference.scheme.empty() || !reference.host.empty() || reference.user) {
        if (reference.scheme.empty()) reference.scheme = base.scheme;
        reference.path = detail::resolve_url_path(reference.path, {});
        return reference;
    }
    reference.scheme = base.scheme;
    if (!reference.opaque.empty()) return reference;
    if (reference.path.empty() && !reference.has_query) {
        reference.query = base.query;
        reference.has_query = !base.query.empty();
        if (reference.fragment.empty()) reference.fragment = base.fragment;
    }
    if (reference.path.empty() && !base.opaque.empty()) {
        reference.opaque = base.opaque;
        return reference;
    }
    reference.host = base.host;
    reference.user = base.user;
    reference.path = detail::resolve_url_path(base.path, reference.path);
    return reference;
}

} // namespace probekit::inline PROBEKIT_ABI::http
