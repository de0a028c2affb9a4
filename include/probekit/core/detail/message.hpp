// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/detail/go_quoted.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>

// The kubelet's texts, rendered from a result's plain values and what the target knows of itself.
// Source: the recordings of the kubelet's own probers.
namespace probekit::inline PROBEKIT_ABI::detail {

/// A system error's text as in the C locale, where that can be had: the program may have set
/// another one.
[[nodiscard]] inline std::string untranslated_message(const std::error_code& code) {
#if defined(__GLIBC__) && (__GLIBC__ > 2 || (__GLIBC__ == 2 && __GLIBC_MINOR__ >= 32))
    if (code.category() == std::system_category() || code.category() == std::generic_category())
        if (const char* const text = ::strerrordesc_np(code.value())) return text;
#endif
    return code.message();
}

/// A system error as Go prints it: strerror's text with a small first letter ("connection
/// refused").
template <class = OnUse>
[[nodiscard]] inline std::string go_error_text(const std::error_code& code) {
    std::string text = untranslated_message(code);
    const bool shouts = text.size() > 1 && text[1] >= 'A' && text[1] <= 'Z';
    if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z' && !shouts)
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

/// "host:port", an IPv6 address in brackets: as Go writes what it dials.
template <class = OnUse>
[[nodiscard]] inline std::string join_host_port(std::string_view host, std::string_view port) {
    std::string text{host};
    if (host.find(':') != std::string_view::npos) text = "[" + text + "]";
    return text.append(":").append(port);
}

/// "dial tcp ADDR: connect: connection refused". `host` as configured; `address` as dialled:
/// "127.0.0.1:80", "[::1]:80", or the path of a socket where `network` is "unix".
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
    // Go names the call that failed; without descriptors or memory that is socket(), else
    // connect().
    const bool in_socket = cause == std::errc::too_many_files_open ||
                           cause == std::errc::too_many_files_open_in_system ||
                           cause == std::errc::no_buffer_space ||
                           cause == std::errc::not_enough_memory;
    return text + (in_socket ? ": socket: " : ": connect: ") + go_error_text(cause);
}

/// A failed request as Go's client says it.
template <class = OnUse>
[[nodiscard]] inline std::string request_message(std::string_view url, std::string_view what) {
    return "Get " + go_quoted(url) + ": " + std::string{what};
}

/// Why a request found nobody to send it to, or no answer in time.
template <class = OnUse>
[[nodiscard]] inline std::string unanswered_message(std::string_view url, std::string_view host,
                                                    std::string_view address, Phase phase,
                                                    const std::error_code& cause,
                                                    std::string_view network = "tcp") {
    if (cause == Errc::timed_out)
        return request_message(
            url, "context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    return request_message(url, dial_message(host, address, phase, cause, network));
}

/// `result.detail`, if there is one, is the whole text; all else follows from the first request.
template <class = OnUse>
[[nodiscard]] inline std::string http_message(std::string_view url, std::string_view host,
                                              std::string_view address, const ProbeResult& result,
                                              std::string_view network = "tcp") {
    if (!result.detail.empty()) return result.detail;
    if (result.outcome == Outcome::success) return result.output;
    if (result.outcome == Outcome::warning)
        return "Probe terminated redirects, Response body: " + result.output;
    if (result.cause == Errc::http_status)
        return "HTTP probe failed with statuscode: " + std::to_string(result.status);
    return unanswered_message(url, host, address, result.phase, result.cause, network);
}

/// `command` is program and arguments; `result.detail` holds the timeout that ran, as Go writes it.
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
        std::string text = "rpc error: code = Unknown desc = failed to exec in container: ";
        // Go looks a program without a slash up in PATH first, and passes over what may not be
        // executed.
        const bool not_found = program.find('/') == std::string::npos &&
                               (result.cause == std::errc::no_such_file_or_directory ||
                                result.cause == std::errc::permission_denied);
        if (not_found)
            return text + "exec: " + go_quoted(program) + ": executable file not found in $PATH";
        return text + "fork/exec " + program + ": " + go_error_text(result.cause);
    }
    return result.output;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
