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
/// The run is one of raw results, whatever has been concluded from earlier ones: two failures of
/// three, then a success, and the next failure is the first again.
class ThresholdCounter {
public:
    /// Counts one result; the length of the run it belongs to, itself included. A run stays at the
    /// largest int.
    constexpr int count(bool passed) noexcept {
        if (passed != last_) {
            last_ = passed;
            run_ = 1;
        } else if (run_ != std::numeric_limits<int>::max()) {
            ++run_;
        }
        return run_;
    }

    /// Whether the run is long enough to say so: success_threshold passes, or failure_threshold
    /// failures.
    [[nodiscard]] constexpr bool reached(const ProbeSpec& spec) const noexcept {
        PROBEKIT_ASSERT(spec.success_threshold > 0 && spec.failure_threshold > 0);
        return run_ >= (last_ ? spec.success_threshold : spec.failure_threshold);
    }

    [[nodiscard]] constexpr int run() const noexcept { return run_; }
    [[nodiscard]] constexpr bool last() const noexcept { return last_; }

    /// Begins a new run; what the last result was is kept, as it is in the kubelet.
    constexpr void restart() noexcept { run_ = 0; }

private:
    int run_ = 0;
    bool last_ = true;
};

} // namespace probekit::inline PROBEKIT_ABI
