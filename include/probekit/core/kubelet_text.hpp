// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/detail/message.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>

/// \file
/// What a kubelet says of containers and their probes, word for word, for programs that show what
/// `kubectl describe pod` shows:
///
/// \code
/// struct EventLog {
///     void attempt_ended(const probekit::AttemptEnded& attempt) {
///         if (const auto event = probekit::kubelet::probe_event(attempt))
///             std::cout << "Warning " << event->reason << ' ' << event->message << '\n';
///     }
/// };
/// \endcode
///
/// A program that only wants to know what was wrong asks ProbeResult::message().
namespace probekit::inline PROBEKIT_ABI::kubelet {

/// The text of a result in a cluster. It is ProbeResult::message(), but for a command that could
/// not be started: there the kubelet has the error from a container runtime, and says so. Such a
/// result ended in Phase::spawn with a cause other than a timeout; no other probe of the library
/// has that phase.
///
/// `shown_timeout` is named in place of the timeout that ran.
[[nodiscard]] inline std::string result_text(const ProbeResult& result,
                                             std::optional<Duration> shown_timeout = {}) {
    const bool not_started =
        result.phase == Phase::spawn && result.cause && result.cause != Errc::timed_out;
    std::string text =
        not_started ? "rpc error: code = Unknown desc = failed to exec in container: " : "";
    return text + (shown_timeout ? result.message(*shown_timeout) : result.message());
}

/// An event that a kubelet records for a pod because of a probe. Its type is "Warning".
struct ProbeEvent {
    std::string_view reason = {}; ///< "Unhealthy" or "ProbeWarning"
    std::string message = {}; ///< "Liveness probe failed: HTTP probe failed with statuscode: 503"

    friend bool operator==(const ProbeEvent&, const ProbeEvent&) = default;
};

/// The event for one attempt, whether or not it changes a verdict. Nothing, and no text is built,
/// if the attempt succeeded, was cancelled, or ended with an error and is retried; and for a result
/// that is neither success, warning nor failure.
///
/// `shown_timeout` is named in place of the timeout that ran: a program on a scaled clock shows its
/// user's seconds.
[[nodiscard]] inline std::optional<ProbeEvent> probe_event(
    const AttemptEnded& attempt, std::optional<Duration> shown_timeout = {}) {
    const Outcome outcome = attempt.result.outcome;
    if (attempt.error) {
        if (attempt.retried || detail::is_cancelled(attempt.error)) return std::nullopt;
        std::string message = result_text(attempt.result, shown_timeout);
        // A user's probe may have nothing to say but the code.
        const bool only_code = !attempt.result.target && attempt.result.output.empty();
        if (message.empty() || only_code) message = go_error_text(attempt.error);
        return ProbeEvent{"Unhealthy", detail::probe_error_text(attempt.kind, outcome, message)};
    }
    if (outcome != Outcome::warning && outcome != Outcome::failure) return std::nullopt;
    return ProbeEvent{
        outcome == Outcome::warning ? "ProbeWarning" : "Unhealthy",
        detail::probe_text(attempt.kind, outcome, result_text(attempt.result, shown_timeout))};
}

/// Why a container's process could not be started, in the words of a container runtime:
/// `exec: "foo": executable file not found in $PATH`. `program` is the first word of its command.
[[nodiscard]] inline std::string start_error_text(const std::string& program,
                                                  const std::error_code& error) {
    if (auto text = detail::not_in_path_message(program, error)) return *std::move(text);
    const bool no_such_file = error == std::errc::no_such_file_or_directory;
    return "exec: " + go_quoted(program) + ": " + (no_such_file ? "stat " + program + ": " : "") +
           go_error_text(error);
}

/// The same, if its working directory is the reason.
[[nodiscard]] inline std::string working_directory_error_text(std::string_view directory,
                                                              const std::error_code& error) {
    return "chdir to cwd (" + go_quoted(directory) + ") failed: " + go_error_text(error);
}

/// How long a container in CrashLoopBackOff waits: "back-off 1m20s".
[[nodiscard]] inline std::string back_off_text(Duration delay) {
    return "back-off " + go_duration(delay);
}

} // namespace probekit::inline PROBEKIT_ABI::kubelet
