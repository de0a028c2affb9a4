// Reads the pods of YAML and JSON files, validates them as a Kubernetes API server would, and
// resolves what can be resolved before anything runs.
#pragma once

#include <string>
#include <vector>

#include "manifest/options.hpp"
#include "manifest/pod_spec.hpp"

namespace supervisor {

struct Manifests {
    std::vector<PodSpec> pods = {}; ///< in the order of files and documents
    /// The mistakes in all files, as complete lines for standard error. If there are any, nothing
    /// is started and the exit status is 2.
    std::vector<std::string> errors = {};
    std::vector<std::string> warnings =
        {}; ///< complete lines for standard error; they prevent nothing
};

/// Reads all of `options.files`. Mistakes in files, and files that cannot be read, are reported in
/// `errors` and never thrown.
[[nodiscard]] Manifests read_manifests(const Options& options);

} // namespace supervisor
