// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>

// What ProbeResult::message() says of the results of the library's own probes, rendered from a
// result's plain values and from what the probe knows of its target. The words are those of the
// kubelet's own probers, as recorded.
namespace probekit::inline PROBEKIT_ABI::detail {

/// "host:port" as Go writes it, with an IPv6 address in brackets.
[[nodiscard]] inline std::string join_host_port(std::string_view host, std::string_view port) {
    std::string text{host};
    if (host.find(':') != std::string_view::npos) text = "[" + text + "]";
    return text.append(":").append(port);
}

/// "dial tcp ADDRESS: connect: connection refused". `host` is what the user configured, `address`
/// what was dialled: "127.0.0.1:80", "[::1]:80", or a socket's path if `network` is "unix".
template <class = OnUse>
[[nodiscard]] inline std::string dial_message(std::string_view host, std::string_view address,
                                              Phase phase, const std::error_code& cause,
                                              std::string_view network = "tcp") {
    std::string text = "dial ";
    text.append(network);
    if (phase == Phase::resolve) {
        text.append(": lookup ").append(host);
        if (cause == Errc::timed_out) return text + ": i/o timeout";
        return text + ": " + (cause == Errc::no_such_host ? "no such host" : go_error_text(cause));
    }
    text.append(" ").append(address);
    if (cause == Errc::timed_out) return text + ": i/o timeout";
    // Go names the call that failed: socket() for lack of descriptors, memory or the whole family
    // of addresses, else connect().
    const bool in_socket = cause == std::errc::too_many_files_open ||
                           cause == std::errc::address_family_not_supported ||
                           cause == std::errc::too_many_files_open_in_system ||
                           cause == std::errc::no_buffer_space ||
                           cause == std::errc::not_enough_memory;
    return text + (in_socket ? ": socket: " : ": connect: ") + go_error_text(cause);
}

/// A failed request in the words of Go's HTTP client.
[[nodiscard]] inline std::string request_message(HttpMethod method, std::string_view url,
                                                 std::string_view problem) {
    return (method == HttpMethod::head ? "Head " : "Get ") + go_quoted(url) + ": " +
           std::string{problem};
}

/// A request for which no connection was opened, or to which no response came in time.
template <class = OnUse>
[[nodiscard]] inline std::string unanswered_message(HttpMethod method, std::string_view url,
                                                    std::string_view host, std::string_view address,
                                                    Phase phase, const std::error_code& cause,
                                                    std::string_view network = "tcp") {
    // Go finds the handshake cut short before it finds that its client's time is over.
    if (cause == Errc::timed_out)
        return request_message(
            method, url,
            phase == Phase::handshake
                ? "context deadline exceeded"
                : "context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    return request_message(method, url, dial_message(host, address, phase, cause, network));
}

/// A result of an HTTP probe. A `result.detail` that is not empty is the whole text; everything
/// else follows from the first request.
template <class = OnUse>
[[nodiscard]] inline std::string http_message(HttpMethod method, std::string_view url,
                                              std::string_view host, std::string_view address,
                                              const ProbeResult& result,
                                              std::string_view network = "tcp") {
    if (!result.detail.empty()) return result.detail;
    if (result.outcome == Outcome::success) return result.output;
    if (result.outcome == Outcome::warning)
        return "Probe terminated redirects, Response body: " + result.output;
    if (result.cause == Errc::http_status)
        return "HTTP probe failed with statuscode: " + std::to_string(result.status);
    return unanswered_message(method, url, host, address, result.phase, result.cause, network);
}

/// Why Go could not find a program, if that is why it could not be started; else nothing. Go looks
/// up a program without a slash in PATH first, and skips files that may not be executed.
[[nodiscard]] inline std::optional<std::string> not_in_path_message(const std::string& program,
                                                                    const std::error_code& cause) {
    const bool is_looked_up = program.find('/') == std::string::npos;
    const bool is_not_found =
        cause == std::errc::no_such_file_or_directory || cause == std::errc::permission_denied;
    if (!is_looked_up || !is_not_found) return std::nullopt;
    return "exec: " + go_quoted(program) + ": executable file not found in $PATH";
}

/// A result of an exec probe. `command` is the program and its arguments; after a timeout,
/// `result.detail` is the timeout that ran, as go_duration() writes it.
template <class = OnUse>
[[nodiscard]] inline std::string exec_message(const std::vector<std::string>& command,
                                              const ProbeResult& result,
                                              std::optional<Duration> shown_timeout) {
    if (result.cause == Errc::timed_out) {
        std::string words;
        for (const std::string& word : command) words.append(words.empty() ? "" : " ").append(word);
        return "command timed out: " + go_quoted(words) + " timed out after " +
               (shown_timeout ? go_duration(*shown_timeout) : result.detail);
    }
    if (result.phase == Phase::spawn && result.cause) {
        const std::string& program = command.front();
        if (auto text = not_in_path_message(program, result.cause)) return *std::move(text);
        return "fork/exec " + program + ": " + go_error_text(result.cause);
    }
    return result.output;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
