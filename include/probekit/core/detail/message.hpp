// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <probekit/core/detail/target.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>

// The kubelet's texts, rendered from a result's plain values. Source: the recordings of the kubelet's own probers.
namespace probekit::inline v0::detail {

/// A system error as Go prints it: strerror's text with a small first letter ("connection refused").
[[nodiscard]] inline std::string go_error_text(const std::error_code& code) {
    std::string text = code.message();
    const bool shouts = text.size() > 1 && text[1] >= 'A' && text[1] <= 'Z';
    if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z' && !shouts) text[0] = static_cast<char>(text[0] - 'A' + 'a');
    return text;
}

/// "dial tcp ADDR: connect: connection refused". `address` is what was dialled, empty for the target's own.
[[nodiscard]] inline std::string dial_message(const Target& target, Phase phase, const std::error_code& cause,
                                              std::string_view address) {
    if (cause == Errc::no_such_host) return "dial tcp: lookup " + target.host + ": no such host";
    if (phase == Phase::resolve && cause == Errc::timed_out) return "dial tcp: lookup " + target.host + ": i/o timeout";
    std::string text = "dial tcp ";
    text += address.empty() ? std::string_view{target.address} : address;
    if (cause == Errc::timed_out) return text + ": i/o timeout";
    // Go names the call that failed; without descriptors or memory that is socket(), else connect().
    const bool in_socket = cause == std::errc::too_many_files_open || cause == std::errc::too_many_files_open_in_system ||
                           cause == std::errc::no_buffer_space || cause == std::errc::not_enough_memory;
    return text + (in_socket ? ": socket: " : ": connect: ") + go_error_text(cause);
}

/// Result is ProbeResult, which includes this header.
template <class Result>
[[nodiscard]] std::string http_message(const Result& result) {
    if (!result.detail.empty()) return result.detail;
    switch (result.outcome) {
    case Outcome::success: return result.output;
    case Outcome::warning: return "Probe terminated redirects, Response body: " + result.output;
    case Outcome::failure:
    case Outcome::unknown: break;
    }
    if (result.cause == Errc::http_status) return "HTTP probe failed with statuscode: " + std::to_string(result.status);
    std::string text = "Get \"" + result.target->url + "\": ";
    if (result.cause == Errc::timed_out)
        return text + "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
    return text + dial_message(*result.target, result.phase, result.cause, {});
}

/// `detail` holds the timeout that ran, as Go writes it.
template <class Result>
[[nodiscard]] std::string exec_message(const Result& result, std::optional<Duration> shown_timeout) {
    const std::string& command = result.target->command;
    if (result.cause == Errc::timed_out)
        return "command timed out: \"" + command + "\" timed out after " +
               (shown_timeout ? go_duration(*shown_timeout) : result.detail);
    if (result.phase == Phase::spawn && result.cause)
        return "rpc error: code = Unknown desc = failed to exec in container: fork/exec " +
               command.substr(0, command.find(' ')) + ": " + go_error_text(result.cause);
    return result.output;
}

} // namespace probekit::inline v0::detail
