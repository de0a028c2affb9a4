// The ConfigMaps and Secrets of manifests, from which containers take variables.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include <probekit/core/error.hpp>

#include "manifest/pod_spec.hpp"

namespace supervisor {

class ConfigSources {
public:
    using Values = std::map<std::string, std::string, std::less<>>;

    /// Reads an object of kind "ConfigMap" or "Secret". One of the same name is replaced.
    void add(const Json& object, probekit::ConfigErrors& errors);

    /// The values of this object, or nullptr.
    [[nodiscard]] const Values* find(const std::string& kind, const std::string& name_space,
                                     const std::string& name) const;

private:
    std::map<std::string, Values> all_; // by kind, namespace and name
};

} // namespace supervisor
