// Which fields Kubernetes knows, whether the supervisor honours them or not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "manifest/pod_spec.hpp"

namespace supervisor {

/// Paths of fields, in the order of the object.
struct StrangeFields {
    std::vector<std::string> unknown = {}; ///< neither Kubernetes knows them nor do we
    std::vector<std::string> own = {};     ///< fields that this library adds to Kubernetes'
};

/// The fields of an object of this kind that Kubernetes does not know, null ones too. What is in
/// one of our own fields is not looked into.
[[nodiscard]] StrangeFields strange_fields(const Json& object, std::string_view kind);

} // namespace supervisor
