#include "manifest/config_sources.hpp"

#include <optional>
#include <utility>

#include <probekit/kubernetes/field_errors.hpp>

#include "manifest/base64.hpp"
#include "manifest/fields.hpp"

namespace supervisor {
namespace {

std::string key_of(const std::string& kind, const std::string& name_space,
                   const std::string& name) {
    return kind + "/" + name_space + "/" + name;
}

/// Adds the texts of an object field; `decoded`: they are written in base64.
void add_texts(Fields& object, std::string_view field, bool decoded,
               ConfigSources::Values& values) {
    const Json* const texts = object.object(field);
    if (texts == nullptr) return;
    for (const auto& [name, value] : texts->get_ref<const Json::object_t&>()) {
        std::optional<std::string> text;
        if (value.is_string()) text = value.get<std::string>();
        if (text && decoded) text = from_base64(*text);
        if (text)
            values.insert_or_assign(name, *std::move(text));
        else if (!value.is_null())
            object.errors().push_back(probekit::kubernetes::invalid(
                std::string{field} + "." + name, probekit::kubernetes::shown(value),
                value.is_string() ? "illegal base64 data" : "must be a string"));
    }
}

} // namespace

void ConfigSources::add(const Json& object, probekit::ConfigErrors& errors) {
    Fields fields{object, "", errors};
    static const Json nothing = Json::object();
    const Json* const given = fields.object("metadata");
    Fields metadata{given == nullptr ? nothing : *given, "metadata", errors};
    const std::string name = metadata.text("name").value_or("");
    if (name.empty())
        errors.push_back(
            probekit::kubernetes::required("metadata.name", "name or generateName is required"));
    const std::string name_space = metadata.text("namespace").value_or("default");
    const std::string kind = object.at("kind").get<std::string>();
    Values values;
    add_texts(fields, "data", kind == "Secret", values);
    if (kind == "Secret") add_texts(fields, "stringData", false, values);
    all_.insert_or_assign(key_of(kind, name_space, name), std::move(values));
}

const ConfigSources::Values* ConfigSources::find(const std::string& kind,
                                                 const std::string& name_space,
                                                 const std::string& name) const {
    const auto found = all_.find(key_of(kind, name_space, name));
    return found == all_.end() ? nullptr : &found->second;
}

} // namespace supervisor
