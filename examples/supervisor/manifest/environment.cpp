#include "manifest/environment.hpp"

#include <algorithm>

#include <probekit/kubernetes/variables.hpp>

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
    return probekit::kubernetes::expand_variables(
        text, [this](std::string_view name) { return find(name); });
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
