// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/http_expectation.hpp>

// The settings of the three probes. What a Kubernetes manifest can say has Kubernetes' names and
// stands in the Action; what it cannot say stands in the Options.
namespace probekit::inline PROBEKIT_ABI {

/// Run a command; exit status 0 is success. The command is executed as it is, without a shell.
struct ExecAction {
    std::vector<std::string> command =
        {}; ///< program and arguments; the program is looked up in PATH
    std::vector<std::string> environment = {}; ///< "NAME=value"; these win over inherited ones
    bool inherit_environment = true;
    std::string working_directory = {}; ///< empty: the program's own

    friend bool operator==(const ExecAction&, const ExecAction&) = default;
};

/// Open a TCP connection; that it opens is success. Nothing is sent.
struct TcpSocketAction {
    std::string host = {};  ///< literal address or name; empty: 127.0.0.1
    std::uint16_t port = 0; ///< must be given

    friend bool operator==(const TcpSocketAction&, const TcpSocketAction&) = default;
};

struct HttpHeader {
    std::string name = {};
    std::string value = {};

    friend bool operator==(const HttpHeader&, const HttpHeader&) = default;
};

enum class HttpScheme : std::uint8_t { http, https };

/// Send a GET; a status from 200 to 399 is success.
struct HttpGetAction {
    std::string host = {};  ///< literal address or name; empty: 127.0.0.1
    std::uint16_t port = 0; ///< must be given
    /// Path and query. Escaped as Go's URL does, never refused; a missing leading slash is added.
    std::string path = "/";
    HttpScheme scheme = HttpScheme::http; ///< https needs the tls room
    std::vector<HttpHeader> headers = {};

    friend bool operator==(const HttpGetAction&, const HttpGetAction&) = default;
};

using ProbeAction = std::variant<ExecAction, HttpGetAction, TcpSocketAction>;

/// One `setrlimit`, made in the new process before it gives up privileges.
struct ResourceLimit {
    static constexpr std::uint64_t unlimited = ~std::uint64_t{0}; ///< as is RLIM_INFINITY

    int resource = 0; ///< RLIMIT_NOFILE, RLIMIT_AS ...
    std::uint64_t soft = unlimited;
    std::uint64_t hard = unlimited;
};

struct ExecOptions {
    std::size_t output_limit =
        10240;                ///< bytes kept of stdout and stderr; the rest is drained and counted
    bool keep_output = false; ///< keep the output of a success too
    Duration kill_grace =
        {}; ///< at the timeout: zero kills at once, else SIGTERM first and SIGKILL this much later
    /// User and group to become, by number. Whenever this changes anything, supplementary groups
    /// are given up. Without the right to it a look is an error (EPERM). Linux only, as limits:
    /// elsewhere a look is an error (ENOSYS).
    std::optional<unsigned> user = {};
    std::optional<unsigned> group = {};
    std::vector<ResourceLimit> limits = {};
};

/// How the connection of a look is closed.
enum class SocketClose : std::uint8_t {
    reset, ///< so that neither side keeps a TIME_WAIT, and close() never waits; an HTTP server that
           ///< closes soon sees none
    linger, ///< as the kubelet: an orderly end with a linger of a second, for which close() may
            ///< hold up the event loop
};

struct TcpOptions {
    std::string source_address =
        {}; ///< literal local address, of the host's family; empty: the system chooses
    /// The server's application never sees the connection (TCP_QUICKACK off, then reset): this
    /// proves no more than that the server's kernel listens. Linux only, ignored elsewhere.
    bool silent = false;
    SocketClose close = SocketClose::reset; ///< a silent look always resets
    /// Connect to this Unix-domain socket instead of host and port, which then need not be given: a
    /// path, or "@name" for one in Linux' abstract namespace. Not together with source_address or
    /// silent.
    std::string unix_socket = {};
};

enum class Redirects : std::uint8_t {
    none,      ///< a redirect is the answer (a warning, as it is a 3xx)
    same_host, ///< followed within the host of the first request, as the kubelet does
};

struct HttpOptions {
    Redirects redirects = Redirects::same_host;
    int max_requests = 10;          ///< the first included, as the kubelet counts
    std::size_t body_limit = 10240; ///< bytes of the body that are read; the rest is not waited for
    bool keep_output = false;       ///< keep the body of a success too
    std::string user_agent = {}; ///< empty: "probekit/VERSION"; kubelet_user_agent(): the kubelet's
    std::string source_address =
        {}; ///< literal local address, of the host's family; empty: the system chooses
    /// What the answer has to be, all of it, beyond a status from 200 to 399: see
    /// http/expectation.hpp.
    std::vector<http::Expectation> expect = {};
    SocketClose close = SocketClose::reset;
    /// Connect to this Unix-domain socket, for redirects too: a path, or "@name" for one in Linux'
    /// abstract namespace. Host and port, which then may be left out, are only what the request
    /// says. Not together with source_address.
    std::string unix_socket = {};
};

/// What the kubelet of that Kubernetes calls itself, for servers that treat its probes specially:
/// `HttpOptions{.user_agent = kubelet_user_agent(1, 35)}` sends "User-Agent: kube-probe/1.35".
[[nodiscard]] inline std::string kubelet_user_agent(int major, int minor) {
    return "kube-probe/" + std::to_string(major) + "." + std::to_string(minor);
}

namespace detail {

[[nodiscard]] constexpr bool is_one_line(std::string_view text) noexcept {
    return text.find_first_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos;
}

/// RFC 9110's token characters: what a header name may consist of.
[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
    constexpr std::string_view others = "!#$%&'*+-.^_`|~";
    for (const char c : text) {
        const bool alphanumeric =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && others.find(c) == std::string_view::npos) return false;
    }
    return !text.empty();
}

[[nodiscard]] constexpr bool has_nul(std::string_view text) noexcept {
    return text.find('\0') != std::string_view::npos;
}

template <class = OnUse>
inline void check_port(std::uint16_t port, ConfigErrors& errors) {
    if (port == 0) errors.push_back({"port", "must be between 1 and 65535"});
}

template <class = OnUse>
inline void check_host(std::string_view host, ConfigErrors& errors) {
    if (!is_one_line(host)) errors.push_back({"host", "must not contain CR, LF or NUL"});
}

template <class = OnUse>
[[nodiscard]] inline std::string indexed(std::string_view field, std::size_t index) {
    return std::string{field} + "[" + std::to_string(index) + "]";
}

/// sizeof sockaddr_un::sun_path.
#if defined(__linux__)
inline constexpr std::size_t longest_unix_socket = 108;
#else
inline constexpr std::size_t longest_unix_socket = 104;
#endif

[[nodiscard]] constexpr bool is_abstract_socket(std::string_view socket) noexcept {
    return socket.starts_with('@');
}

/// An empty one is none.
template <class = detail::OnUse>
inline void check_unix_socket(std::string_view socket, ConfigErrors& errors) {
    if (socket.empty()) return;
    const auto wrong = [&](std::string detail) {
        errors.push_back({"unix_socket", std::move(detail)});
    };
    const bool is_abstract = is_abstract_socket(socket);
#if !defined(__linux__)
    if (is_abstract) wrong("must be a path: only Linux has abstract sockets");
#endif
    if (is_abstract && socket.size() == 1) wrong("must have a name after the @");
    if (has_nul(socket)) wrong("must not contain NUL");
    const std::size_t longest =
        longest_unix_socket - (is_abstract ? 0 : 1); // a path ends with a NUL
    if (socket.size() > longest)
        wrong("must not be longer than " + std::to_string(longest) + " bytes");
}

template <class = detail::OnUse>
inline void check_limits(const std::vector<ResourceLimit>& limits, ConfigErrors& errors) {
    for (std::size_t i = 0; i != limits.size(); ++i)
        if (limits[i].soft > limits[i].hard)
            errors.push_back(
                {indexed("limits", i) + ".soft", "must not be more than the hard limit"});
}

} // namespace detail

