// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
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

// The settings of the probes. What a Kubernetes manifest can say has Kubernetes' names and
// stands in the Action; what it cannot say stands in the Options.
namespace probekit::inline PROBEKIT_ABI {

/// Run a command, without a shell. Exit status 0 is success.
/// \code
/// const ExecAction action{.command = {"pg_isready", "-q"}, .environment = {"PGPORT=5433"}};
/// ExecProbe probe{io, action, {.kill_grace = 500ms}};
/// \endcode
struct ExecAction {
    /// The program, which is looked up in PATH, and its arguments.
    std::vector<std::string> command = {};
    std::vector<std::string> environment = {}; ///< "NAME=value"; replaces inherited variables
    bool inherit_environment = true;
    std::string working_directory = {}; ///< empty: the current one

    friend bool operator==(const ExecAction&, const ExecAction&) = default;
};

/// Open a TCP connection, which is success. Nothing is sent.
/// \code
/// TcpProbe probe{io, TcpSocketAction{.host = "::1", .port = 6379}};
/// \endcode
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

/// Send a GET request. A status from 200 to 399 passes.
/// \code
/// const HttpGetAction action{.port = 8080, .path = "/healthz", .headers = {{"X-Probe", "1"}}};
/// HttpGetProbe probe{io, action, {.expect = {http::status_in({200})}}};
/// \endcode
struct HttpGetAction {
    std::string host = {};  ///< literal address or name; empty: 127.0.0.1
    std::uint16_t port = 0; ///< must be given
    /// Path and query. Any text is accepted: it is escaped as by Go, and a missing slash is added.
    std::string path = "/";
    HttpScheme scheme = HttpScheme::http; ///< https needs tls/https_get_probe.hpp
    std::vector<HttpHeader> headers = {};

    friend bool operator==(const HttpGetAction&, const HttpGetAction&) = default;
};

/// Ask a server by the gRPC health checking protocol; SERVING is success. Needs a maker of gRPC
/// probes: see make_probe().
struct GrpcAction {
    std::string host = {};    ///< literal address or name; empty: 127.0.0.1
    std::uint16_t port = 0;   ///< must be given
    std::string service = {}; ///< empty: the server as a whole

    friend bool operator==(const GrpcAction&, const GrpcAction&) = default;
};

using ProbeAction = std::variant<ExecAction, HttpGetAction, TcpSocketAction, GrpcAction>;

/// A call of `setrlimit` in the new process, before it gives up privileges.
struct ResourceLimit {
    static constexpr std::uint64_t unlimited = ~std::uint64_t{0}; ///< the same as RLIM_INFINITY

