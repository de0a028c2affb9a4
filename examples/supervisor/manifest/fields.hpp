#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <probekit/kubernetes/field_reader.hpp>

#include "manifest/pod_spec.hpp"

namespace supervisor {

/// Reads the fields of one object of a manifest.
using Fields = probekit::kubernetes::FieldReader<Json>;

/// Lists the paths of fields that nobody asked for, except those that mean nothing here: the ones
/// in `meaningless`, and empty objects and arrays, which ask for nothing.
void note_unhonoured(Fields& fields, std::initializer_list<std::string_view> meaningless,
                     std::vector<std::string>& ignored);

} // namespace supervisor
