#include "manifest/yaml.hpp"

#include <cmath>
#include <cstddef>
#include <string_view>
#include <utility>

#include <yaml-cpp/yaml.h>

#include "manifest/document.hpp"

namespace supervisor {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void fail(const YAML::Mark& mark, const std::string& what) {
    throw DocumentError{mark.is_null() ? what
                                       : "line " + std::to_string(mark.line + 1) + ": " + what};
}

/// Turns the nodes of one text into JSON. It counts them, because aliases can make a short text
/// extremely long.
class Converter {
public:
    explicit Converter(const std::string& text) : max_nodes_(text.size() + allowance) {}

    [[nodiscard]] Json convert(const YAML::Node& node, int depth = 0) {
        if (depth >= max_depth) fail(node.Mark(), "nested too deeply");
        if (++count_ > max_nodes_) fail(node.Mark(), "document contains excessive aliasing");
        switch (node.Type()) {
        case YAML::NodeType::Scalar: return scalar(node);
        case YAML::NodeType::Sequence: return sequence(node, depth);
        case YAML::NodeType::Map: return map(node, depth);
        case YAML::NodeType::Null:
        case YAML::NodeType::Undefined: break;
        }
        return nullptr;
    }

private:
    // Deeper nesting is an error, so that no recursion over a document exhausts the stack.
    static constexpr int max_depth = 100;

    // Without aliases a text has no more nodes than characters. Aliases may add this many.
    static constexpr std::size_t allowance = 10'000;

    /// yaml-cpp's tags: "?" and "" are plain scalars, "!" is one in quotes or a block.
    [[nodiscard]] static bool is_plain(const YAML::Node& node) {
        return node.Tag() == "?" || node.Tag().empty();
    }

    [[nodiscard]] static Json scalar(const YAML::Node& node) {
        constexpr std::string_view core = "tag:yaml.org,2002:";
        const bool typed = node.Tag().starts_with(core) && node.Tag().substr(core.size()) != "str";
        if (!is_plain(node) && !typed) return node.Scalar();
        Json value = plain_scalar(node.Scalar());
        if (value.is_number_float() && !std::isfinite(value.get<double>()))
            fail(node.Mark(), node.Scalar() + " is no value of JSON");
        return value;
    }

    [[nodiscard]] Json sequence(const YAML::Node& node, int depth) {
        Json result = Json::array();
        for (const YAML::Node& item : node) result.push_back(convert(item, depth + 1));
        return result;
    }

    [[nodiscard]] Json map(const YAML::Node& node, int depth) {
        Json result = Json::object();
        Json merged = Json::object();
        for (const auto& pair : node) {
            if (is_merge(pair.first)) {
                merge(pair.second, depth, merged);
                continue;
            }
            const std::string name = key(pair.first);
            if (result.contains(name))
                fail(pair.first.Mark(), "key " + Json(name).dump() + " already set in map");
            result[name] = convert(pair.second, depth + 1);
        }
        // Keys of the map itself win over merged ones, whichever come first.
        for (auto& [name, value] : merged.items())
            if (!result.contains(name)) result[name] = std::move(value);
        return result;
    }

    [[nodiscard]] static bool is_merge(const YAML::Node& node) {
        return node.IsScalar() && is_plain(node) && node.Scalar() == "<<";
    }

    /// Merges one map, or a sequence of maps, of which earlier ones win.
    void merge(const YAML::Node& node, int depth, Json& merged) {
        if (!node.IsMap() && !node.IsSequence())
            fail(node.Mark(), "map merge requires map or sequence of maps as the value");
        const Json value = convert(node, depth + 1);
        for (const Json& source : node.IsMap() ? Json::array({value}) : value) {
            if (!source.is_object())
                fail(node.Mark(), "map merge requires map or sequence of maps as the value");
            for (const auto& [name, inner] : source.items())
                if (!merged.contains(name)) merged[name] = inner;
        }
    }

    [[nodiscard]] static std::string key(const YAML::Node& node) {
        const Json value = node.IsScalar() ? scalar(node) : Json();
        if (value.is_string()) return value.get<std::string>();
        if (value.is_primitive() && !value.is_null()) return value.dump();
        fail(node.Mark(), "a key must be a string");
    }

    std::size_t max_nodes_;
    std::size_t count_ = 0;
};

} // namespace

std::vector<Json> parse_yaml(const std::string& text) {
    std::vector<Json> documents;
    try {
        for (const YAML::Node& node : YAML::LoadAll(text))
            documents.push_back(Converter{text}.convert(node));
    } catch (const YAML::Exception& error) { fail(error.mark, error.msg); }
    return documents;
}

} // namespace supervisor
