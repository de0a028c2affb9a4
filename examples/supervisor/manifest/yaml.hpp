// YAML as kubectl understands it: YAML 1.1's types, as JSON values.
#pragma once

#include <cstddef>
#include <string_view>

#include "manifest/document.hpp"

namespace supervisor {

/// Adds the documents of a YAML text whose first line has this number. Anchors and merge keys
/// (`<<`) are resolved, keys are made strings. Throws DocumentError.
void parse_yaml(std::string_view text, std::size_t first_line, Documents& documents);

/// The value of a plain scalar (one without quotes): null, a boolean, a number, or the text itself.
/// Infinity and NaN, which JSON cannot hold, are given as floating-point numbers.
[[nodiscard]] Json plain_scalar(std::string_view text);

} // namespace supervisor
