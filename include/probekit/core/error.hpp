// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Why an attempt failed, or ended with a prober error, if there is no system error for it.
/// \code
/// // given: const ProbeResult& result
/// if (result.cause == std::errc::timed_out) std::cout << "too slow\n";
/// if (result.cause == Errc::http_status) std::cout << "status " << result.status << '\n';
/// if (is_local_fault(result.cause)) std::cout << "this machine has run out of something\n";
/// \endcode
enum class Errc {
    // Failures: the target was asked, and this is wrong with its answer.
    timed_out = 1,       ///< no answer within the timeout; equals std::errc::timed_out
    http_status,         ///< an HTTP status other than 200 to 399
    exit_status,         ///< a command's exit status other than 0
    killed_by_signal,    ///< a command was killed by a signal
    malformed_response,  ///< the response is not HTTP/1.x
    too_many_redirects,  ///< more requests than HttpOptions::max_requests
    bad_redirect,        ///< a Location that cannot be followed
    no_such_host,        ///< the name does not resolve
    unexpected_response, ///< a response that does not meet HttpOptions::expect
    /// This machine has no address to reach the target's from, as for ::1 without IPv6; equals
    /// std::errc::address_not_available, which by itself is a lack of ports.
    no_local_address,
    // Prober errors: the attempt counts for nothing.
    incomplete_body, ///< the body broke off, came too late or was framed wrongly
    /// Other code reaped the child, and with it the exit status; or a filter of system calls does
    /// not let this program wait for it.
    status_lost,
    probe_threw,       ///< a user's probe or matcher threw an exception without an error code
    user_has_no_group, ///< to become a user of whom the system knows no group, without naming one
    /// This machine does not have the source address of the options; equals
    /// std::errc::address_not_available. No lack that passes by itself, so no is_local_fault().
    no_source_address,
};

namespace detail {

class ProbekitCategory final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "probekit"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
        case Errc::timed_out: return "timed out";
        case Errc::http_status: return "HTTP status is not a success";
        case Errc::exit_status: return "command exited with a status other than 0";
        case Errc::killed_by_signal: return "command was killed by a signal";
        case Errc::malformed_response: return "malformed HTTP response";
        case Errc::too_many_redirects: return "too many redirects";
        case Errc::bad_redirect: return "redirect cannot be followed";
        case Errc::no_such_host: return "no such host";
        case Errc::unexpected_response: return "HTTP response is not as expected";
        case Errc::no_local_address: return "cannot assign requested address";
        case Errc::no_source_address: return "cannot assign requested source address";
        case Errc::incomplete_body: return "response body is incomplete";
        case Errc::status_lost:
            return "exit status was lost: another waiter has it, or waiting is not allowed";
        case Errc::probe_threw: return "probe threw an unknown exception";
        case Errc::user_has_no_group:
            return "the user has no entry in the user database: a group must be given";
        }
        return "unknown probekit error";
    }

    [[nodiscard]] std::error_condition default_error_condition(int value) const noexcept override {
        switch (static_cast<Errc>(value)) {
        case Errc::timed_out: return std::errc::timed_out;
        case Errc::no_local_address:
        case Errc::no_source_address: return std::errc::address_not_available;
        default: return {value, *this};
        }
    }
};

} // namespace detail

/// The category of Errc.
[[nodiscard]] inline const std::error_category& probekit_category() noexcept {
    static const detail::ProbekitCategory category;
    return category;
}

[[nodiscard]] inline std::error_code make_error_code(Errc code) noexcept {
    return {static_cast<int>(code), probekit_category()};
}

/// For `Errc::timed_out == std::errc::timed_out`: the standard's operators need an error_code on
/// one side.
[[nodiscard]] inline bool operator==(Errc code, std::errc condition) noexcept {
    return make_error_code(code) == condition;
}

namespace detail {

/// Whether an operation was cancelled: `asio::error::operation_aborted`, which equals
/// std::errc::operation_canceled only with Asio 1.23 and later.
[[nodiscard]] inline bool is_cancelled(const std::error_code& code) noexcept {
    return code == std::errc::operation_canceled ||
           (code.value() == ECANCELED && std::string_view{code.category().name()} == "asio.system");
}

} // namespace detail

/// Converts codes of Asio's own categories into standard ones, so that they compare equal to
/// std::errc with every version of Asio: "asio.system" (Asio before 1.23) becomes
/// std::system_category, and the resolver's errors become Errc::no_such_host. Returns all others
/// unchanged, `asio::error::operation_aborted` too.
[[nodiscard]] inline std::error_code to_std(std::error_code code) noexcept {
    if (code.category() == std::system_category() || code.category() == probekit_category())
        return code;
    const std::string_view name = code.category().name();
    if (name == "asio.system") {
        // Users compare this one with asio::error, so it has to stay in Asio's category.
        if (detail::is_cancelled(code)) return code;
        return {code.value(), std::system_category()};
    }
    if (name == "asio.netdb" || name == "asio.addrinfo") return make_error_code(Errc::no_such_host);
    return code;
}

/// Whether a code is a fault of the probing machine and not of the target: it has no descriptor, no
/// memory, no local port or no process left. An attempt that ends with one is a prober error.
[[nodiscard]] inline bool is_local_fault(const std::error_code& code) noexcept {
    const std::error_code standard = to_std(code);
    if (standard.category() != std::system_category() &&
        standard.category() != std::generic_category())
        return false;
    switch (standard.value()) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EADDRNOTAVAIL:
    case EAGAIN: return true;
    default: return false;
    }
}

namespace detail {

/// Whether an attempt that ends for this cause could not ask: a prober error.
[[nodiscard]] inline bool is_prober_error(const std::error_code& cause) noexcept {
    return is_local_fault(cause) || cause == make_error_code(Errc::no_source_address);
}

} // namespace detail

/// A mistake in the settings: the field, and what is wrong with it.
struct ConfigError {
    std::string field = {};  ///< its path: "period", "headers[2].name"
    std::string detail = {}; ///< what is wrong: "must be greater than zero"

    [[nodiscard]] std::string message() const {
        return field.empty() ? detail : field + ": " + detail;
    }

    friend bool operator==(const ConfigError&, const ConfigError&) = default;
};

/// All the mistakes in some settings, in the order of the fields. Empty if there are none.
using ConfigErrors = std::vector<ConfigError>;

/// Thrown by constructors for settings with mistakes. `what()` lists them all.
/// \code
/// try {
///     const TcpProbe probe{io, {.host = "localhost"}};
/// } catch (const ConfigException& exception) {
///     for (const ConfigError& error : exception.errors())
///         std::cerr << error.field << ' ' << error.detail << '\n'; // port must be between ...
/// }
/// \endcode
class ConfigException : public std::invalid_argument {
public:
    explicit ConfigException(ConfigErrors errors)
        : std::invalid_argument(list(errors)), errors_(std::move(errors)) {}

    [[nodiscard]] const ConfigErrors& errors() const noexcept { return errors_; }

private:
    static std::string list(const ConfigErrors& errors) {
        std::string text;
        for (const ConfigError& error : errors) {
            if (!text.empty()) text += "; ";
            text += error.message();
        }
        return text;
    }

    ConfigErrors errors_;
};

} // namespace probekit::inline PROBEKIT_ABI

template <>
struct std::is_error_code_enum<probekit::Errc> : std::true_type {};
