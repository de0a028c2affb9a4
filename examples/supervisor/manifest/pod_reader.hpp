#pragma once

#include <string>
#include <vector>

#include <probekit/core/error.hpp>

#include "manifest/options.hpp"
#include "manifest/pod_spec.hpp"

namespace supervisor {

struct PodReading {
    PodSpec pod = {};
    probekit::ConfigErrors errors =
        {}; ///< in the API server's order and words; not empty: `pod` is no good
    std::vector<std::string> ignored =
        {}; ///< paths of fields that mean something and are not honoured
};

/// Reads a Pod object: checks it as an API server would and resolves all that can be before
/// anything runs.
[[nodiscard]] PodReading read_pod(const Json& object, const Options& options);

} // namespace supervisor
