// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <limits>

#include <probekit/config.hpp>
#include <probekit/core/probe_spec.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Counts the run of equal results, as the kubelet's worker does with lastResult and resultRun. It
/// starts as the kubelet starts: the last result is "passed", the run is 0, so the first result
/// begins a run of 1 either way.
///
/// The run counts raw results, whatever was concluded from earlier ones: after two failures of
/// three and a success, the next failure is the first again.
class ThresholdCounter {
public:
    /// Counts one result and returns the length of the run that it ends. A run stays at the largest
    /// int.
    constexpr int count(bool passed) noexcept {
        if (passed != last_) {
            last_ = passed;
            run_ = 1;
        } else if (run_ != std::numeric_limits<int>::max()) {
            ++run_;
        }
        return run_;
    }

    /// Whether the run is long enough for a verdict: success_threshold passes, or failure_threshold
    /// failures.
    [[nodiscard]] constexpr bool reached(const ProbeSpec& spec) const noexcept {
        PROBEKIT_ASSERT(spec.success_threshold > 0 && spec.failure_threshold > 0);
        return run_ >= (last_ ? spec.success_threshold : spec.failure_threshold);
    }

    [[nodiscard]] constexpr int run() const noexcept { return run_; }
    [[nodiscard]] constexpr bool last() const noexcept { return last_; }

    /// Begins a new run, but keeps the last result, as the kubelet does.
    constexpr void restart() noexcept { run_ = 0; }

private:
    int run_ = 0;
    bool last_ = true;
};

} // namespace probekit::inline PROBEKIT_ABI
