#include "manifest/validation.hpp"

#include <algorithm>
#include <cstddef>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <probekit/kubernetes/field_errors.hpp>
#include <probekit/kubernetes/field_reader.hpp>

namespace supervisor {
namespace {

using probekit::ConfigErrors;
using probekit::go_quoted;
using probekit::kubernetes::invalid;

constexpr std::string_view label_rule =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
    "must start and end with "
    "an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
constexpr std::string_view subdomain_rule =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
constexpr std::string_view qualified_name_rule =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
constexpr std::string_view label_value_rule =
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
constexpr std::string_view env_name_rule = "a valid environment variable name must consist only of "
                                           "printable ASCII characters other than '='";

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_alphanumeric(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

/// Whether the first and the last character satisfy `edge`, and the others satisfy `edge` or are
/// one of `inside`.
bool has_form(std::string_view text, bool (*edge)(char), std::string_view inside) {
    const auto inner = [&](char c) { return edge(c) || inside.find(c) != std::string_view::npos; };
    return !text.empty() && edge(text.front()) && edge(text.back()) &&
           std::ranges::all_of(text, inner);
}

bool is_subdomain(std::string_view text) {
    while (true) {
        const std::size_t dot = text.find('.');
        if (!has_form(text.substr(0, dot), is_lower_or_digit, "-")) return false;
        if (dot == std::string_view::npos) return true;
        text.remove_prefix(dot + 1);
    }
}

std::string at_most(std::size_t characters) {
    return "must be no more than " + std::to_string(characters) + " characters";
}

/// The key of a label or annotation: a name, perhaps after a DNS subdomain and a slash.
void validate_qualified_name(std::string_view key, const std::string& field, ConfigErrors& errors) {
    const auto refuse = [&](const std::string& detail) {
        errors.push_back(invalid(field, go_quoted(key), detail));
    };
    const std::size_t slash = key.find('/');
    std::string_view name = key;
    if (slash != std::string_view::npos) {
        const std::string_view prefix = key.substr(0, slash);
        name = key.substr(slash + 1);
        if (name.find('/') != std::string_view::npos) {
            refuse("a qualified name " + std::string{qualified_name_rule} +
                   " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')");
            return;
        }
        if (prefix.empty()) {
            refuse("prefix part must be non-empty");
        } else {
            if (prefix.size() > 253) refuse("prefix part " + at_most(253));
            if (!is_subdomain(prefix)) refuse("prefix part " + std::string{subdomain_rule});
        }
    }
    if (name.empty()) refuse("name part must be non-empty");
    if (name.size() > 63) refuse("name part " + at_most(63));
    if (!has_form(name, is_alphanumeric, "-_."))
        refuse("name part " + std::string{qualified_name_rule});
}

bool require_text(const nlohmann::ordered_json& value, const std::string& field,
                  std::string_view key, ConfigErrors& errors) {
    // As for the API server, null is the empty string.
    if (value.is_string() || value.is_null()) return true;
    const std::string at = std::string{field}.append("[").append(key).append("]");
    errors.push_back(invalid(at, probekit::kubernetes::shown(value), "must be a string"));
    return false;
}

} // namespace

void validate_dns_label(std::string_view name, const std::string& field, ConfigErrors& errors) {
    if (name.size() > 63) errors.push_back(invalid(field, go_quoted(name), at_most(63)));
    if (!has_form(name, is_lower_or_digit, "-"))
        errors.push_back(invalid(field, go_quoted(name), label_rule));
}

void validate_dns_subdomain(std::string_view name, const std::string& field, ConfigErrors& errors) {
    if (name.size() > 253) errors.push_back(invalid(field, go_quoted(name), at_most(253)));
    if (!is_subdomain(name)) errors.push_back(invalid(field, go_quoted(name), subdomain_rule));
}

void validate_labels(const nlohmann::ordered_json& labels, const std::string& field,
                     ConfigErrors& errors) {
    for (const auto& [key, value] : labels.items()) {
        validate_qualified_name(key, field, errors);
        if (!require_text(value, field, key, errors) || value.is_null()) continue;
        const auto& text = value.get_ref<const std::string&>();
        if (text.size() > 63) errors.push_back(invalid(field, go_quoted(text), at_most(63)));
        if (!text.empty() && !has_form(text, is_alphanumeric, "-_."))
            errors.push_back(invalid(field, go_quoted(text), label_value_rule));
    }
}

void validate_annotations(const nlohmann::ordered_json& annotations, const std::string& field,
                          ConfigErrors& errors) {
    for (const auto& [key, value] : annotations.items()) {
        // The API server accepts capital letters before the slash here.
        std::string lower = key;
        std::ranges::transform(lower, lower.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        validate_qualified_name(lower, field, errors);
        require_text(value, field, key, errors);
    }
}

void validate_env_name(std::string_view name, const std::string& field, ConfigErrors& errors) {
    const auto is_allowed = [](char c) { return c >= ' ' && c <= '~' && c != '='; };
    if (!std::ranges::all_of(name, is_allowed))
        errors.push_back(invalid(field, go_quoted(name), env_name_rule));
}

void validate_no_nul(std::string_view text, const std::string& field, ConfigErrors& errors) {
    if (text.find('\0') == std::string_view::npos) return;
    errors.push_back(probekit::kubernetes::forbidden(field, "must not contain NUL"));
}

void validate_loopback(const std::string& address, const std::string& field, ConfigErrors& errors) {
    in_addr v4{};
    in6_addr v6{};
    const bool is_v4 =
        inet_pton(AF_INET, address.c_str(), &v4) == 1 && ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    const bool is_v6 = inet_pton(AF_INET6, address.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    if (!is_v4 && !is_v6)
        errors.push_back(invalid(field, go_quoted(address), "must be a loopback address"));
}

} // namespace supervisor
