// What would a kubelet do? The probes of a manifest, run against a script on a clock of their own.
#include <algorithm>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <probekit/core/error.hpp>
#include <probekit/simulation/simulate.hpp>

#include "manifest/options.hpp"
#include "manifest/printable.hpp"
#include "options.hpp"
#include "picture.hpp"
#include "recording.hpp"
#include "scene.hpp"
#include "script.hpp"
#include "story.hpp"
#include "subject.hpp"

namespace {

using probekit::Cadence;
using timeline::Options;
using timeline::Scene;
using timeline::Subject;

enum class ExitCode { never_killed = 0, killed = 1, wrong_input = 2 };

/// Something that was given is wrong: complete lines.
struct Mistakes {
    std::vector<std::string> lines;
};

void check(const std::vector<std::string>& errors) {
    if (!errors.empty()) throw Mistakes{errors};
}

/// The same containers with the settings of their manifest, or with those that were recorded.
std::vector<Subject> subjects_of(const Options& options, const timeline::Recordings& recordings) {
    std::vector<Subject> all;
    if (options.files.empty()) {
        for (const auto& [name, recording] : recordings.by_name) all.push_back(recording.subject);
    } else {
        timeline::Subjects read = timeline::read_subjects(options.files);
        for (const std::string& warning : read.warnings)
            std::cerr << supervisor::printable(warning) << '\n';
        check(read.errors);
        all = std::move(read.all);
    }
    if (options.container.empty()) return all;
    std::erase_if(all, [&](const Subject& one) { return one.container != options.container; });
    if (all.empty()) throw Mistakes{{"timeline: no container is named " + options.container}};
    return all;
}

Scene run(Subject subject, const Options& options, const timeline::Recordings& recordings,
          Cadence cadence) {
    probekit::simulation::Script script;
    std::string target;
    std::optional<timeline::TargetOptions> target_options;
    if (options.replay.empty()) {
        script = script_of(options.target);
        target = described(options.target);
        target_options = options.target;
    } else {
        const timeline::Recording* recording = recordings.find(subject);
        if (recording == nullptr)
            throw Mistakes{{"timeline: " + subject.name() + " is not in " + options.replay}};
        script = recording->script();
        target = "does what " + options.replay + " has recorded";
    }
    heed_impossible(script, subject);
    if (options.duration) script.length = *options.duration;
    script.stop_after = options.stop_after;

    for (auto* probe :
         {&subject.settings.startup, &subject.settings.liveness, &subject.settings.readiness})
        if (*probe) (*probe)->pacing.cadence = cadence;
    subject.settings.starts_in_whole_seconds = cadence == Cadence::grid;
    const char* whose = cadence == Cadence::grid ? "released kubelets" : "ContainerScopedProbes";
    return {.subject = subject,
            .target = std::move(target),
            .options = target_options,
            .cadence = options.both_cadences ? whose : "",
            .timeline = probekit::simulation::simulate(subject.settings, script)};
}

void write(const std::string& file, const std::string& text) {
    std::ofstream out{file, std::ios::binary};
    out << text;
    if (!out.flush()) throw Mistakes{{"timeline: --svg: cannot write " + file}};
}

ExitCode run(std::span<const char* const> arguments) {
    const Options options = timeline::parse_options(arguments);
    if (options.help) {
        std::cout << timeline::usage();
        return ExitCode::never_killed;
    }
    timeline::Recordings recordings;
    if (!options.replay.empty()) recordings = timeline::read_recordings(options.replay);
    check(recordings.errors);

    std::vector<Cadence> cadences{options.container_scoped_probes ? Cadence::target_start
                                                                  : Cadence::grid};
    if (options.both_cadences) cadences = {Cadence::grid, Cadence::target_start};
    std::vector<Scene> scenes;
    for (const Subject& subject : subjects_of(options, recordings))
        for (const Cadence cadence : cadences)
            scenes.push_back(run(subject, options, recordings, cadence));

    for (const Scene& scene : scenes) std::cout << scene.title() << ": " << summary(scene) << ".\n";
    for (const Scene& scene : scenes) std::cout << '\n' << story(scene, options.all_checks);
    if (!options.svg.empty()) write(options.svg, timeline::picture(scenes));
    return std::ranges::any_of(scenes, &Scene::killed) ? ExitCode::killed : ExitCode::never_killed;
}

} // namespace

int main(int argc, char** argv) {
    ExitCode code = ExitCode::wrong_input;
    try {
        code = run({argv + 1, static_cast<std::size_t>(argc - 1)});
    } catch (const Mistakes& mistakes) {
        for (const std::string& line : mistakes.lines)
            std::cerr << supervisor::printable(line) << '\n';
    } catch (const std::exception& error) {
        std::cerr << supervisor::printable(std::string{"timeline: "} + error.what()) << '\n';
    }
    return static_cast<int>(code);
}