template <class = detail::OnUse>
[[nodiscard]] inline ConfigErrors validate(const ExecAction& action) {
    ConfigErrors errors;
    if (action.command.empty()) errors.push_back({"command", "must not be empty"});
    for (std::size_t i = 0; i != action.command.size(); ++i) {
        if (i == 0 && action.command[i].empty())
            errors.push_back({"command[0]", "must not be empty"});
        if (detail::has_nul(action.command[i]))
            errors.push_back({detail::indexed("command", i), "must not contain NUL"});
    }
    for (std::size_t i = 0; i != action.environment.size(); ++i) {
        const std::string& variable = action.environment[i];
        const std::size_t equals = variable.find('=');
        if (equals == std::string::npos || equals == 0)
            errors.push_back({detail::indexed("environment", i), "must be of the form NAME=value"});
        else if (detail::has_nul(variable))
            errors.push_back({detail::indexed("environment", i), "must not contain NUL"});
    }
    if (detail::has_nul(action.working_directory))
        errors.push_back({"working_directory", "must not contain NUL"});
    return errors;
}

template <class = detail::OnUse>
[[nodiscard]] inline ConfigErrors validate(const ExecOptions& options) {
    ConfigErrors errors;
    if (options.kill_grace < Duration::zero())
        errors.push_back({"kill_grace", "must not be negative"});
    detail::check_limits(options.limits, errors);
    return errors;
}

template <class = detail::OnUse>
[[nodiscard]] inline ConfigErrors validate(const TcpSocketAction& action) {
    ConfigErrors errors;
    detail::check_host(action.host, errors);
    detail::check_port(action.port, errors);
    return errors;
}

/// Header names must be RFC 9110 tokens, values must not break the line: the one door for header
/// injection is shut here.
template <class = detail::OnUse>
[[nodiscard]] inline ConfigErrors validate(const HttpGetAction& action) {
    ConfigErrors errors;
    detail::check_host(action.host, errors);
    detail::check_port(action.port, errors);
    for (std::size_t i = 0; i != action.headers.size(); ++i) {
        const HttpHeader& header = action.headers[i];
        if (!detail::is_token(header.name))
            errors.push_back(
                {detail::indexed("headers", i) + ".name", "must be a valid HTTP header name"});
        if (!detail::is_one_line(header.value))
            errors.push_back(
                {detail::indexed("headers", i) + ".value", "must not contain CR, LF or NUL"});
    }
    return errors;
}

namespace detail {

/// The rules of a TcpSocketAction or HttpGetAction whose target has that Unix-domain socket, if it
/// is not empty.
template <class Action>
[[nodiscard]] ConfigErrors validate_at(const Action& action, std::string_view unix_socket) {
    ConfigErrors errors = validate(action);
    if (!unix_socket.empty())
        std::erase_if(errors, [](const ConfigError& error) { return error.field == "port"; });
    return errors;
}

} // namespace detail

template <std::same_as<ProbeAction> Action> // an action by itself is not to be turned into one
[[nodiscard]] ConfigErrors validate(const Action& action) {
    return std::visit([](const auto& one) { return validate(one); }, action);
}

} // namespace probekit::inline PROBEKIT_ABI
