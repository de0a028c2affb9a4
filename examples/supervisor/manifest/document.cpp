#include "manifest/document.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include <probekit/core/error.hpp>
#include <probekit/kubernetes/parse_json.hpp>

#include "manifest/yaml.hpp"

namespace supervisor {
namespace {

using Json = nlohmann::ordered_json;

/// One document of a text. `line` is the one on which it begins, counted from 0; `separated` says
/// whether that line is a separator.
struct Chunk {
    std::size_t line = 0;
    std::string_view text = {};
    bool separated = false;

    [[nodiscard]] std::string_view without_separator() const {
        return text.substr(separated ? 3 : 0);
    }

    /// `part` of the text after as many empty lines as there are lines before it, so that a parser
    /// counts lines from the start of the whole text.
    [[nodiscard]] std::string on_its_line(std::string_view part) const {
        const std::string_view before{text.data(),
                                      static_cast<std::size_t>(part.data() - text.data())};
        const auto lines = line + static_cast<std::size_t>(std::ranges::count(before, '\n'));
        return std::string(lines, '\n').append(part);
    }
};

bool is_separator(std::string_view line) {
    return line.starts_with("---") &&
           (line.size() == 3 || line[3] == ' ' || line[3] == '\t' || line[3] == '\r');
}

std::vector<Chunk> split(std::string_view text) {
    std::vector<Chunk> chunks;
    Chunk current;
    std::size_t begin = 0;
    std::size_t line = 0;
    for (std::size_t at = 0; at < text.size(); ++line) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        if (is_separator(text.substr(at, end - at))) {
            current.text = text.substr(begin, at - begin);
            chunks.push_back(std::exchange(current, {.line = line, .separated = true}));
            begin = at;
        }
        at = end + 1;
    }
    current.text = text.substr(begin);
    chunks.push_back(current);
    return chunks;
}

Json parse_object(const std::string& text) {
    probekit::ConfigErrors errors;
    auto object = probekit::kubernetes::parse_json<Json>(text, "", errors);
    if (errors.empty()) return std::move(*object);
    const std::string message = errors.front().message();
    throw DocumentError{
        message.substr(message.starts_with('.') ? 1 : 0)}; // ".spec: duplicate field"
}

/// Removes the first of several JSON objects from the text and returns it: up to the brace that
/// closes it, or the whole text if no brace does.
std::string_view take_object(std::string_view& text) {
    int open = 0;
    bool in_string = false;
    std::size_t end = text.size();
    for (std::size_t i = 0; i < end; ++i) {
        const char c = text[i];
        if (in_string && c == '\\')
            ++i;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '}') && (open += c == '{' ? 1 : -1) <= 0)
            end = i + 1;
    }
    const std::string_view object = text.substr(0, end);
    text.remove_prefix(end);
    return object;
}

bool is_blank(std::string_view text) {
    return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

bool looks_like_json(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && text[first] == '{';
}

} // namespace

std::vector<Json> parse_documents(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3); // a byte order mark
    std::vector<Json> documents;
    for (const Chunk& chunk : split(text)) {
        std::string_view rest = chunk.without_separator();
        if (looks_like_json(rest)) {
            while (!is_blank(rest)) {
                const std::string_view object = take_object(rest);
                documents.push_back(parse_object(chunk.on_its_line(object)));
            }
            continue;
        }
        for (Json& document : parse_yaml(chunk.on_its_line(chunk.text)))
            if (!document.is_null()) documents.push_back(std::move(document));
    }
    return documents;
}

} // namespace supervisor
