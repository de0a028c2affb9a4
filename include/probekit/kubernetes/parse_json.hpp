// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include <probekit/config.hpp>
#include <probekit/core/error.hpp>
#include <probekit/kubernetes/detail/json_text.hpp>

namespace probekit::inline PROBEKIT_ABI::kubernetes {

/// Parses JSON text that a user wrote. Reports what the JSON value cannot show: names that are
/// given twice in one object ("duplicate field"; the last value counts). Returns nothing for text
/// that is not JSON ("is not valid JSON: parse error at line 1, column 5: ...") or that has more
/// than 64 levels. Never throws for what the text says.
///
/// `field`: the path of the whole value, with which the field of each error begins. `Json`:
/// nlohmann::json or nlohmann::ordered_json.
/// \code
/// // given: const std::string& text
/// ConfigErrors errors;
/// const auto pod = kubernetes::parse_json<nlohmann::ordered_json>(text, "", errors);
/// for (const ConfigError& error : errors) std::cerr << error.message() << '\n';
/// if (pod) std::cout << pod->size() << " fields\n";
/// \endcode
template <class Json = nlohmann::json>
[[nodiscard]] std::optional<Json> parse_json(std::string_view text, std::string field,
                                             ConfigErrors& errors) {
    detail::JsonText<Json> reader{std::move(field), errors};
    if (!reader.parse(text)) return std::nullopt;
    return std::move(reader).value();
}

} // namespace probekit::inline PROBEKIT_ABI::kubernetes
