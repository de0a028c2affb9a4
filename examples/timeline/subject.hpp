// What is simulated: the containers of manifests, with the settings of their probes.
#pragma once

#include <array>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <probekit/core/outcome.hpp>
#include <probekit/simulation/container.hpp>

namespace timeline {

using Json = nlohmann::ordered_json;

struct Subject {
    std::string pod = {};
    std::string container = {};
    probekit::simulation::Container settings = {};
    /// By kind: what a kubelet never could carry out (`port "nope" not found`); each of its checks
    /// is an error.
    std::array<std::string, 3> cannot_ask = {};
    /// "liveness   exec [test -e healthy] delay=1s timeout=1s period=3s #success=1 #failure=3", as
    /// `kubectl describe` has it.
    std::vector<std::string> probes = {};

    [[nodiscard]] std::string name() const { return pod + "/" + container; }
};

struct Subjects {
    std::vector<Subject> all = {};          ///< not those of init containers that are to end
    std::vector<std::string> errors = {};   ///< complete lines; not empty: the rest is no good
    std::vector<std::string> warnings = {}; ///< complete lines that prevent nothing
};

/// Adds the containers of a Pod object. `where` is for errors.
void add_pod(Subjects& subjects, const Json& pod, const std::string& where);

/// What the supervisor would run of these files, and of CronJobs; "-" is standard input.
[[nodiscard]] Subjects read_subjects(const std::vector<std::string>& files);

} // namespace timeline
