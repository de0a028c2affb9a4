#include "story.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstddef>
#include <iomanip>
#include <sstream>
#include <string_view>

#include <probekit/core/kubelet_text.hpp>
#include <probekit/simulation/worst_case.hpp>

#include "times.hpp"

namespace timeline {
namespace {

using probekit::Duration;
using probekit::ProbeKind;
using probekit::simulation::Event;
using What = Event::What;

std::string name_of(ProbeKind kind) {
    std::string name{to_string(kind)};
    name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
    return name;
}

std::string exit_text(probekit::ExitStatus exit) {
    return exit.signal != 0 ? "signal " + std::to_string(exit.signal)
                            : "exit code " + std::to_string(exit.code);
}

/// Goes through the events, keeping what the lines of checks need.
class Narrator {
public:
    Narrator(const Scene& scene, bool all_checks) : scene_(scene), all_checks_(all_checks) {}

    std::string narrate() {
        for (const Event& event : scene_.timeline.events) {
            const std::string text = text_of(event);
            if (!text.empty()) text_ << std::setw(9) << time_text(event.at) << "  " << text << '\n';
        }
        return text_.str();
    }

private:
    struct Checks {
        int run = 0; ///< of equal results
        bool passed = false;
    };

    std::string text_of(const Event& event) {
        switch (event.what) {
        case What::running:
            return event.run == 1 ? "runs" : "runs again: restart " + std::to_string(event.run - 1);
        case What::check: return probe_text(event);
        case What::verdict: return {};
        case What::started: return "started: readiness and liveness begin";
        case What::ready: return "ready";
        case What::unready: return "not ready any more";
        case What::prober_error:
            return "its " + name_of(event.kind) + " probe cannot ask, and nothing is known";
        case What::kill:
            checks_of(event.kind) = {}; // a probe that is put on hold counts anew
            return "killed by its " + name_of(event.kind) + " probe: SIGTERM, and " +
                   time_text(event.span) + " to end";
        case What::stop:
            return "its pod is deleted: SIGTERM, and " + time_text(event.span) + " to end";
        case What::ended: return "has ended: " + exit_text(event.exit);
        case What::back_off:
            return "CrashLoopBackOff: " + probekit::kubelet::back_off_text(event.delay) +
                   ", starts again in " + time_text(event.span);
        case What::over: return "is not started again";
        }
        return {};
    }

    std::string probe_text(const Event& event) {
        if (!all_checks_) return {};
        const std::string probe = name_of(event.kind) + " ";
        if (event.error == std::errc::operation_canceled) return probe + "check is cancelled";
        if (event.error) return probe + "prober error: this changes nothing";
        Checks& checks = checks_of(event.kind);
        const bool passed = event.passed();
        checks.run = passed == checks.passed ? checks.run + 1 : 1;
        checks.passed = passed;
        const probekit::ProbeSpec& spec = *scene_.subject.settings.probe(event.kind);
        const int threshold = passed ? spec.success_threshold : spec.failure_threshold;
        std::string text = probe + (passed ? "passes" : "fails");
        if (threshold > 1 && checks.run <= threshold)
            text += ", " + std::to_string(checks.run) + " of " + std::to_string(threshold);
        if (event.timed_out) text += ", timed out after " + time_text(event.span);
        return text;
    }

    Checks& checks_of(ProbeKind kind) { return checks_[static_cast<std::size_t>(kind)]; }

