#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <probekit/core/error.hpp>
#include <probekit/core/restart.hpp>

#include "manifest/config_sources.hpp"
#include "manifest/environment.hpp"
#include "manifest/fields.hpp"
#include "manifest/options.hpp"
#include "manifest/pod_spec.hpp"

namespace supervisor {

/// What the pods of one set of manifests share.
struct PodContext {
    ConfigSources config = {};
    ExpansionBudget budget = {};
};

/// Reads one element of spec.containers or spec.initContainers. Adds mistakes to `errors`, in the
/// API server's order and words, and what is not honoured to `notices`.
class ContainerReader {
public:
    /// `pod`: its object, name, namespace, address, restart policy and grace period are known. All
    /// arguments must outlive the reader.
    ContainerReader(const PodSpec& pod, const Options& options, PodContext& context,
                    probekit::ConfigErrors& errors, Notices& notices)
        : pod_(pod), options_(options), context_(context), errors_(errors), notices_(notices) {}

    [[nodiscard]] ContainerSpec read(const Json& json, const std::string& field, bool init);

private:
    const PodSpec& pod_;
    const Options& options_;
    PodContext& context_;
    probekit::ConfigErrors& errors_;
    Notices& notices_;
    std::set<std::string> names_ = {}; // of the containers read so far; each name may be used once
};

/// The policy named "Always", "OnFailure" or "Never". Nothing for any other text.
[[nodiscard]] std::optional<probekit::RestartPolicy> to_restart_policy(std::string_view text);

} // namespace supervisor
