// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// The part of the program that may have been compiled with another mode.
#include <chrono>

#include <probekit/core/timing_wheel.hpp>

void insert(probekit::TimingWheel& wheel, probekit::TimingWheel::Node& node);

void insert(probekit::TimingWheel& wheel, probekit::TimingWheel::Node& node) {
    wheel.insert(node, probekit::TimePoint{std::chrono::seconds{1}});
}
