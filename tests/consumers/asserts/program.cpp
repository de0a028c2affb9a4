// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// A program with a mistake: it inserts a node that is in the wheel already. See asserts.sh.
#if defined(OWN_ASSERT)
#include <cstdio>
#include <cstdlib>
#define PROBEKIT_ASSERT(condition)                                                                 \
    ((condition)                                                                                   \
         ? static_cast<void>(0)                                                                    \
         : (std::puts("the program's own: " #condition), std::fflush(stdout), std::_Exit(3)))
#endif

#include <chrono>

#include <probekit/core/timing_wheel.hpp>

void insert(probekit::TimingWheel& wheel, probekit::TimingWheel::Node& node); // in library.cpp

int main(int argc, char**) {
    probekit::TimingWheel wheel{{}};
    probekit::TimingWheel::Node node;
    insert(wheel, node);
    if (argc == 1) wheel.insert(node, probekit::TimePoint{std::chrono::seconds{2}});
    wheel.erase(node);
}
