#include "manifest/manifest.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include <probekit/core/go_text.hpp>
#include <probekit/kubernetes/field_errors.hpp>

#include "manifest/document.hpp"
#include "manifest/fields.hpp"
#include "manifest/json_path.hpp"
#include "manifest/known_fields.hpp"
#include "manifest/notice_list.hpp"
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

/// A kind whose pod is run, or one of them where it makes many.
struct Runnable {
    std::string_view kind;
    std::string_view groups;   ///< of its API, each before a space; the core group is "v1"
    std::string_view path;     ///< where the pod is in it, with a dot at the end
    std::string_view count;    ///< the field of its spec that says how many pods it makes
    std::string_view policies; ///< restart policies that it allows; empty: all
};

constexpr std::string_view apps = "apps extensions ";
constexpr std::array<Runnable, 8> runnables{{
    {"Pod", "v1 ", "", "", ""},
    {"Deployment", apps, "spec.template.", "replicas", "Always"},
    {"StatefulSet", apps, "spec.template.", "replicas", "Always"},
    {"DaemonSet", apps, "spec.template.", "", "Always"},
    {"ReplicaSet", apps, "spec.template.", "replicas", "Always"},
    {"ReplicationController", "v1 ", "spec.template.", "replicas", "Always"},
    {"Job", "batch ", "spec.template.", "parallelism", "OnFailure Never"},
    {"CronJob", "batch ", "spec.jobTemplate.spec.template.", "", "OnFailure Never"},
}};

using probekit::kubernetes::shown;

/// What is at the end of a path of fields with a dot behind each, or nullptr.
const Json* at_path(const Json& object, std::string_view path) {
    const Json* found = &object;
    for (; !path.empty(); path.remove_prefix(path.find('.') + 1))
        found = at(found, {path.substr(0, path.find('.'))});
    return found;
}

class ManifestReader {
public:
    explicit ManifestReader(const Options& options) : options_(options) {}

    [[nodiscard]] Manifests read() {
        for (const std::string& file : options_.files) {
            file_ = file == "-" ? "standard input" : file;
            try {
                Documents documents = parse_documents(read_file(file));
                for (const std::string& duplicate : documents.duplicates)
                    report(file_ + ": " + duplicate);
                for (Document& document : documents.all) collect(document.value, document.line);
            } catch (const DocumentError& error) {
                result_.errors.push_back(file_ + ": " + error.what());
            } catch (const std::system_error& error) {
                result_.errors.push_back(file_ + ": " + error.code().message());
            }
        }
        for (Found& found : found_) add_pod(found);
        for (std::string& line : notices_.lines()) result_.warnings.push_back(std::move(line));
        say_what_is_passed_over();
        if (strange_)
            result_.errors.emplace_back("--validate=warn and --validate=ignore take unknown "
                                        "fields and repeated keys");
        if (result_.errors.empty() && result_.pods.empty())
            result_.errors.emplace_back("no pods in the manifests given");
        return std::move(result_);
    }

private:
    /// An object that makes a pod.
    struct Found {
        const Runnable* what;
        Json object;
        std::string file;
        std::size_t line;
    };

    void fail(std::size_t line, const std::string& what) {
        result_.errors.push_back(file_ + ": line " + std::to_string(line) + ": " + what);
    }

    /// What kubectl refuses unless it is told not to.
    void report(std::string what) {
        if (options_.validate == Validation::strict) {
            strange_ = true;
            result_.errors.push_back(std::move(what));
        } else if (options_.validate == Validation::warn) {
            result_.warnings.push_back(std::move(what));
        }
    }

    /// Finds out what an object is and keeps it: pods can be read when all ConfigMaps are known.
    void collect(Json& object, std::size_t line) {
        const std::string kind = text_at(&object, {"kind"});
        const std::string version = text_at(&object, {"apiVersion"});
        if (kind.empty()) return fail(line, "Object 'Kind' is missing in " + shown(object));
        if (version.empty())
            return fail(line, "Object 'apiVersion' is missing in " + shown(object));
        if (kind.ends_with("List") && (version == "v1" || object.contains("items")))
            return collect_list(object, kind, version, line);
        if (version == "v1" && (kind == "ConfigMap" || kind == "Secret"))
            return add_source(object, kind, line);

        const std::string group = version.substr(0, version.find('/')) + " ";
        const auto* const what = std::ranges::find(runnables, kind, &Runnable::kind);
        const bool known = what != runnables.end();
        const bool builtin =
            version.find('/') == std::string::npos || apps.find(group) != npos || group == "batch ";
        if (known && what->groups.find(group) == npos && builtin)
            return fail(line, "no matches for kind " + probekit::go_quoted(kind) + " in version " +
                                  probekit::go_quoted(version));
        const bool runs =
            known && what->groups.find(group) != npos && (kind != "CronJob" || options_.simulate);
        if (!runs) return pass_over(kind, object);
        found_.push_back({what, std::move(object), file_, line});
    }

