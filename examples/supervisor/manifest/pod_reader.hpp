#pragma once

#include <string>

#include <probekit/core/error.hpp>

#include "manifest/container_reader.hpp"
#include "manifest/fields.hpp"
#include "manifest/options.hpp"
#include "manifest/pod_spec.hpp"

namespace supervisor {

struct PodReading {
    PodSpec pod = {};
    probekit::ConfigErrors errors =
        {}; ///< in the API server's order and words; if there are any, `pod` is of no use
    Notices notices = {}; ///< of fields that are not honoured
};

/// Reads a Pod object: validates it as an API server would, and resolves what can be resolved
/// before anything runs. `path`: of the pod in the object that it comes from, such as
/// "spec.template.", with which the paths of its fields begin.
[[nodiscard]] PodReading read_pod(const Json& object, const Options& options, PodContext& context,
                                  const std::string& path = {});

/// The same for a pod alone.
[[nodiscard]] PodReading read_pod(const Json& object, const Options& options);

} // namespace supervisor
