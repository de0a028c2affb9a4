#include "manifest/environment.hpp"

#include <probekit/kubernetes/variables.hpp>

namespace supervisor {

void Environment::set(std::string_view name, std::string value) {
    if (!budget_.take(name.size() + value.size())) value.clear();
    const auto [place, is_new] = places_.try_emplace(std::string{name}, variables_.size());
    if (is_new)
        variables_.emplace_back(name, std::move(value));
    else
        variables_[place->second].second = std::move(value);
}

std::string Environment::expand(std::string_view text) const {
    static const std::string nothing;
    return probekit::kubernetes::expand_variables(text, [this](std::string_view name) {
        const auto place = places_.find(name);
        const std::string* const value =
            place == places_.end() ? nullptr : &variables_[place->second].second;
        return value == nullptr || budget_.take(value->size()) ? value : &nothing;
    });
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
