// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "replay.hpp"

// Replays the recordings in the folder PROBEKIT_VECTORS (default: tests/data). For each file a line
// `FILE passed=N failed=N skipped=N`; the last line is `N passed, N failed, N skipped`.
namespace {

struct Replay {
    const char* file;
    Tally (*run)(const nlohmann::json& document);
};

constexpr Replay replays[] = {
    {"worker_traces.json", replay_worker_traces},
    {"http_cases.json", replay_http_cases},
    {"misc_cases.json", replay_misc_cases},
};

} // namespace

int main() {
    const char* given = std::getenv("PROBEKIT_VECTORS");
    const std::filesystem::path folder =
        given != nullptr && *given != '\0' ? given : PROBEKIT_TEST_DATA;
    Tally all;
    for (const Replay& replay : replays) {
        Tally tally;
        try {
            std::ifstream file{folder / replay.file};
            if (!file) throw std::runtime_error{"cannot be read"};
            tally = replay.run(nlohmann::json::parse(file));
        } catch (const std::exception& error) {
            std::cout << (folder / replay.file).string() << ": " << error.what() << '\n';
            ++tally.failed;
        }
        std::cout << replay.file << " passed=" << tally.passed << " failed=" << tally.failed
                  << " skipped=" << tally.skipped << '\n';
        all.passed += tally.passed;
        all.failed += tally.failed;
        all.skipped += tally.skipped;
    }
    std::cout << all.passed << " passed, " << all.failed << " failed, " << all.skipped
              << " skipped\n";
    return all.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
