// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <exception>
#include <iostream>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include <probekit/core/actions.hpp>

// The recordings of the kubelet's own code, each file with its replay. A replay prints what it
// found wrong, and how much it ran, to std::cout.
struct Tally {
    int passed = 0;
    int failed = 0;
    int skipped = 0;

    /// Counts one case. `replay` returns whether it came out as recorded, nothing if it cannot be
    /// replayed here. A recording that makes no sense fails alone.
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

/// Whether a case of http_cases.json that needs TLS comes out as recorded; nothing: it cannot be
/// replayed. This is in https_skipped.cpp, which can replay none, where TLS is not built.
std::optional<bool> replay_https_case(const nlohmann::json& recorded,
                                      const probekit::HttpOptions& options);
