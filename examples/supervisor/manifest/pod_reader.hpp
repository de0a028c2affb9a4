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
        {}; ///< in the API server's order and words; if there are any, `pod` is of no use
    std::vector<std::string> ignored = {}; ///< paths of fields that are not honoured
};

/// Reads a Pod object: validates it as an API server would, and resolves what can be resolved
/// before anything runs.
[[nodiscard]] PodReading read_pod(const Json& object, const Options& options);

} // namespace supervisor
