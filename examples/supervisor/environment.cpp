#include "environment.hpp"

#include <algorithm>
#include <cstddef>

namespace supervisor {

const std::string* Environment::find(std::string_view name) const {
    const auto is_it = [name](const auto& variable) { return variable.first == name; };
    const auto found = std::ranges::find_if(variables_, is_it);
    return found == variables_.end() ? nullptr : &found->second;
}

void Environment::set(std::string_view name, std::string value) {
    for (auto& [other, old] : variables_) {
        if (other != name) continue;
        old = std::move(value);
        return;
    }
    variables_.emplace_back(name, std::move(value));
}

std::string Environment::expand(std::string_view text) const {
    std::string result;
    while (!text.empty()) {
        const std::size_t dollar = text.find('$');
        result += text.substr(0, dollar);
        if (dollar == std::string_view::npos) break;
        text.remove_prefix(dollar);
        const std::size_t close = text.starts_with("$(") ? text.find(')') : std::string_view::npos;
        std::size_t length = 1;
        if (text.starts_with("$$")) {
            result += '$';
            length = 2;
        } else if (close != std::string_view::npos) {
            length = close + 1;
            const std::string* value = find(text.substr(2, close - 2));
            result += value == nullptr ? text.substr(0, length) : std::string_view{*value};
        } else {
            result += '$';
        }
        text.remove_prefix(length);
    }
    return result;
}

std::vector<std::string> Environment::expand(std::vector<std::string> texts) const {
    for (std::string& text : texts) text = expand(text);
    return texts;
}

std::vector<std::string> Environment::entries() const {
    std::vector<std::string> result;
    for (const auto& [name, value] : variables_) result.push_back(name + "=" + value);
    return result;
}

} // namespace supervisor
