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

/// What a user should know of a field that is not wrong.
struct Notice {
    std::string path = {};
    std::string what = "not honoured by this supervisor";
};
using Notices = std::vector<Notice>;

/// Adds notices of the fields that were not read, except those that mean nothing here: the fields
/// in `meaningless`, and empty objects and arrays, which request nothing.
void report_not_honoured(Fields& fields, std::initializer_list<std::string_view> meaningless,
                         Notices& notices);

} // namespace supervisor
