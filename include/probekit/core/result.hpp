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
#include <probekit/core/detail/on_use.hpp>
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
    Phase phase = Phase::none; ///< where it ended; `finish`: everything was done
    int status =
        -1; ///< HTTP status, or exit status (128 + n if killed by signal n); -1: there was none
    std::error_code cause =
        {}; ///< empty if passed; else an Errc, or what the system said (std::errc)
    std::string detail =
        {}; ///< what message() needs beyond codes and target; empty where it needs nothing
    std::string output =
        {}; ///< beginning of the body, or of stdout then stderr; if not a success, or if asked for
    std::uint64_t output_bytes = 0;     ///< how many there were in all, kept or not
    std::array<Duration, 9> times = {}; ///< spent in Phase::resolve .. Phase::finish
    std::shared_ptr<const detail::MessageContext> target =
        {}; ///< shared with the probe, for message()

    /// Success or warning.
    [[nodiscard]] bool passed() const noexcept {
        return outcome == Outcome::success || outcome == Outcome::warning;
    }

    /// How long the attempt took: the sum of `times`, by construction.
    [[nodiscard]] Duration elapsed() const noexcept {
        Duration sum{};
        for (std::size_t i = 0; i != times.size(); ++i)
            sum += times[i]; // counted: then it is no loop any more
        return sum;
    }

    /// Time spent in one phase; zero for Phase::none and for phases the probe does not have.
    [[nodiscard]] Duration time_in(Phase which) const noexcept {
        return which == Phase::none ? Duration{} : times[static_cast<std::size_t>(which) - 1];
    }

    /// The kubelet's text, without the prefix of its events: "dial tcp 127.0.0.1:80: connect:
    /// connection refused", "HTTP probe failed with statuscode: 503", a command's output. Of errors
    /// too. For a result made by a user's probe: the output, or the cause's own message if there is
    /// none. Rendered when asked, so it allocates here only.
    [[nodiscard]] std::string message() const { return render(std::nullopt); }

    /// The same, naming another timeout than the one that ran: a supervisor on a scaled clock shows
    /// its user's seconds.
    [[nodiscard]] std::string message(Duration shown_timeout) const {
        return render(shown_timeout);
    }

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

    template <class = detail::OnUse>
    [[nodiscard]] std::string render(std::optional<Duration> shown_timeout) const {
        if (target) return target->message(*this, shown_timeout);
        return !output.empty() || !cause ? output : cause.message();
    }
};

} // namespace probekit::inline PROBEKIT_ABI