    int resource = 0; ///< RLIMIT_NOFILE, RLIMIT_AS ...
    std::uint64_t soft = unlimited;
    std::uint64_t hard = unlimited;
};

struct ExecOptions {
    /// How many bytes are kept of stdout and stderr together. The rest is read and counted.
    std::size_t output_limit = 10240;
    bool keep_output = false; ///< keep the output of a success too
    /// At the timeout, the command gets SIGTERM, and SIGKILL this much later. Zero: SIGKILL at
    /// once.
    Duration kill_grace = {};
    /// The numbers of the user and the group to run as, as of ProcessSpec; the user database is
    /// read when the probe is made. Without the privilege an attempt is a prober error (EPERM).
    /// User, group, no_new_privs and limits are for Linux only: elsewhere an attempt is a prober
    /// error (ENOSYS).
    std::optional<unsigned> user = {};
    std::optional<unsigned> group = {};
    bool no_new_privs = false; ///< as of ProcessSpec
    std::vector<ResourceLimit> limits = {};
    /// Where the command runs: see ProcessSpec. Also for Linux only. The descriptor must be open
    /// while attempts begin.
    int pid_namespace_fd = -1;
    std::string cgroup = {};
};

/// How a TCP attempt closes its connection. docs/closing.md shows what servers make of each.
enum class TcpClose : std::uint8_t {
    /// The server's program never sees the connection: the last packet of the handshake is held
    /// back (TCP_QUICKACK is off), and a reset follows. From outside it looks like a scan: a
    /// half-open connection. Success shows that the server's kernel listens and has room in its
    /// queue. Where the system has no TCP_QUICKACK, or refuses it: as `reset`.
    silent,
    /// By a reset: neither side keeps a TIME_WAIT, and close() never waits. The server's program
    /// sees a connection that fails.
    reset,
    /// A plain close. The server's program sees a connection that ends; this machine keeps a
    /// TIME_WAIT, and with it a local port, for a minute.
    orderly,
    /// As the kubelet does: as `orderly`, with a linger of one second, during which close() may
    /// block the event loop.
    linger,
};

struct TcpOptions {
    /// A literal local address of the host's family. Empty: the system chooses.
    std::string source_address = {};
    TcpClose close = TcpClose::silent; ///< a Unix-domain socket is always closed in an orderly way
    /// Connect to this Unix-domain socket: a path, or "@name" in Linux' abstract namespace. Host
    /// and port then need not be given. Cannot be combined with source_address.
    std::string unix_socket = {};
    /// Any text is taken as host, as by the API server: what cannot be one makes each attempt end as
    /// it does in a kubelet. read_probe() sets it. Otherwise a host with a scheme, a port or a slash
    /// is a mistake in the settings.
    bool any_host = false;
};

/// How an HTTP attempt closes its connection.
enum class SocketClose : std::uint8_t {
    /// By a reset: neither side keeps a TIME_WAIT, and close() never waits. A server that closes
    /// the connection soon after its response sees an orderly end instead.
    reset,
    /// As the kubelet does: an orderly end with a linger of one second, during which close() may
    /// block the event loop.
    linger,
};

enum class Redirects : std::uint8_t {
    none, ///< a redirect is the result: a warning, as its status is 3xx
    /// Followed on the host of the first request, as the kubelet does. Where tls::Options verify the
    /// peer, this is `no_downgrade`.
    same_host,
    /// The same, but one from https to http is a failure: it leads to a server that may be anybody.
    no_downgrade,
    any_scheme, ///< as same_host, from https to http too, whether the peer is verified or not
};

enum class HttpMethod : std::uint8_t {
    get,
    head, ///< the response has no body, so nothing can be expected of it
};

struct HttpOptions {
    HttpMethod method = HttpMethod::get; ///< of all requests, those to redirects too
    Redirects redirects = Redirects::same_host;
    int max_requests = 10;          ///< including the first, as the kubelet counts
    std::size_t body_limit = 10240; ///< how many bytes of the body are read
    bool keep_output = false;       ///< keep the body of a success too
    std::string user_agent = {};    ///< empty: "probekit/VERSION"; see kubelet_user_agent()
    /// A literal local address of the host's family. Empty: the system chooses.
    std::string source_address = {};
    /// What the response must meet, all of them, besides a status from 200 to 399: see
    /// http/expectation.hpp.
    std::vector<http::Expectation> expect = {};
    SocketClose close = SocketClose::reset;
    /// Connect to this Unix-domain socket, for redirects too: a path, or "@name" in Linux' abstract
    /// namespace. Host and port then appear only in the request and need not be given. Cannot be
    /// combined with source_address.
    std::string unix_socket = {};
    bool any_host = false; ///< as TcpOptions::any_host
};

/// The user agent of that Kubernetes version's kubelet, for servers that treat its probes
/// specially: `HttpOptions{.user_agent = kubelet_user_agent(1, 35)}` sends "User-Agent:
/// kube-probe/1.35".
[[nodiscard]] inline std::string kubelet_user_agent(int major, int minor) {
    return "kube-probe/" + std::to_string(major) + "." + std::to_string(minor);
}

namespace detail {

[[nodiscard]] constexpr bool is_one_line(std::string_view text) noexcept {
    return text.find_first_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos;
}

/// Whether a text consists of RFC 9110's token characters, as header names must.
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

inline void validate_port(std::uint16_t port, ConfigErrors& errors) {
    if (port == 0) errors.push_back({"port", "must be between 1 and 65535"});
}

/// Whether nothing else can be meant than an IPv6 address, although it may not be a valid one.
[[nodiscard]] constexpr bool is_ipv6_text(std::string_view text) noexcept {
    const std::string_view address = text.substr(0, std::min(text.find('%'), text.size()));
    return std::ranges::count(address, ':') > 1 &&
           address.find_first_not_of("0123456789abcdefABCDEF:.]") == std::string_view::npos;
}

/// What people write into the field for a host: "https://[::1]:8080/x".
struct HostParts {
    std::string_view scheme = {};
    std::string_view host = {}; ///< without brackets
    std::string_view port = {};
    std::string_view path = {}; ///< from the first slash on
    bool is_alone = false;      ///< there is nothing but the host

