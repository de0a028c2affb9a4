// From files to pods: reads YAML and JSON, checks them as a Kubernetes API server would, and
// resolves what can be resolved before anything runs.
#pragma once

#include <string>
#include <vector>

#include "manifest/options.hpp"
#include "manifest/pod_spec.hpp"

namespace supervisor {

struct Manifests {
    std::vector<PodSpec> pods = {}; ///< in the order of files and documents
    /// Complete lines for standard error, everything that is wrong in all files. Not empty: nothing
    /// may be started and the exit status is 2.
    std::vector<std::string> errors = {};
    std::vector<std::string> warnings =
        {}; ///< complete lines for standard error; they stop nothing
};

/// Reads all of `options.files`. Throws nothing for what the files say or for files that cannot be
/// read: that is in `errors`.
[[nodiscard]] Manifests read_manifests(const Options& options);

} // namespace supervisor
