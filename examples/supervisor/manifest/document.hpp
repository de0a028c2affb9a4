// From the text of a manifest to JSON values.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace supervisor {

/// A text that is neither YAML nor JSON, or that says more than we are ready to hold. what() names
/// the line.
class DocumentError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The documents of a text, in YAML or JSON, separated by `---`; empty ones are left out. JSON
/// objects may also simply follow one another. As for kubectl, what begins with a brace is JSON.
/// Plain YAML scalars get their type as kubectl gives it to them: YAML 1.1's rules, with yes, on
/// and 010 being true, true and 8. Throws DocumentError.
[[nodiscard]] std::vector<nlohmann::ordered_json> parse_documents(std::string_view text);

} // namespace supervisor
