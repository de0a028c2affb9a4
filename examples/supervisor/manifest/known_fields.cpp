#include "manifest/known_fields.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <sstream>

namespace supervisor {
namespace {

constexpr std::string_view table =
#include "manifest/known_fields.inc"
    ;

/// By name the fields of a type, each with its type: empty if all may be in it, "+" for our own.
using Type = std::map<std::string, std::string, std::less<>>;
using Types = std::map<std::string, Type, std::less<>>;

Types read_types() {
    Types types;
    std::istringstream lines{std::string{table}};
    Type* type = nullptr;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words{line};
        std::string word;
        if (!line.starts_with(' ') && words >> word) type = &types[word];
        while (words >> word) {
            const std::size_t colon = word.find(':');
            if (word.starts_with('+'))
                type->emplace(word.substr(1), "+");
            else
                type->emplace(word.substr(0, colon),
                              colon == std::string::npos ? "" : word.substr(colon + 1));
        }
    }
    return types;
}

const Types& all_types() {
    static const Types types = read_types();
    return types;
}

void collect(const Json& value, const Type& type, const std::string& path, StrangeFields& found) {
    std::size_t index = 0;
    if (value.is_array())
        for (const Json& item : value)
            collect(item, type, path + "[" + std::to_string(index++) + "]", found);
    if (!value.is_object()) return;
    for (const auto& [name, inner] : value.get_ref<const Json::object_t&>()) {
        const std::string field = path.empty() ? name : path + "." + name;
        const auto known = type.find(name);
        if (known == type.end())
            found.unknown.push_back(field);
        else if (known->second == "+")
            found.own.push_back(field);
        else if (!known->second.empty())
            collect(inner, all_types().at(known->second), field, found);
    }
}

} // namespace

StrangeFields strange_fields(const Json& object, std::string_view kind) {
    StrangeFields found;
    const auto type = all_types().find(kind);
    if (type != all_types().end()) collect(object, type->second, "", found);
    return found;
}

} // namespace supervisor
