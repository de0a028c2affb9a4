// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::kubernetes {

/// The environment variables of a container whose values the manifest contains.
using Variables = std::map<std::string, std::string, std::less<>>;

/// Replaces $(NAME) by the value of the variable, as Kubernetes does in a container's command and
/// the kubelet in the command of an exec probe. A reference to a variable that is not set stays as
/// it is written, and so does `$NAME`. `$$` becomes `$`, so $$(NAME) is never replaced.
/// \code
/// const kubernetes::Variables variables{{"PORT", "8080"}};
/// const std::string url = kubernetes::expand_variables("http://localhost:$(PORT)", variables);
/// \endcode
///
/// `find`: returns a pointer to the value of a name, or null if the name is not set.
template <std::invocable<std::string_view> Find>
[[nodiscard]] std::string expand_variables(std::string_view text, Find find) {
    std::string result;
    bool one_closes = true; // else the rest is not searched again for each reference
    for (std::size_t dollar = 0; (dollar = text.find('$')) != std::string_view::npos;) {
        result.append(text.substr(0, dollar));
        text.remove_prefix(dollar);
        const bool begins = one_closes && text.starts_with("$(");
        const std::size_t close = begins ? text.find(')') : std::string_view::npos;
        if (begins) one_closes = close != std::string_view::npos;
        std::size_t length = text.starts_with("$$") ? 2 : 1;
        std::string_view value = text.substr(0, 1);
        if (close != std::string_view::npos) {
            length = close + 1;
            const std::string* const found = find(text.substr(2, close - 2));
            value = found == nullptr ? text.substr(0, length) : std::string_view{*found};
        }
        result.append(value);
        text.remove_prefix(length);
    }
    return result.append(text);
}

[[nodiscard]] inline std::string expand_variables(std::string_view text,
                                                  const Variables& variables) {
    return expand_variables(text, [&](std::string_view name) {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : &found->second;
    });
}

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
