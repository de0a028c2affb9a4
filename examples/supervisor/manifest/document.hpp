// Turns the text of a manifest into JSON values.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace supervisor {

/// A text is neither YAML nor JSON, or is too large or too deep when it is expanded. what() names
/// the line, or the field.
class DocumentError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The documents of a text, in YAML or JSON, separated by `---`; empty ones are left out. JSON
/// objects may also follow one another directly. As in kubectl, a document that begins with a brace
/// is JSON, and plain YAML scalars have the types of YAML 1.1: yes, on and 010 are true, true and
/// 8. Throws DocumentError.
[[nodiscard]] std::vector<nlohmann::ordered_json> parse_documents(std::string_view text);

} // namespace supervisor
