#include "manifest/notice_list.hpp"

#include <charconv>
#include <string_view>

#include "manifest/json_path.hpp"

namespace supervisor {
namespace {

/// Which element of the array `name` the path goes through, if it does.
const Json* element(const Json* owner, std::string_view path, std::string_view name) {
    const std::string opening = std::string{name} + "[";
    const std::size_t at = path.find(opening);
    if (owner == nullptr || !owner->is_object() || at == std::string_view::npos) return nullptr;
    std::size_t index = 0;
    std::from_chars(path.data() + at + opening.size(), path.data() + path.size(), index);
    const auto array = owner->find(name);
    return array != owner->end() && array->is_array() && index < array->size() ? &(*array)[index]
                                                                               : nullptr;
}

/// The path with [*] for each index, which makes it that of a kind.
std::string without_indexes(std::string_view path) {
    std::string kind;
    bool in_index = false;
    for (const char c : path) {
        if (c == ']') in_index = false;
        if (!in_index) kind += c;
        if (c == '[') {
            in_index = true;
            kind += '*';
        }
    }
    return kind;
}

} // namespace

void NoticeList::add(const PodSpec& pod, const std::string& path, const Notices& notices) {
    const auto spec = pod.object.find("spec");
    const Json* const owner = spec == pod.object.end() ? nullptr : &*spec;
    for (Notice notice : notices) {
        if (notice.path.starts_with(path)) notice.path.erase(0, path.size());
        const std::string name = without_indexes(notice.path);
        const auto [place, is_new] = index_.try_emplace(name + ": " + notice.what, kinds_.size());
        if (is_new) kinds_.push_back({notice});
        Kind& kind = kinds_[place->second];
        ++kind.count;
        if (kind.first.path != notice.path) kind.first.path = name;

        const Json* container = element(owner, notice.path, "containers");
        if (container == nullptr) container = element(owner, notice.path, "initContainers");
        std::string where = pod.name;
        if (container != nullptr) where += "/" + text_at(container, {"name"});
        if (kind.places.empty() || kind.places.back().first != where)
            kind.places.push_back({where, {}});
        if (const std::string variable = text_at(element(container, notice.path, "env"), {"name"});
            !variable.empty())
            kind.places.back().second.push_back(variable);
    }
}

std::vector<std::string> NoticeList::lines() const {
    constexpr std::size_t most_places = 20;
    std::vector<std::string> lines;
    for (const Kind& kind : kinds_) {
        std::string line = kind.first.path + ": " + kind.first.what + " (";
        if (kind.count > 1) line += std::to_string(kind.count) + " times: ";
        std::size_t count = 0;
        for (const auto& [where, variables] : kind.places) {
            if (count != 0) line += ", ";
            if (count++ == most_places) {
                line += "...";
                break;
            }
            line += where;
            for (const std::string& variable : variables) line += " $" + variable;
        }
        lines.push_back(line + ")");
    }
    return lines;
}

} // namespace supervisor
