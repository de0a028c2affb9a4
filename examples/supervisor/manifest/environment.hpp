#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace supervisor {

/// How many bytes the variables of all pods may still take, and steps the search for their values:
/// references can make a short text extremely long.
struct ExpansionBudget {
    /// For a variable beside its bytes, where a few bytes of text ask for many: about what it takes
    /// to keep it.
    static constexpr std::size_t each = 256;
    /// For a look at one of many names.
    static constexpr std::size_t look = 8;

    std::size_t left = std::size_t{64} * 1024 * 1024;

    /// False, and nothing is left, if fewer bytes than that are left.
    bool take(std::size_t bytes) noexcept {
        const bool enough = bytes <= left;
        left = enough ? left - bytes : 0;
        return enough;
    }
};

/// The variables of a container, in the order in which they were first set.
class Environment {
public:
    explicit Environment(ExpansionBudget& budget) noexcept : budget_(budget) {}

    /// Sets a variable or replaces its value.
    void set(std::string_view name, std::string value);

    /// Replaces $(NAME) by the value of the variable: see probekit::kubernetes::expand_variables().
    /// Once the budget is used up, by nothing.
    [[nodiscard]] std::string expand(std::string_view text) const;

    [[nodiscard]] std::vector<std::string> expand(std::vector<std::string> texts) const;

    /// "NAME=value" for each variable.
    [[nodiscard]] std::vector<std::string> entries() const;

private:
    ExpansionBudget& budget_;
    std::vector<std::pair<std::string, std::string>> variables_ = {};
    std::map<std::string, std::size_t, std::less<>> places_ = {};
};

} // namespace supervisor
