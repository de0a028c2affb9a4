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

/// A container's environment variables, as far as a manifest says their values.
using Variables = std::map<std::string, std::string, std::less<>>;

/// The text with $(NAME) replaced by values, as Kubernetes does with a container's command and the
/// kubelet with that of an exec probe. What is not set stays as written, and so does `$NAME`; `$$`
/// is a single `$`, so that $$(NAME) is never replaced.
///
/// `find`: gives a pointer to the value of a name, null if it is not set.
template <std::invocable<std::string_view> Find>
[[nodiscard]] std::string expand_variables(std::string_view text, Find find) {
    std::string result;
    for (std::size_t dollar = 0; (dollar = text.find('$')) != std::string_view::npos;) {
        result.append(text.substr(0, dollar));
        text.remove_prefix(dollar);
        const std::size_t close = text.starts_with("$(") ? text.find(')') : std::string_view::npos;
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