    const Scene& scene_;
    bool all_checks_;
    std::array<Checks, 3> checks_ = {};
    std::ostringstream text_;
};

/// What the settings promise, whatever happens.
std::string promises(const Subject& subject) {
    namespace simulation = probekit::simulation;
    const simulation::Container& settings = subject.settings;
    std::string text;
    const auto& starter = settings.startup ? settings.startup : settings.liveness;
    const Duration latest = starter ? simulation::worst_case_give_up(*starter) : Duration{};
    if (starter)
        text += "  A start of up to " +
                time_text(simulation::allowed_start(*starter, settings.start_precision())) +
                " is always allowed; what has not answered " + time_text(latest) +
                " after its start is killed.\n";
    if (settings.liveness)
        text += "  A death is found out within " +
                time_text(probekit::worst_case_detection(*settings.liveness)) +
                ", and has made way for a restart within " +
                time_text(simulation::worst_case_restart(*settings.liveness,
                                                         settings.termination_grace_period)) +
                ".\n";
    if (settings.readiness)
        text += "  Traffic is taken away within " +
                time_text(probekit::worst_case_detection(*settings.readiness)) +
                " and given back within " +
                time_text(probekit::worst_case_recovery(*settings.readiness)) + ".\n";
    return text;
}

/// What would have to be different, for a target that is as the options say.
std::string changes(const Scene& scene) {
    if (!scene.options) return {};
    namespace simulation = probekit::simulation;
    const simulation::Container& settings = scene.subject.settings;
    const TargetOptions& target = *scene.options;
    const auto& starter = settings.startup ? settings.startup : settings.liveness;
    std::string text;
    const Duration start = target.starts_after.value_or(Duration{});
    const Duration precision = settings.start_precision();
    if (starter && start > simulation::allowed_start(*starter, precision)) {
        probekit::ProbeSpec once = *starter;
        once.failure_threshold = 1;
        const Duration rest = start - simulation::allowed_start(once, precision);
        const auto periods =
            rest / starter->period + (rest % starter->period != Duration{} ? 1 : 0);
        text += "  A start of " + time_text(start) + " needs failureThreshold " +
                std::to_string(periods + 1) +
                (settings.startup ? " of the startup probe.\n" : ", or a startup probe.\n");
    }
    for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness})
        if (const auto& spec = settings.probe(kind);
            spec && target.attempt_takes && *target.attempt_takes >= spec->timeout)
            text += "  Attempts that take " + time_text(*target.attempt_takes) +
                    " need timeoutSeconds " +
                    std::to_string(*target.attempt_takes / std::chrono::seconds{1} + 1) +
                    " of the " + name_of(kind) + " probe.\n";
    return text;
}

/// How much of the time it was ready, in per cent.
int ready_share(const probekit::simulation::Timeline& timeline) {
    Duration ready{};
    Duration since = Duration::max();
    for (const Event& event : timeline.events) {
        if (event.what == What::ready) since = event.at;
        if (event.what == What::unready) ready += event.at - since;
        if (event.what == What::unready) since = Duration::max();
    }
    if (since != Duration::max()) ready += timeline.length - since;
    if (timeline.length == Duration::zero()) return 0;
    return static_cast<int>(std::chrono::duration<double>(ready) / timeline.length * 100 + 0.5);
}

std::string times(std::ptrdiff_t count) {
    if (count <= 2) return count == 1 ? "once" : "twice";
    return std::to_string(count) + " times";
}

} // namespace

std::string summary(const Scene& scene) {
    std::string text;
    for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness}) {
        const auto kills = std::ranges::count_if(scene.timeline.events, [&](const Event& one) {
            return one.what == What::kill && one.kind == kind;
        });
        if (kills == 0) continue;
        text += (text.empty() ? "killed " : " and ") + times(kills) + " by its " + name_of(kind) +
                " probe";
    }
    if (text.empty()) text = "never killed by a probe";
    const auto restarts = static_cast<std::ptrdiff_t>(scene.timeline.restarts().size());
    if (restarts != 0) text += ", restarted " + times(restarts);
    return text + ", ready for " + std::to_string(ready_share(scene.timeline)) + " % of " +
           time_text(scene.timeline.length);
}

std::string story(const Scene& scene, bool all_checks) {
    std::string text = scene.title() + ": " + scene.target + "\n";
    for (const std::string& probe : scene.subject.probes) text += "  " + probe + "\n";
    return text + promises(scene.subject) + changes(scene) + Narrator{scene, all_checks}.narrate();
}

} // namespace timeline