    void collect_list(Json& list, const std::string& kind, const std::string& version,
                      std::size_t line) {
        Json& items = list["items"];
        if (!items.is_array() && !items.is_null())
            return fail(line, "items: Invalid value: " + shown(items) + ": must be an array");
        // The items of a PodList are Pods, whether they name their kind or not.
        const std::string inner = kind.substr(0, kind.size() - std::string_view{"List"}.size());
        for (Json& item : items) {
            if (!inner.empty() && item.is_object())
                item.update({{"apiVersion", version}, {"kind", inner}});
            if (text_at(&item, {"kind"}).ends_with("List"))
                fail(line, "a List within a List: " + shown(item));
            else
                collect(item, line);
        }
    }

    void add_source(const Json& object, const std::string& kind, std::size_t line) {
        probekit::ConfigErrors errors;
        context_.config.add(object, errors);
        const std::string name =
            kind + " " + probekit::go_quoted(text_at(&object, {"metadata", "name"}));
        if (!errors.empty())
            result_.errors.push_back("The " + name + " in " + file_ + " is invalid:");
        for (const probekit::ConfigError& error : errors) result_.errors.push_back(error.message());
        for (const std::string& field : strange_fields(object, kind).unknown)
            report(file_ + ": line " + std::to_string(line) + ": " + name + ": unknown field " +
                   probekit::go_quoted(field));
    }

    void pass_over(const std::string& kind, const Json& object) {
        const auto [place, is_new] = passed_over_index_.try_emplace(kind, passed_over_.size());
        if (is_new) passed_over_.push_back({kind, {}});
        std::string name = text_at(&object, {"metadata", "name"});
        if (name.empty()) name = text_at(&object, {"metadata", "generateName"});
        passed_over_[place->second].second.push_back(probekit::go_quoted(name));
    }

    void say_what_is_passed_over() {
        constexpr std::size_t most_names = 20;
        for (const auto& [kind, names] : passed_over_) {
            std::string line = kind;
            for (std::size_t i = 0; i != std::min(names.size(), most_names); ++i)
                line += (i == 0 ? " " : ", ") + names[i];
            if (names.size() > most_names) line += ", ...";
            line += ": not run here";
            if (names.size() > 1) line += " (" + std::to_string(names.size()) + " objects)";
            result_.warnings.push_back(std::move(line));
        }
    }

    void add_pod(const Found& found) {
        file_ = found.file;
        const std::string kind{found.what->kind};
        const std::string path{found.what->path};
        const std::string name = name_of(found);
        const Json pod = pod_of(found, name);
        const std::string origin = kind + " " + probekit::go_quoted(name) + " in " + file_;
        const std::size_t errors_before = result_.errors.size();
        probekit::ConfigErrors errors;
        const std::int64_t count = count_of(found, errors);
        PodReading reading = read_pod(pod, options_, context_, path);
        errors.insert(errors.end(), reading.errors.begin(), reading.errors.end());
        check_policy(found, pod, errors);

        const StrangeFields strange = strange_fields(found.object, kind);
        const std::vector<std::string> unknown = all_unknown(strange, reading);
        const bool strict = options_.validate == Validation::strict;
        if (!errors.empty() || (strict && !unknown.empty()))
            result_.errors.push_back("The " + origin + " is invalid:");
        for (const probekit::ConfigError& error : errors) result_.errors.push_back(error.message());
        for (const std::string& field : unknown)
            report((strict ? "" : origin + ": ") + "unknown field " + probekit::go_quoted(field));
        if (count == 0)
            result_.warnings.push_back(origin + ": " + std::string{found.what->count} +
                                       " is 0: no pod is run");
        if (count == 0 || result_.errors.size() != errors_before) return;
        if (count > 1)
            result_.warnings.push_back(origin + ": " + std::string{found.what->count} + " is " +
                                       std::to_string(count) + ": one pod is run");
        take(std::move(reading), strange.own, {unknown.begin(), unknown.end()}, found, origin);
    }

    void take(PodReading reading, const std::vector<std::string>& own,
              const std::set<std::string>& unknown, const Found& found, const std::string& origin) {
        reading.pod.origin = origin;
        const auto [other, is_new] =
            origins_.try_emplace(reading.pod.name_space + "/" + reading.pod.name, origin);
        if (!is_new)
            return fail(found.line, "pods " + probekit::go_quoted(reading.pod.name) +
                                        " already exists: " + other->second + ", then " + origin);
        Notices notices;
        for (const std::string& field : own)
            if (options_.validate != Validation::ignore)
                notices.push_back({field, "our own: a cluster does not know this field"});
        for (Notice& notice : reading.notices)
            if (!unknown.contains(notice.path)) notices.push_back(std::move(notice));
        notices_.add(reading.pod, std::string{found.what->path}, notices);
        result_.pods.push_back(std::move(reading.pod));
    }

