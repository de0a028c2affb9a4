// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <probekit/config.hpp>
#include <probekit/core/error.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Deeper values are not accepted, because others walk JSON values by recursion.
inline constexpr int max_json_depth = 64;

/// Builds a JSON value from text and reports what the value cannot show: see parse_json().
template <class Json>
class JsonText final : public nlohmann::json_sax<Json> {
public:
    /// `field`: the path of the whole value.
    JsonText(std::string field, ConfigErrors& errors) : errors_(errors) {
        path_.push_back(std::move(field));
    }

    /// Returns false if there is no value; an error then says why.
    [[nodiscard]] bool parse(std::string_view text) {
        return Json::sax_parse(text.begin(), text.end(), this);
    }

    [[nodiscard]] Json value() && { return std::move(root_); }

    bool null() override { return add(nullptr); }
    bool boolean(bool value) override { return add(value); }
    bool number_integer(typename Json::number_integer_t value) override { return add(value); }
    bool number_unsigned(typename Json::number_unsigned_t value) override { return add(value); }
    bool number_float(typename Json::number_float_t value, const std::string&) override {
        return add(value);
    }
    bool string(std::string& value) override { return add(std::move(value)); }
    bool binary(typename Json::binary_t& value) override {
        return add(std::move(value));
    } // JSON has none

    bool start_object(std::size_t) override { return open(Json::object()); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_object() override { return close(); }
    bool end_array() override { return close(); }

    bool key(std::string& name) override {
        path_.back() = "." + name;
        const auto [entry, is_new] =
            names_.back().try_emplace(std::move(name), open_.back()->size());
        if (!is_new) errors_.push_back({path(), "duplicate field"});
        key_ = &*entry;
        return true;
    }

    bool parse_error(std::size_t, const std::string&,
                     const typename Json::exception& error) override {
        constexpr std::size_t longest = 300; // the token that is wrong may be of any length
        std::string_view what = error.what();
        what.remove_prefix(
            std::min(what.find("] ") + 2, what.size())); // "[json.exception.parse_error.101] "
        errors_.push_back(
            {path_.front(), "is not valid JSON: " + std::string{what.substr(0, longest)}});
        return false;
    }

private:
    [[nodiscard]] std::string path() const {
        std::string path;
        for (const std::string& part : path_) path += part;
        return path;
    }

    /// Makes the place for the next value. Its name or index becomes the last part of path_.
    Json& place() {
        if (open_.empty()) return root_;
        Json& parent = *open_.back();
        if (parent.is_object()) return field(parent);
        path_.back() = "[" + std::to_string(parent.size()) + "]";
        return parent.emplace_back();
    }

    /// An ordered object would search all its fields for a name.
    Json& field(Json& object) {
        auto& fields = object.template get_ref<typename Json::object_t&>();
        if constexpr (requires { fields.data(); }) {
            const auto& [name, index] = *key_;
            if (index == fields.size()) fields.emplace_back(name, nullptr);
            return fields.data()[index].second;
        } else {
            return fields[key_->first];
        }
    }

    template <class Value>
    bool add(Value&& value) {
        place() = std::forward<Value>(value);
        return true;
    }

    bool open(Json empty) {
        Json& opened = place();
        if (open_.size() == std::size_t{max_json_depth}) {
            errors_.push_back({path(), "is nested too deeply"});
            return false;
        }
        opened = std::move(empty);
        open_.push_back(&opened);
        path_.emplace_back();
        names_.emplace_back();
        return true;
    }

    bool close() {
        open_.pop_back();
        path_.pop_back();
        names_.pop_back();
        return true;
    }

    Json root_;
    std::vector<Json*> open_ = {}; ///< objects and arrays that go on, from the outermost
    std::vector<std::string> path_ =
        {}; ///< the field, then ".name" or "[index]" of what is being read, level by level
    /// The names of each object that goes on, and which of its fields they are. An array has none.
    std::vector<std::map<std::string, std::size_t>> names_ = {};
    const std::pair<const std::string, std::size_t>* key_ = nullptr; ///< of the next value
    ConfigErrors& errors_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