    [[nodiscard]] static constexpr HostParts of(std::string_view text) noexcept {
        HostParts parts;
        const auto scheme_end = text.find("://");
        if (scheme_end != std::string_view::npos) {
            parts.scheme = text.substr(0, scheme_end);
            text.remove_prefix(scheme_end + 3);
        }
        parts.path = text.substr(std::min(text.find('/'), text.size()));
        text.remove_suffix(parts.path.size());
        const auto bracket = text.starts_with('[') ? text.find(']') : std::string_view::npos;
        auto end = text.size();
        if (bracket != std::string_view::npos)
            end = bracket + 1;
        else if (!is_ipv6_text(text) && !text.starts_with('['))
            end = std::min(text.find(':'), end);
        parts.host =
            bracket != std::string_view::npos ? text.substr(1, bracket - 1) : text.substr(0, end);
        if (text.substr(end).starts_with(':')) parts.port = text.substr(end + 1);
        parts.is_alone =
            scheme_end == std::string_view::npos && parts.path.empty() && end == text.size();
        return parts;
    }
};

/// `has_url`: the action has fields for a scheme and a path, too.
template <class = OnUse>
inline void validate_host(std::string_view host, ConfigErrors& errors, bool has_url = false) {
    if (!is_one_line(host)) {
        errors.push_back({"host", "must not contain CR, LF or NUL"});
        return;
    }
    const HostParts parts = HostParts::of(host);
    if (parts.is_alone) return;
    std::string text = "must be a host alone: write \"";
    text.append(parts.host).append("\"");
    const auto add = [&](std::string_view what, std::string_view field) {
        if (!what.empty()) text.append(", and ").append(what).append(" as ").append(field);
    };
    add(parts.port, "port");
    if (has_url) add(parts.scheme, "scheme");
    if (has_url && parts.path != "/") add(parts.path, "path");
    errors.push_back({"host", std::move(text)});
}

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

/// An empty one means that there is none.
template <class = detail::OnUse>
inline void validate_unix_socket(std::string_view socket, ConfigErrors& errors) {
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

inline void validate_limits(const std::vector<ResourceLimit>& limits, ConfigErrors& errors) {
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

[[nodiscard]] inline ConfigErrors validate(const ExecOptions& options) {
    ConfigErrors errors;
    if (options.kill_grace < Duration::zero())
        errors.push_back({"kill_grace", "must not be negative"});
    detail::validate_limits(options.limits, errors);
    if (detail::has_nul(options.cgroup)) errors.push_back({"cgroup", "must not contain NUL"});
    return errors;
}

[[nodiscard]] inline ConfigErrors validate(const TcpSocketAction& action) {
    ConfigErrors errors;
    detail::validate_host(action.host, errors);
    detail::validate_port(action.port, errors);
    return errors;
}

template <class = detail::OnUse>
[[nodiscard]] inline ConfigErrors validate(const GrpcAction& action) {
    ConfigErrors errors;
    detail::validate_host(action.host, errors);
    detail::validate_port(action.port, errors);
    return errors;
}

/// Header names must be RFC 9110 tokens, and values must stay on their line. This is what prevents
/// header injection.
template <class = detail::OnUse>
[[nodiscard]] inline ConfigErrors validate(const HttpGetAction& action) {
    ConfigErrors errors;
    detail::validate_host(action.host, errors, true);
    detail::validate_port(action.port, errors);
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

/// The mistakes in an action that connects to this Unix-domain socket, if it is not empty.
/// `any_host`: the host is taken as it is, as TcpOptions::any_host says.
template <class Action>
[[nodiscard]] ConfigErrors validate_at(const Action& action, std::string_view unix_socket,
                                       bool any_host) {
    ConfigErrors errors = validate(action);
    const auto allow = [&](std::string_view field) {
        std::erase_if(errors, [field](const ConfigError& error) { return error.field == field; });
    };
    if (!unix_socket.empty()) allow("port");
    if constexpr (requires { action.host; })
        if (any_host && is_one_line(action.host)) allow("host");
    return errors;
}

} // namespace detail

template <std::same_as<ProbeAction> Action> // so that no action converts to a ProbeAction here
[[nodiscard]] ConfigErrors validate(const Action& action) {
    return std::visit([](const auto& one) { return validate(one); }, action);
}

} // namespace probekit::inline PROBEKIT_ABI
