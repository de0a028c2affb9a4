#include "manifest/options.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <system_error>
#include <utility>

#include <probekit/kubernetes/duration.hpp>

#include "manifest/shell_words.hpp"

namespace supervisor {
namespace {

std::string in_quotes(std::string_view text) { return std::string{"\""}.append(text).append("\""); }

/// "NAME=VALUE" at its first '='.
std::pair<std::string_view, std::optional<std::string_view>> split(std::string_view text) {
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) return {text, std::nullopt};
    return {text.substr(0, equals), text.substr(equals + 1)};
}

OutputFormat to_output_format(std::string_view text) {
    if (text == "text") return OutputFormat::text;
    if (text == "wide") return OutputFormat::wide;
    if (text == "json") return OutputFormat::json;
    throw UsageError{"--output: " + in_quotes(text) + " is none of text, wide and json"};
}

/// As kubectl reads it; it also takes true and false.
Validation to_validation(std::string_view text) {
    if (text == "strict" || text == "true") return Validation::strict;
    if (text == "warn") return Validation::warn;
    if (text == "ignore" || text == "false") return Validation::ignore;
    throw UsageError{"--validate: " + in_quotes(text) + " is none of strict, warn and ignore"};
}

double to_time_scale(std::string_view text) {
    double scale = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), scale);
    const bool complete = error == std::errc{} && end == text.data() + text.size();
    if (complete && scale >= 0.001 && scale <= 1'000'000) return scale; // so it is no NaN
    throw UsageError{"--time-scale: " + in_quotes(text) + " is not a number from 0.001 to 1000000"};
}

void add_image(std::string_view text, Options& options) {
    const auto [name, command] = split(text);
    if (name.empty() || !command)
        throw UsageError{"--image: " + in_quotes(text) + " is not of the form NAME=COMMAND"};
    auto words = shell_words(*command);
    if (!words) throw UsageError{"--image: a quote is not closed in " + in_quotes(*command)};
    if (words->empty()) throw UsageError{"--image: no command for image " + in_quotes(name)};
    options.images.insert_or_assign(std::string{name}, std::move(*words));
}

/// Reads feature gates as the kubelet does: "A=true,B=false", with all texts that Go accepts as a
/// boolean.
void set_feature_gates(std::string_view text, Options& options) {
    while (!text.empty()) {
        const std::string_view one = text.substr(0, text.find(','));
        text.remove_prefix(std::min(one.size() + 1, text.size()));
        if (one.empty()) continue;
        const auto [name, value] = split(one);
        if (name != "ContainerScopedProbes")
            throw UsageError{"--feature-gates: unrecognized feature gate: " + std::string{name}};
        if (!value)
            throw UsageError{"--feature-gates: missing bool value for " + std::string{name}};
        bool known = false;
        for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"})
            if (*value == yes) known = options.container_scoped_probes = true;
        for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"})
            if (*value == no) known = !(options.container_scoped_probes = false);
        if (!known) throw UsageError{"--feature-gates: invalid value of " + std::string{one}};
    }
}

void set_logs(std::string_view text, Options& options) {
    options.log_directory.clear();
    if (text == "prefix") {
        options.logs = LogTarget::prefix;
    } else if (text == "none") {
        options.logs = LogTarget::none;
    } else if (!text.empty()) {
        options.logs = LogTarget::directory;
        options.log_directory = text;
    } else {
        throw UsageError{"--logs: needs prefix, none or a directory"};
    }
}

void add_file(std::string_view file, Options& options) {
    for (const std::string& other : options.files)
        if (file == "-" && other == "-") throw UsageError{"standard input can be read only once"};
    options.files.emplace_back(file);
}

/// The value of an option that needs one: after its '=', or the next argument.
std::string_view take_value(std::string_view name, std::optional<std::string_view> attached,
                            std::span<const char* const>& rest) {
    if (attached) return *attached;
    if (rest.empty()) throw UsageError{std::string{name} + " needs a value"};
    const std::string_view value = rest.front();
    rest = rest.subspan(1);
    return value;
}

