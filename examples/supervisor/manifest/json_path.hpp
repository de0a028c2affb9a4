// What is at the end of a path through JSON objects.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "manifest/pod_spec.hpp"

namespace supervisor {

/// Null if there is nothing at the end of the path, or if `object` is null.
[[nodiscard]] inline const Json* at(const Json* object,
                                    std::initializer_list<std::string_view> path) {
    for (const std::string_view name : path) {
        if (object == nullptr || !object->is_object()) return nullptr;
        const auto found = object->find(name);
        object = found == object->end() ? nullptr : &*found;
    }
    return object;
}

/// The text at the end of the path; empty if there is none.
[[nodiscard]] inline std::string text_at(const Json* object,
                                         std::initializer_list<std::string_view> path) {
    const Json* const found = at(object, path);
    return found != nullptr && found->is_string() ? found->get<std::string>() : std::string{};
}

} // namespace supervisor
