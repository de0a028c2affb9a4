// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <nlohmann/json.hpp>

// The recordings of the kubelet's own code, each file with its replay. A replay prints what it found wrong, and how much
// it ran, to std::cout.
struct Tally {
    int passed = 0;
    int failed = 0;
    int skipped = 0;
};

Tally replay_worker_traces(const nlohmann::json& document);
Tally replay_http_cases(const nlohmann::json& document);
