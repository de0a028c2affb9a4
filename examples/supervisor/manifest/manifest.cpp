#include "manifest/manifest.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <memory>
#include <system_error>
#include <utility>

#include "manifest/document.hpp"
#include "manifest/fields.hpp"
#include "manifest/pod_reader.hpp"

namespace supervisor {
namespace {

constexpr std::size_t max_file_size = 16 * 1024 * 1024;

/// The whole file, "-" being standard input. Throws std::system_error.
std::string read_file(const std::string& name) {
    const auto close = [](std::FILE* file) { return file == stdin ? 0 : std::fclose(file); };
    const std::unique_ptr<std::FILE, decltype(close)> file{
        name == "-" ? stdin : std::fopen(name.c_str(), "re"), close};
    const auto fail = [](int code) { throw std::system_error{code, std::generic_category()}; };
    if (!file) fail(errno);
    std::string text;
    char buffer[16384];
    while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) {
        if (text.size() + count > max_file_size) fail(EFBIG);
        text.append(buffer, count);
    }
    if (std::ferror(file.get())) fail(errno);
    return text;
}

class ManifestReader {
public:
    explicit ManifestReader(const Options& options) : options_(options) {}

    [[nodiscard]] Manifests read() {
        for (const std::string& file : options_.files) {
            file_ = file == "-" ? "standard input" : file;
            try {
                const Documents documents = parse_documents(read_file(file));
                for (const std::string& duplicate : documents.duplicates) fail(duplicate);
                for (const Document& document : documents.all) read_object(document.value);
            } catch (const DocumentError& error) {
                fail(error.what());
            } catch (const std::system_error& error) { fail(error.code().message()); }
        }
        if (result_.errors.empty() && result_.pods.empty())
            result_.errors.emplace_back("no pods in the manifests given");
        return std::move(result_);
    }

private:
    void fail(const std::string& what) { result_.errors.push_back(file_ + ": " + what); }

    void read_object(const Json& object) {
        const std::string kind = text(object, "kind");
        const std::string version = text(object, "apiVersion");
        if (kind.empty()) return fail("Object 'Kind' is missing in " + shown(object));
        if (version.empty()) return fail("Object 'apiVersion' is missing in " + shown(object));
        const bool is_pod = kind == "Pod";
        if (version != "v1" || (!is_pod && kind != "List" && kind != "PodList"))
            return fail("no matches for kind \"" + kind + "\" in version \"" + version +
                        "\": only Pods and Lists of them are run");
        if (is_pod) return add(read_pod(object, options_));
        const Json items = object.value("items", Json());
        if (!items.is_array() && !items.is_null())
            return fail("items: Invalid value: " + shown(items) + ": must be an array");
        for (const Json& item : items) read_list_item(item, kind == "PodList");
    }

    /// The items of a PodList are Pods, whether they name their kind or not.
    void read_list_item(const Json& item, bool is_pod) {
        Json object = item;
        if (is_pod && object.is_object()) object.update({{"apiVersion", "v1"}, {"kind", "Pod"}});
        if (text(object, "kind").ends_with("List"))
            return fail("a List within a List: " + shown(item));
        read_object(object);
    }

    void add(PodReading reading) {
        for (const PodSpec& other : result_.pods)
            if (other.name == reading.pod.name && other.name_space == reading.pod.name_space)
                return fail("pods \"" + other.name + "\" already exists");
        const std::string pod = "Pod \"" + reading.pod.name + "\" in " + file_;
        if (!reading.errors.empty()) result_.errors.push_back("The " + pod + " is invalid:");
        for (const probekit::ConfigError& error : reading.errors)
            result_.errors.push_back(error.message());
        for (const std::string& field : reading.ignored)
            warn(field + ": not honoured by this supervisor");
        result_.pods.push_back(std::move(reading.pod));
    }

    /// Warns once, however many pods have the field.
    void warn(std::string what) {
        if (std::ranges::find(result_.warnings, what) == result_.warnings.end())
            result_.warnings.push_back(std::move(what));
    }

    static std::string text(const Json& object, const char* name) {
        const Json value = object.is_object() ? object.value(name, Json()) : Json();
        return value.is_string() ? value.get<std::string>() : std::string{};
    }

    static std::string shown(const Json& value) { return probekit::kubernetes::shown(value); }

    const Options& options_;
    std::string file_;
    Manifests result_;
};

} // namespace

Manifests read_manifests(const Options& options) { return ManifestReader{options}.read(); }

} // namespace supervisor
