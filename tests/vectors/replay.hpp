// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <exception>
#include <iostream>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include <probekit/core/actions.hpp>

// Recordings of the kubelet's own code. Each file has a replay, which prints the cases that differ,
// and how many it ran, to std::cout.
struct Tally {
    int passed = 0;
    int failed = 0;
    int skipped = 0;

    /// Counts one case. `replay` returns whether it ended as recorded, or nothing if it cannot be
    /// replayed here. If `replay` throws, only this case fails.
    template <class Replay>
    void add(const std::string& name, Replay replay) {
        std::optional<bool> good;
        try {
            good = replay();
        } catch (const std::exception& error) {
            std::cout << name << ": " << error.what() << '\n';
            good = false;
        }
        ++(!good ? skipped : *good ? passed : failed);
    }
};

Tally replay_worker_traces(const nlohmann::json& document);
Tally replay_http_cases(const nlohmann::json& document);
Tally replay_misc_cases(const nlohmann::json& document);

/// Whether a case of http_cases.json that needs TLS ends as recorded; nothing if it cannot be
/// replayed. Builds without TLS have https_skipped.cpp, which can replay none.
std::optional<bool> replay_https_case(const nlohmann::json& recorded,
                                      const probekit::HttpOptions& options);
