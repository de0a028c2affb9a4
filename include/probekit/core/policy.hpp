// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <optional>

#include <probekit/config.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/threshold_counter.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Judges the results of one worker. `judge` is called once per counted result, never for prober
/// errors, and returns the target's health; nullopt leaves the verdict as it is.
///
/// Optional members, each called only where it exists:
/// - `void on_start() noexcept`: the worker begins, for the first time or anew;
/// - `void on_target_replaced(const ProbeSpec&) noexcept`: the next results are another target's. A
///   policy without `on_start` gets this call when a stopped worker begins anew, so that it can
///   forget;
/// - `void on_hold() noexcept`: no more checks until the target is replaced;
/// - `int run() const noexcept`: shown in the worker's snapshot.
template <class P>
concept Policy =
    std::move_constructible<P> && requires(P p, const ProbeResult& result, const ProbeSpec& spec) {
        { p.judge(result, spec) } noexcept -> std::same_as<std::optional<Health>>;
    };

/// The kubelet's judgement: a verdict needs as many equal results in a row as the ProbeSpec's
/// thresholds say. A warning passes; `unknown` counts as a failure.
///
/// The run goes on over target_replaced(), as it does in released kubelets (two failures of the old
/// target and one of the new make three); with Cadence::target_start it begins anew. A worker going
/// on hold ends the run.
class KubeletPolicy {
public:
    [[nodiscard]] std::optional<Health> judge(const ProbeResult& result,
                                              const ProbeSpec& spec) noexcept {
        const bool passed = result.passed();
        counter_.count(passed);
        if (!counter_.reached(spec)) return std::nullopt;
        return passed ? Health::passing : Health::failing;
    }

    constexpr void on_start() noexcept { counter_ = {}; }
    constexpr void on_hold() noexcept { counter_.restart(); }
    constexpr void on_target_replaced(const ProbeSpec& spec) noexcept {
        if (spec.pacing.cadence == Cadence::target_start) counter_ = {};
    }

    /// The length of the current run of equal results.
    [[nodiscard]] constexpr int run() const noexcept { return counter_.run(); }
    /// The run itself.
    [[nodiscard]] constexpr const ThresholdCounter& counter() const noexcept { return counter_; }

private:
    ThresholdCounter counter_;
};

} // namespace probekit::inline PROBEKIT_ABI
