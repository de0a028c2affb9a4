#include "manifest/tree_builder.hpp"

#include <utility>

#include <probekit/core/go_text.hpp>

namespace supervisor {
namespace {

// Deeper nesting is an error, so that no recursion over a document exhausts the stack.
constexpr std::size_t max_depth = 100;
constexpr std::size_t max_values = 1'000'000;
constexpr std::size_t max_documents = 10'000;

} // namespace

void TreeBuilder::open(Json empty, std::size_t line) {
    check_depth(1, line);
    open_.push_back({.value = std::move(empty), .line = line});
}

void TreeBuilder::check_depth(std::size_t more, std::size_t line) const {
    if (open_.size() + more > max_depth) throw DocumentError{line, "nested too deeply"};
}

Document TreeBuilder::close() {
    Document closed{std::move(open_.back().value), open_.back().line};
    open_.pop_back();
    return closed;
}

bool TreeBuilder::expects_key() const noexcept {
    return !open_.empty() && open_.back().value.is_object() && !open_.back().has_key;
}

void TreeBuilder::key(std::string name, std::size_t line) {
    Level& level = open_.back();
    if (const auto before = level.keys.find(name);
        before != level.keys.end() && !before->second.merged)
        documents_.duplicates.push_back("line " + std::to_string(line) + ": key " +
                                        probekit::go_quoted(name) + " already set in map");
    level.key = std::move(name);
    level.has_key = true;
}

void TreeBuilder::merge_key() noexcept { open_.back().has_key = open_.back().merges = true; }

void TreeBuilder::put(Json value, std::size_t line) {
    if (++values_ > max_values)
        throw DocumentError{line, "more than " + std::to_string(max_values) + " values"};
    if (open_.empty()) {
        if (value.is_null()) return;
        if (documents_.all.size() == max_documents)
            throw DocumentError{line, "more than " + std::to_string(max_documents) + " documents"};
        documents_.all.push_back({std::move(value), line});
        return;
    }
    Level& level = open_.back();
    if (level.value.is_array()) {
        level.value.push_back(std::move(value));
        return;
    }
    level.has_key = false;
    if (std::exchange(level.merges, false))
        merge(level, std::move(value), line);
    else
        set(level, level.key, std::move(value), false);
}

/// Json's own way to set a field searches them all for its name.
void TreeBuilder::set(Level& level, const std::string& name, Json value, bool merged) {
    auto& fields = level.value.get_ref<Json::object_t&>();
    const auto [entry, is_new] =
        level.keys.try_emplace(name, Key{.index = fields.size(), .merged = merged});
    if (is_new)
        fields.emplace_back(name, std::move(value));
    else
        fields.data()[entry->second.index].second = std::move(value);
    entry->second.merged = entry->second.merged && merged;
}

void TreeBuilder::merge(Level& level, Json source, std::size_t line) {
    const bool several = source.is_array();
    Json one = Json::array();
    if (!several) one.push_back(std::move(source));
    Json& all = several ? source : one;
    for (auto map = all.rbegin(); map != all.rend(); ++map) {
        if (!map->is_object())
            throw DocumentError{line, "map merge requires map or sequence of maps as the value"};
        for (auto& [name, value] : map->get_ref<Json::object_t&>())
            set(level, name, std::move(value), true);
    }
}

} // namespace supervisor
