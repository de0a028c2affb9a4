#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace supervisor {

/// The variables of a container, in the order in which they were first set.
class Environment {
public:
    /// Sets a variable or replaces its value.
    void set(std::string_view name, std::string value);

    /// Replaces $(NAME) by the value of the variable: see probekit::kubernetes::expand_variables().
    [[nodiscard]] std::string expand(std::string_view text) const;

    [[nodiscard]] std::vector<std::string> expand(std::vector<std::string> texts) const;

    /// "NAME=value" for each variable.
    [[nodiscard]] std::vector<std::string> entries() const;

private:
    [[nodiscard]] const std::string* find(std::string_view name) const;

    std::vector<std::pair<std::string, std::string>> variables_;
};

} // namespace supervisor
