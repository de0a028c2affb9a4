// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include "replay.hpp"

std::optional<bool> replay_https_case(const nlohmann::json&, const probekit::HttpOptions&) {
    return std::nullopt;
}
