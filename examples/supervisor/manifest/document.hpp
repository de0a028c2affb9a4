// Turns the text of a manifest into JSON values.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "manifest/pod_spec.hpp"

namespace supervisor {

/// A text is neither YAML nor JSON, or is too large or too deep when it is expanded. what() begins
/// with the line.
class DocumentError : public std::runtime_error {
public:
    DocumentError(std::size_t line, const std::string& what)
        : std::runtime_error("line " + std::to_string(line) + ": " + what) {}
};

struct Document {
    Json value = {};
    std::size_t line = 1; ///< where it begins
};

struct Documents {
    std::vector<Document> all = {};
    /// Keys that stand twice in one map, with their lines. As in kubectl, the last value counts.
    std::vector<std::string> duplicates = {};
};

/// The documents of a text, in YAML or JSON; empty ones are left out. As in kubectl, the text is
/// JSON if it begins with a brace: one object after the other. All else is YAML, and so is what
/// follows a `---` in JSON. Takes time in proportion to the text. Throws DocumentError.
[[nodiscard]] Documents parse_documents(std::string_view text);

} // namespace supervisor
