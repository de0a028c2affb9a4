// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include <probekit/config.hpp>
#include <probekit/core/http_expectation.hpp>
#include <probekit/http/expectation.hpp>
#include <probekit/kubernetes/detail/json_text.hpp>
#include <probekit/kubernetes/field_reader.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

class JsonMatcher final : public http::Matcher {
public:
    JsonMatcher(nlohmann::json::json_pointer pointer, nlohmann::json value)
        : pointer_(std::move(pointer)), value_(std::move(value)) {}

    [[nodiscard]] bool matches(std::string_view text) const override {
        const nlohmann::json document = parse(text);
        return document.contains(pointer_) && document[pointer_] == value_;
    }

    [[nodiscard]] bool matches_within(std::string_view text, std::size_t& steps) const override {
        constexpr std::size_t steps_per_byte = 24;
        return spend(steps, steps_per_byte * text.size()) && matches(text);
    }

    [[nodiscard]] std::string found_in(std::string_view text) const override {
        const nlohmann::json document = parse(text);
        if (document.is_discarded()) return {}; // the text itself says most
        return document.contains(pointer_) ? kubernetes::shown(document[pointer_])
                                           : "no such value";
    }

    /// Returns null for a text that is no JSON pointer (RFC 6901).
    [[nodiscard]] static std::shared_ptr<const JsonMatcher> make(const std::string& pointer,
                                                                 nlohmann::json value) {
        if (!is_pointer(pointer)) return nullptr;
        return std::make_shared<const JsonMatcher>(nlohmann::json::json_pointer{pointer},
                                                   std::move(value));
    }

private:
    /// Discarded if the text is no JSON, or has more levels than anybody reads: they would take a
    /// hundred times the text's memory.
    [[nodiscard]] static nlohmann::json parse(std::string_view text) {
        if (is_too_deep(text)) return nlohmann::json(nlohmann::json::value_t::discarded);
        return nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
    }

    /// A callback of the parser could tell, but with one nlohmann/json is quadratic in the text.
    [[nodiscard]] static bool is_too_deep(std::string_view text) noexcept {
        int depth = 0;
        bool in_string = false;
        for (std::size_t i = 0; i < text.size(); ++i) {
            const char byte = text[i];
            if (byte == '"') in_string = !in_string;
            if (in_string)
                i += byte == '\\' ? 1 : 0; // what is escaped ends no string
            else if (byte == '[' || byte == '{')
                ++depth;
            else if (byte == ']' || byte == '}')
                --depth;
            if (depth > max_json_depth) return true;
        }
        return false;
    }

    [[nodiscard]] static bool is_pointer(std::string_view text) noexcept {
        for (std::size_t at = 0; (at = text.find('~', at)) != std::string_view::npos; ++at) {
            const char escaped = at + 1 < text.size() ? text[at + 1] : '\0';
            if (escaped != '0' && escaped != '1') return false;
        }
        return text.empty() || text.front() == '/';
    }

    nlohmann::json::json_pointer pointer_;
    nlohmann::json value_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail

namespace probekit::inline PROBEKIT_ABI::kubernetes {

/// Expects that the body is JSON and has this value at the JSON pointer; "" points to the whole
/// document. A text that is no JSON pointer makes a match that is not valid.
/// \code
/// const http::Expectation up =
///     http::body(http::whole_body).satisfies(kubernetes::json_at("/status", "UP"));
/// \endcode
[[nodiscard]] inline http::TextMatch json_at(std::string pointer, nlohmann::json value) {
    http::TextMatch match{.kind = http::TextMatch::Kind::json, .text = std::move(pointer)};
    match.value = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    match.matcher = detail::JsonMatcher::make(match.text, std::move(value));
    return match;
}

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
