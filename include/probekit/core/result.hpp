// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/detail/message_context.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// The result of one attempt at a target.
/// \code
/// // given: const ProbeResult& result
/// if (!result.passed())
///     std::cout << to_string(result.outcome) << " in " << to_string(result.phase) << " after "
///               << result.elapsed() / 1us << " us: " << result.message() << '\n';
/// if (result.cause == std::errc::connection_refused) std::cout << "is the server running?\n";
/// \endcode
///
/// A plain value. An attempt that succeeds makes it without allocating, and copying it allocates
/// only if `output` or `detail` do.
struct ProbeResult {
    Outcome outcome = Outcome::unknown;
    Phase phase = Phase::none; ///< where the attempt ended; `finish` if it was complete
    /// The HTTP status, or the command's exit status, which is 128 + n after signal n; -1 if there
    /// was none.
    int status = -1;
    /// Why it did not pass: an Errc, or the system's error (std::errc). Empty if it passed.
    std::error_code cause = {};
    /// What message() needs besides the codes and the target; often empty.
    std::string detail = {};
    /// The beginning of the body, or of stdout followed by stderr. A success keeps it only if the
    /// probe's options say so.
    std::string output = {};
    std::uint64_t output_bytes = 0;     ///< the length of all the output, kept or not
    std::array<Duration, 9> times = {}; ///< spent in Phase::resolve to Phase::finish
    /// For message(). Shared with the probe.
    std::shared_ptr<const detail::MessageContext> target = {};

    /// Success or warning.
    [[nodiscard]] bool passed() const noexcept {
        return outcome == Outcome::success || outcome == Outcome::warning;
    }

    /// How long the attempt took: the sum of `times`, by construction.
    [[nodiscard]] Duration elapsed() const noexcept {
        Duration sum{};
        // By index, because compilers unroll that loop.
        for (std::size_t i = 0; i != times.size(); ++i) sum += times[i];
        return sum;
    }

    /// Time spent in one phase: zero for Phase::none and for phases that the probe does not have.
    [[nodiscard]] Duration time_in(Phase which) const noexcept {
        return which == Phase::none ? Duration{} : times[static_cast<std::size_t>(which) - 1];
    }

    /// What happened, for logs and people: "dial tcp 127.0.0.1:80: connect: connection refused",
    /// "HTTP probe failed with statuscode: 503", a command's output. The words are those of the
    /// kubelet's probers, for prober errors as well; core/kubelet_text.hpp makes a kubelet's events
    /// of them. For the result of a user's probe: the output or, without one, the cause's message.
    ///
    /// The text is made by this call, so that an attempt costs no more for it.
    [[nodiscard]] std::string message() const { return render(std::nullopt); }

    /// The same, with another timeout than the one that ran: a program on a scaled clock shows its
    /// user's seconds.
    [[nodiscard]] std::string message(Duration shown_timeout) const {
        return render(shown_timeout);
    }

    /// Results for a user's probe.
    [[nodiscard]] static ProbeResult success(std::string output = {}) {
        return made(Outcome::success, std::move(output), {});
    }
    [[nodiscard]] static ProbeResult warning(std::string output) {
        return made(Outcome::warning, std::move(output), {});
    }
    [[nodiscard]] static ProbeResult failure(std::string output, std::error_code cause = {}) {
        return made(Outcome::failure, std::move(output), cause);
    }
    [[nodiscard]] static ProbeResult failure(std::error_code cause) {
        return made(Outcome::failure, {}, cause);
    }

private:
    static ProbeResult made(Outcome outcome, std::string output, std::error_code cause) {
        ProbeResult result;
        result.outcome = outcome;
        result.phase = Phase::finish;
        result.cause = to_std(cause);
        result.output_bytes = output.size();
        result.output = std::move(output);
        return result;
    }

    [[nodiscard]] std::string render(std::optional<Duration> shown_timeout) const {
        if (target) return target->message(*this, shown_timeout);
        return !output.empty() || !cause ? output : cause.message();
    }
};

} // namespace probekit::inline PROBEKIT_ABI
