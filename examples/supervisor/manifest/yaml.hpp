// YAML as kubectl understands it: YAML 1.1's types, as JSON values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace supervisor {

/// The documents of a YAML text. Anchors and merge keys (`<<`) are resolved, keys are made strings.
/// Throws DocumentError.
[[nodiscard]] std::vector<nlohmann::ordered_json> parse_yaml(const std::string& text);

/// The value of a plain scalar (one without quotes): null, a boolean, a number, or the text itself.
/// Infinity and NaN, which JSON cannot hold, are given as floating-point numbers.
[[nodiscard]] nlohmann::ordered_json plain_scalar(std::string_view text);

} // namespace supervisor
