#include "options.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <system_error>
#include <utility>

#include "manifest/options.hpp"

namespace timeline {
namespace {

using probekit::Duration;
using supervisor::UsageError;

/// The arguments, from the first to the last.
class Arguments {
public:
    explicit Arguments(std::span<const char* const> all) : rest_(all) {}

    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    [[nodiscard]] std::string_view take() {
        const std::string_view first = rest_.front();
        rest_ = rest_.subspan(1);
        return first;
    }

    /// Goes to the option `argument`, whose value may follow behind a '='.
    void begin_option(std::string_view argument) {
        const std::size_t equals =
            argument.starts_with("--") ? argument.find('=') : std::string_view::npos;
        name_ = argument.substr(0, equals);
        attached_.reset();
        if (equals != std::string_view::npos) attached_ = argument.substr(equals + 1);
    }
    [[nodiscard]] std::string_view name() const noexcept { return name_; }

    [[nodiscard]] bool flag() const {
        if (attached_) throw UsageError{std::string{name_} + " takes no value"};
        return true;
    }
    [[nodiscard]] std::string_view value() {
        if (attached_) return *attached_;
        if (empty()) throw UsageError{std::string{name_} + " needs a value"};
        return take();
    }
    [[nodiscard]] std::string text() {
        const std::string_view given = value();
        if (given.empty()) throw UsageError{std::string{name_} + " needs a value"};
        return std::string{given};
    }
    [[nodiscard]] Duration duration() { return supervisor::to_duration(name_, value()); }
    [[nodiscard]] int exit_code() {
        const std::string_view given = value();
        int code = 0;
        const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), code);
        if (error != std::errc{} || end != given.data() + given.size() || code < 0 || code > 255)
            throw UsageError{std::string{name_} + ": \"" + std::string{given} +
                             "\" is not a number from 0 to 255"};
        return code;
    }
    /// As the supervisor reads it.
    [[nodiscard]] bool feature_gates() {
        const std::string gates = text();
        const std::array<const char*, 3> arguments{"--feature-gates", gates.c_str(), "-"};
        return supervisor::parse_options(arguments).container_scoped_probes;
    }

private:
    std::span<const char* const> rest_;
    std::string_view name_ = {};
    std::optional<std::string_view> attached_ = {};
};

struct Option {
    std::string_view name;
    bool about_target; ///< says what a recording says, too
    void (*set)(Arguments& arguments, Options& options);
};

constexpr Option known[] = {
    {"-h", false, [](auto& a, auto& o) { o.help = a.flag(); }},
    {"--help", false, [](auto& a, auto& o) { o.help = a.flag(); }},
    {"--starts-after", true, [](auto& a, auto& o) { o.target.starts_after = a.duration(); }},
    {"--fails-after", true, [](auto& a, auto& o) { o.target.fails_after = a.duration(); }},
    {"--hangs", true, [](auto& a, auto& o) { o.target.hangs = a.flag(); }},
    {"--attempt-takes", true, [](auto& a, auto& o) { o.target.attempt_takes = a.duration(); }},
    {"--exits-after", true, [](auto& a, auto& o) { o.target.exits_after = a.duration(); }},
    {"--exit-code", true, [](auto& a, auto& o) { o.target.exit_code = a.exit_code(); }},
    {"--ends-in", true, [](auto& a, auto& o) { o.target.ends_in = a.duration(); }},
    {"--ignores-sigterm", true,
     [](auto& a, auto& o) { o.target.ends_in = a.flag() ? Duration::max() : Duration{}; }},
    {"--creation-takes", true, [](auto& a, auto& o) { o.target.creation_takes = a.duration(); }},
    {"--container", false, [](auto& a, auto& o) { o.container = a.text(); }},
    {"--replay", false, [](auto& a, auto& o) { o.replay = a.text(); }},
    {"--duration", false, [](auto& a, auto& o) { o.duration = a.duration(); }},
    {"--stop-after", false, [](auto& a, auto& o) { o.stop_after = a.duration(); }},
    {"--feature-gates", false,
     [](auto& a, auto& o) { o.container_scoped_probes = a.feature_gates(); }},
    {"--both-cadences", false, [](auto& a, auto& o) { o.both_cadences = a.flag(); }},
    {"--all", false, [](auto& a, auto& o) { o.all_checks = a.flag(); }},
    {"--svg", false, [](auto& a, auto& o) { o.svg = a.text(); }},
};

} // namespace

Options parse_options(std::span<const char* const> all) {
    Options options;
    Arguments arguments{all};
    std::string_view about_target; // the last such option
    bool only_files = false;
    while (!arguments.empty() && !options.help) {
        const std::string_view argument = arguments.take();
        if (only_files || argument == "-" || !argument.starts_with('-')) {
            options.files.emplace_back(argument);
        } else if (argument == "--") {
            only_files = true;
        } else {
            arguments.begin_option(argument);
            const auto* const option = std::ranges::find(known, arguments.name(), &Option::name);
            if (option == std::end(known))
                throw UsageError{"unknown option " + std::string{arguments.name()}};
            option->set(arguments, options);
            if (option->about_target) about_target = option->name;
        }
    }
    if (options.help) return options;
    if (options.files.empty() && options.replay.empty()) throw UsageError{"no manifest given"};
    if (!options.replay.empty() && !about_target.empty())
        throw UsageError{std::string{about_target} +
                         ": what the target does is in the recording of --replay"};
    if (options.duration && *options.duration <= Duration::zero())
        throw UsageError{"--duration: must be greater than zero"};
    return options;
}

std::string_view usage() noexcept {
    return R"(Usage: timeline [OPTIONS] FILE...

Would these settings have killed my slow starter? Says so first, a sentence for each container, then what the settings
promise, what to change, and what happens when. Shows what a kubelet does with the probes of a manifest if the target
behaves as the options say: when it checks, when it has seen enough, when it kills, restarts and backs off. Nothing is run:
it takes no time. FILE is a manifest in YAML or JSON (Pods, or Deployments and others with a pod template), or - for
standard input.

What the target is like; without options it is well at once and for ever:
      --starts-after D       its probes fail until it is so old, in each of its lives
      --fails-after D        its probes fail from that age on
      --hangs                what fails does so by not answering at all, so that attempts end with their timeout
      --attempt-takes D      each attempt takes so long, one that fails too. Default: 1ms
      --exits-after D        it ends by itself at that age
      --exit-code N          ... with this exit code. Default: 1
      --ends-in D            it ends so long after SIGTERM. Default: at once
      --ignores-sigterm      it does not, and is killed when its grace period is over
      --creation-takes D     from the request to start it to running. Default: 500ms
      --replay LOG           it does what LOG has recorded instead: the output of `supervisor -o json`, or of
                             `kubectl get pods,events -w -o json --output-watch-events`. Without FILE: under the settings
                             that were recorded as well

What is shown:
      --container NAME       this container only
      --duration D           so much time. Default: 5m, or as much as LOG has
      --stop-after D         the pod is deleted then
      --all                  every check, not only what came of them
      --feature-gates NAME=true   known: ContainerScopedProbes (default: false)
      --both-cadences        each container twice, without and with ContainerScopedProbes
      --svg FILE             draw it as well
  -h, --help                 show this

Durations are written 30s, 5m, 1h30m, 250ms or as a number of seconds, and are at most 876000h.
Exit status: 0 no probe has killed anything; 1 one has; 2 wrong usage, manifest or recording.
)";
}

} // namespace timeline
