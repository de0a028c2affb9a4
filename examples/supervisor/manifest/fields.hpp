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

/// Adds the paths of fields that were not read to `ignored`, except those that mean nothing here:
/// the fields in `meaningless`, and empty objects and arrays, which request nothing.
void report_not_honoured(Fields& fields, std::initializer_list<std::string_view> meaningless,
                         std::vector<std::string>& ignored);

} // namespace supervisor
