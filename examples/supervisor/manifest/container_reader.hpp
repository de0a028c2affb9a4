#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <probekit/core/error.hpp>
#include <probekit/core/restart.hpp>

#include "manifest/options.hpp"
#include "manifest/pod_spec.hpp"

namespace supervisor {

/// Reads one element of spec.containers or spec.initContainers. Adds mistakes to `errors`, in the
/// API server's order and words, and the paths of fields that are not honoured to `ignored`.
class ContainerReader {
public:
    /// `pod`: its name, namespace, address, restart policy and grace period are read already. All
    /// arguments must outlive the reader.
    ContainerReader(const PodSpec& pod, const Options& options, probekit::ConfigErrors& errors,
                    std::vector<std::string>& ignored)
        : pod_(pod), options_(options), errors_(errors), ignored_(ignored) {}

    [[nodiscard]] ContainerSpec read(const Json& json, const std::string& field, bool init);

private:
    const PodSpec& pod_;
    const Options& options_;
    probekit::ConfigErrors& errors_;
    std::vector<std::string>& ignored_;
    std::vector<std::string> names_; // of the containers read so far; each name may be used once
};

/// The policy named "Always", "OnFailure" or "Never". Nothing for any other text.
[[nodiscard]] std::optional<probekit::RestartPolicy> to_restart_policy(std::string_view text);

} // namespace supervisor
