// timeline's reader of recorded streams, on any text: it ends with recordings or with an error, what
// it has read is in order, and a container that behaves so can be simulated.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <probekit/core/duration.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/simulation/script.hpp>
#include <probekit/simulation/simulate.hpp>
#include <probekit/simulation/timeline.hpp>

#include "expect.hpp"
#include "memory_file.hpp"
#include "recording.hpp"
#include "scene.hpp"
#include "story.hpp"

namespace {

using namespace probekit;
using namespace std::chrono_literals;

void check(const timeline::RecordedRun& run) {
    for (const auto& failures : run.failures) {
        fuzz::expect(std::ranges::is_sorted(failures, {}, &timeline::RecordedFailure::age),
                     "failures are in order");
        for (const timeline::RecordedFailure& failure : failures)
            fuzz::expect(failure.age >= 0s, "nothing fails before it runs");
    }
    bool ready = false;
    timeline::Timestamp last = {};
    for (const auto& [from, now_ready] : run.ready) {
        fuzz::expect(now_ready != ready && from >= last, "readiness changes in order");
        ready = now_ready;
        last = from;
    }
    fuzz::expect(!run.killed || *run.killed >= run.began, "what is killed has begun");
    fuzz::expect(!run.ended || *run.ended >= run.began, "what has ended has begun");
    fuzz::expect(!run.killed || !run.ended || *run.killed <= *run.ended,
                 "what is killed has not ended");
}

void check(const timeline::Recording& recording) {
    const auto& runs = recording.runs;
    for (const timeline::RecordedRun& run : runs) {
        check(run);
        fuzz::expect(run.began <= recording.last, "no run begins after the end");
    }
    for (std::size_t i = 1; i < runs.size(); ++i)
        fuzz::expect(runs[i - 1].began < runs[i].began, "runs are in order");

    simulation::Script script = recording.script();
    fuzz::expect(script.runs.size() == runs.size(), "each run is replayed");
    for (const simulation::ProcessBehaviour& run : script.runs)
        fuzz::expect(run.starts_in >= 0s && run.exits_after.value_or(0s) >= 0s && run.ends_in >= 0s,
                     "no time is negative");
    // So many checks, that the simulation of one input is short.
    Duration period = Duration::max();
    for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness})
        if (const auto& spec = recording.subject.settings.probe(kind))
            period = std::min(period, spec->period);
    if (script.length / 300 > period) script.length = 300 * period;
    const timeline::Scene scene{.subject = recording.subject,
                                .target = "does what was recorded",
                                .timeline =
                                    simulation::simulate(recording.subject.settings, script)};
    fuzz::expect(scene.timeline.length <= script.length, "a simulation ends");
    fuzz::expect(!story(scene, true).empty() && !summary(scene).empty(),
                 "there is something to tell");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const fuzz::MemoryFile file{{reinterpret_cast<const char*>(data), size}};
    const timeline::Recordings recordings = timeline::read_recordings(file.name());
    fuzz::expect(recordings.errors.empty() != recordings.by_name.empty() ||
                     !recordings.errors.empty(),
                 "there are recordings or errors");
    for (const std::string& error : recordings.errors)
        fuzz::expect(!error.empty(), "errors say what is wrong");
    if (!recordings.errors.empty()) return 0;
    for (const auto& [name, recording] : recordings.by_name) {
        fuzz::expect(name == recording.subject.name(), "a recording has its container's name");
        fuzz::expect(recordings.find(recording.subject) == &recording, "a recording is found");
        check(recording);
    }
    return 0;
}
