// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <probekit/config.hpp>
#include <probekit/core/error.hpp>
#include <probekit/kubernetes/field_errors.hpp>

namespace probekit::inline PROBEKIT_ABI::kubernetes {

/// Whether a JSON value has more than `levels` levels. Recursion must not walk a value that is too
/// deep.
template <class Json>
[[nodiscard]] bool is_deeper_than(const Json& value, int levels) {
    if (!value.is_structured()) return false;
    return levels == 0 || std::any_of(value.begin(), value.end(), [levels](const Json& part) {
               return is_deeper_than(part, levels - 1);
           });
}

/// A JSON value for messages: strings as Go quotes them, other values as compact JSON, cut after
/// 200 bytes.
template <class Json>
[[nodiscard]] std::string shown(const Json& value) {
    constexpr std::size_t limit = 200;
    constexpr int most_levels = 20;
    if (is_deeper_than(value, most_levels)) return value.is_object() ? "{...}" : "[...]";
    std::string text = value.is_string()
                           ? go_quoted(value.template get_ref<const typename Json::string_t&>())
                           : value.dump(-1, ' ', false, Json::error_handler_t::replace);
    if (text.size() > limit) text.replace(limit, std::string::npos, "...");
    return text;
}

/// The value of a JSON number as an `Integer`. Nothing if the JSON value is no integer or does not
/// fit.
template <class Integer, class Json>
[[nodiscard]] std::optional<Integer> as_integer(const Json& value) {
    const auto narrowed = [](auto wide) {
        return std::in_range<Integer>(wide) ? std::optional{static_cast<Integer>(wide)}
                                            : std::nullopt;
    };
    if (value.is_number_unsigned()) return narrowed(value.template get<std::uint64_t>());
    if (value.is_number_integer()) return narrowed(value.template get<std::int64_t>());
    return std::nullopt;
}

/// Reads the fields of one JSON object, each with the type that it must have, and reports mistakes.
/// \code
/// // given: const nlohmann::json& port
/// ConfigErrors errors;
/// kubernetes::FieldReader fields{port, "spec.ports[0]", errors};
/// const std::string name = fields.text("name").value_or("");
/// const std::int32_t number = fields.int32("containerPort").value_or(0);
/// for (const std::string& unknown : fields.others()) std::cerr << fields.path(unknown) << '\n';
/// \endcode
///
/// As in Kubernetes, null counts as not given. The reader remembers which fields were read, so that
/// others() can name the rest. It refers to the object and to the list of errors, which must
/// outlive it.
template <class Json>
class FieldReader {
public:
    /// `path`: that of the object. A value that is not an object is reported and has no fields.
    FieldReader(const Json& value, std::string path, ConfigErrors& errors)
        : path_(std::move(path)), errors_(errors) {
        if (value.is_object())
            object_ = &value;
        else if (!value.is_null())
            errors_.push_back(invalid(path_, shown(value), "must be an object"));
    }

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] std::string path(std::string_view name) const {
        return std::string{path_}.append(".").append(name);
    }
    [[nodiscard]] ConfigErrors& errors() const noexcept { return errors_; }

    /// The field, or nullptr if it is not given.
    [[nodiscard]] const Json* find(std::string_view name) {
        read_.emplace_back(name);
        if (object_ == nullptr) return nullptr;
        const auto found = object_->find(read_.back());
        return found == object_->end() || found->is_null() ? nullptr : &*found;
    }

    [[nodiscard]] std::optional<std::string> text(std::string_view name) {
        const Json* value = typed(name, &Json::is_string, "must be a string");
        return value == nullptr ? std::nullopt : std::optional{value->template get<std::string>()};
    }

    [[nodiscard]] std::optional<bool> boolean(std::string_view name) {
        const Json* value = typed(name, &Json::is_boolean, "must be a boolean");
        return value == nullptr ? std::nullopt : std::optional{value->template get<bool>()};
    }

    [[nodiscard]] const Json* object(std::string_view name) {
        return typed(name, &Json::is_object, "must be an object");
    }

    [[nodiscard]] const Json* array(std::string_view name) {
        return typed(name, &Json::is_array, "must be an array");
    }

    /// An int32 of Kubernetes. As for the API server, a number with a fraction or an exponent is
    /// not an integer.
    [[nodiscard]] std::optional<std::int32_t> int32(std::string_view name) {
        return integer<std::int32_t>(name, "32");
    }
    [[nodiscard]] std::optional<std::int64_t> int64(std::string_view name) {
        return integer<std::int64_t>(name, "64");
    }

    /// An array of strings, empty if not given. As for the API server, a null in it is the empty
    /// string.
    [[nodiscard]] std::vector<std::string> texts(std::string_view name) {
        std::vector<std::string> result;
        const Json* values = array(name);
        if (values == nullptr) return result;
        for (const Json& value : *values) {
            if (!value.is_string() && !value.is_null()) {
                const std::string index = "[" + std::to_string(result.size()) + "]";
                errors_.push_back(invalid(path(name) + index, shown(value), "must be a string"));
            }
            result.push_back(value.is_string() ? value.template get<std::string>() : std::string{});
        }
        return result;
    }

    /// The names of the fields that are given (not null) and were never read, in the object's
    /// order.
    [[nodiscard]] std::vector<std::string> others() const {
        std::vector<std::string> names;
        for_each_other([&](const std::string& name, const Json&) { names.push_back(name); });
        return names;
    }

    /// Calls `visit(name, value)` for each of the others(). To find them by their names would take
    /// time in proportion to the square of their number in an nlohmann::ordered_json.
    template <class Visit>
    void for_each_other(Visit visit) const {
        if (object_ == nullptr) return;
        for (const auto& [name, value] : object_->items())
            if (!value.is_null() && std::ranges::find(read_, name) == read_.end())
                visit(name, value);
    }

private:
    [[nodiscard]] const Json* typed(std::string_view name, bool (Json::*is)() const noexcept,
                                    std::string_view detail) {
        const Json* value = find(name);
        if (value == nullptr || (value->*is)()) return value;
        errors_.push_back(invalid(path(name), shown(*value), detail));
        return nullptr;
    }

    template <class Integer>
    [[nodiscard]] std::optional<Integer> integer(std::string_view name, std::string_view bits) {
        const Json* value = find(name);
        if (value == nullptr) return std::nullopt;
        const std::optional<Integer> number = as_integer<Integer>(*value);
        if (!number) {
            const std::string detail =
                value->is_number_integer()
                    ? std::string{"must fit in "}.append(bits).append(" bits")
                    : std::string{"must be an integer"};
            errors_.push_back(invalid(path(name), shown(*value), detail));
        }
        return number;
    }

    std::string path_;
    ConfigErrors& errors_;
    const Json* object_ = nullptr;
    std::vector<std::string> read_;
};

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