    /// The unknown fields, with those that stand in fields of our own.
    static std::vector<std::string> all_unknown(const StrangeFields& strange,
                                                const PodReading& reading) {
        std::vector<std::string> all = strange.unknown;
        const std::set<std::string_view> own{strange.own.begin(), strange.own.end()};
        for (const Notice& notice : reading.notices) {
            const std::string_view path = notice.path;
            std::size_t end = path.find_first_of(".[");
            while (end != npos && !own.contains(path.substr(0, end)))
                end = path.find_first_of(".[", end + 1);
            if (end != npos) all.push_back(notice.path);
        }
        return all;
    }

    /// The Pod object that an object of this name makes.
    static Json pod_of(const Found& found, const std::string& name) {
        const Json* const inner = at_path(found.object, found.what->path);
        Json pod = inner != nullptr && inner->is_object() ? *inner : Json::object();
        if (!found.what->path.empty()) pod.update({{"apiVersion", "v1"}, {"kind", "Pod"}});
        Json& metadata = pod["metadata"];
        if (metadata.is_null()) metadata = Json::object();
        if (!metadata.is_object()) return pod;
        const Json* const owner = at(&found.object, {"metadata"});
        for (const char* field : {"name", "namespace"})
            if (owner != nullptr && owner->is_object() && owner->contains(field))
                metadata[field] = (*owner)[field];
        if (!name.empty())
            metadata["name"] = found.what->kind == "StatefulSet" ? name + "-0" : name;
        return pod;
    }

    /// Its name, or one made from its generateName: the same in each run.
    [[nodiscard]] static std::string name_of(const Found& found) {
        constexpr std::string_view characters = "bcdfghjklmnpqrstvwxz2456789"; // as in Kubernetes
        constexpr auto count = static_cast<std::uint32_t>(characters.size());
        constexpr std::size_t longest = 58;
        const std::string name = text_at(&found.object, {"metadata", "name"});
        const std::string prefix = text_at(&found.object, {"metadata", "generateName"});
        if (!name.empty() || prefix.empty()) return name;
        std::uint32_t hash = 2166136261; // FNV-1a
        for (const char c : found.file + ":" + std::to_string(found.line))
            hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
        std::string made = prefix.substr(0, longest);
        for (int i = 0; i != 5; ++i, hash /= count) made += characters[hash % count];
        return made;
    }

    /// How many pods the object makes.
    static std::int64_t count_of(const Found& found, probekit::ConfigErrors& errors) {
        const Json* const json = at(&found.object, {"spec"});
        if (found.what->count.empty() || json == nullptr || !json->is_object()) return 1;
        Fields spec{*json, "spec", errors};
        const std::int64_t count = spec.int32(found.what->count).value_or(1);
        if (count < 0)
            errors.push_back(probekit::kubernetes::invalid(spec.path(found.what->count), count,
                                                           "must be greater than or equal to 0"));
        const bool suspended = found.what->kind == "Job" && spec.boolean("suspend").value_or(false);
        return suspended ? 0 : count;
    }

    static void check_policy(const Found& found, const Json& pod, probekit::ConfigErrors& errors) {
        if (found.what->policies.empty()) return;
        std::string policy = text_at(&pod, {"spec", "restartPolicy"});
        if (policy.empty()) policy = "Always";
        if (found.what->policies.find(policy) != npos) return;
        const bool always = found.what->policies == "Always";
        const std::string path = std::string{found.what->path} + "spec.restartPolicy";
        errors.push_back(
            always ? probekit::kubernetes::not_supported(path, policy, {"Always"})
                   : probekit::kubernetes::not_supported(path, policy, {"OnFailure", "Never"}));
    }

    using PassedOver = std::pair<std::string, std::vector<std::string>>;
    static constexpr std::size_t npos = std::string_view::npos;

    const Options& options_;
    std::string file_;
    Manifests result_;
    PodContext context_ = {};
    std::vector<Found> found_ = {};
    std::vector<PassedOver> passed_over_ = {}; // by kind the names, in their order
    std::map<std::string, std::size_t> passed_over_index_ = {};
    std::map<std::string, std::string> origins_ = {}; // by namespace and name of a pod
    NoticeList notices_ = {};
    bool strange_ = false; // something is refused that kubectl takes when it is told to
};

} // namespace

Manifests read_manifests(const Options& options) { return ManifestReader{options}.read(); }

} // namespace supervisor