void set_option(std::string_view name, std::optional<std::string_view> attached,
                std::span<const char* const>& rest, Options& options) {
    const auto value = [&] { return take_value(name, attached, rest); };
    const auto flag = [&] {
        if (attached) throw UsageError{std::string{name} + " takes no value"};
        return true;
    };
    if (name == "-h" || name == "--help")
        options.help = flag();
    else if (name == "--version")
        options.version = flag();
    else if (name == "--dry-run")
        options.dry_run = flag();
    else if (name == "--validate")
        options.validate = to_validation(value());
    else if (name == "-o" || name == "--output")
        options.output = to_output_format(value());
    else if (name == "--image")
        add_image(value(), options);
    else if (name == "--time-scale")
        options.time_scale = to_time_scale(value());
    else if (name == "--duration")
        options.duration = to_duration("--duration", value());
    else if (name == "--pid-namespace")
        options.pid_namespace = flag();
    else if (name == "--feature-gates")
        set_feature_gates(value(), options);
    else if (name == "--logs")
        set_logs(value(), options);
    else
        throw UsageError{"unknown option " + std::string{name}};
}

} // namespace

Options parse_options(std::span<const char* const> arguments) {
    Options options;
    while (!arguments.empty() && !options.help && !options.version) {
        const std::string_view argument = arguments.front();
        arguments = arguments.subspan(1);
        if (argument == "--") {
            for (const char* file : arguments) add_file(file, options);
            break;
        }
        if (argument == "-" || !argument.starts_with('-')) {
            add_file(argument, options);
        } else if (argument.starts_with("--")) {
            const auto [name, attached] = split(argument);
            set_option(name, attached, arguments, options);
        } else {
            // -oVALUE and -o=VALUE
            std::optional<std::string_view> attached;
            if (argument.size() > 2) attached = argument.substr(argument[2] == '=' ? 3 : 2);
            set_option(argument.substr(0, 2), attached, arguments, options);
        }
    }
    if (!options.help && !options.version && options.files.empty())
        throw UsageError{"no manifest given"};
    return options;
}

std::optional<probekit::Duration> parse_duration(std::string_view text) {
    if (!text.empty() && text.find_first_not_of("0123456789.") == std::string_view::npos)
        return probekit::kubernetes::parse_duration(std::string{text} + "s");
    return probekit::kubernetes::parse_duration(text);
}

probekit::Duration to_duration(std::string_view option, std::string_view text) {
    const auto duration = parse_duration(text);
    if (duration && *duration <= std::chrono::hours{876'000}) return *duration;
    throw UsageError{std::string{option} + ": " + in_quotes(text) +
                     " is not a duration like 30s, 5m, 1h30m or 90, of at most 876000h"};
}

std::string_view usage() noexcept {
    return R"(Usage: supervisor [OPTIONS] FILE...

Runs the Pods of Kubernetes manifests as local processes: probed, judged and restarted as a kubelet does it. Of a
Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController or Job it runs one pod. ConfigMaps and Secrets serve
as sources of variables. FILE is a manifest in YAML or JSON, or - for standard input.

  -o, --output text|wide|json     text: lines of `kubectl get pods -w` and of `kubectl events`; wide: with the IP column;
                                  json: one watch event of a Pod or an Event a line. Default: text
      --image NAME=COMMAND        what to run for containers of this image that name no command; their args are
                                  appended. NAME may leave out digest and tag. Repeatable
      --validate strict|warn|ignore   fields that Kubernetes does not know, and keys given twice, are errors, warnings
                                  or nothing. Default: strict
      --dry-run                   say what would run, and run nothing
      --time-scale N              divide all durations of the manifests by N, from 0.001 to 1000000. Default: 1
      --duration D                end after D of manifest time (30s, 5m, 1h30m or a number of seconds; at most 876000h), as
                                  if SIGTERM came
      --pid-namespace             each container's first process is process 1 of a PID namespace of its own
      --feature-gates NAME=true   known: ContainerScopedProbes (default: false)
      --logs prefix|none|DIR      what containers print: on standard error after [pod/POD/CONTAINER], nowhere, or in
                                  DIR/NAMESPACE_POD/CONTAINER.log. Default: prefix
      --version                   show the version
  -h, --help                      show this

Exit status: 0 every pod succeeded, or was running when it was stopped on request; 1 a pod had failed before;
2 wrong usage or manifest, nothing was started; 3 the supervisor itself could not go on.
)";
}

} // namespace supervisor
