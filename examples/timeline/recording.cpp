#include "recording.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include <probekit/kubernetes/field_reader.hpp>

#include "manifest/document.hpp"
#include "read_text.hpp"

namespace timeline {
namespace {

using namespace std::chrono_literals;
using probekit::Duration;
using probekit::ProbeKind;
using probekit::simulation::Check;
using probekit::simulation::Response;

constexpr std::size_t max_recording_size = 256 * 1024 * 1024;
constexpr ProbeKind kinds[] = {ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness};

std::size_t index(ProbeKind kind) { return static_cast<std::size_t>(kind); }

// ---- JSON, of which nothing is taken for granted ----

const Json& member(const Json& object, const char* name) {
    static const Json none;
    if (!object.is_object()) return none;
    const auto found = object.find(name);
    return found == object.end() ? none : *found;
}

std::string text(const Json& object, const char* name) {
    const Json& value = member(object, name);
    return value.is_string() ? value.get<std::string>() : std::string{};
}

int number(const Json& object, const char* name) {
    return probekit::kubernetes::as_integer<std::int32_t>(member(object, name)).value_or(0);
}

std::optional<Timestamp> moment(const Json& object, const char* name) {
    const auto parsed = parse_timestamp(text(object, name));
    return parsed && *parsed > Timestamp{} ? parsed : std::nullopt; // 1970: it never began
}

// ---- from lines to recordings ----

class Reader {
public:
    void read_line(const Json& line, const std::string& where) {
        const Json& object = member(line, "object");
        const std::string kind = text(object, "kind");
        if (kind == "Pod") read_pod(object, where);
        if (kind == "Event") read_event(object);
    }

    Recordings result;

private:
    void read_pod(const Json& pod, const std::string& where) {
        const Json& metadata = member(pod, "metadata");
        const std::string name = text(metadata, "name");
        Pod& known = pods_[name];
        if (const auto gone = moment(metadata, "deletionTimestamp");
            gone && !std::exchange(known.deleted, true))
            for (auto at = result.by_name.lower_bound(name + "/");
                 at != result.by_name.end() && at->second.subject.pod == name; ++at)
                at->second.last = std::max<Timestamp>(
                    at->second.last,
                    *gone - std::chrono::seconds{
                                std::max(0, number(metadata, "deletionGracePeriodSeconds"))});
        if (known.deleted) return;
        if (!std::exchange(known.read, true)) {
            Subjects subjects;
            add_pod(subjects, pod, where);
            result.errors.insert(result.errors.end(), subjects.errors.begin(),
                                 subjects.errors.end());
            const auto created = moment(metadata, "creationTimestamp");
            if (!created)
                result.errors.push_back(where + ": metadata.creationTimestamp is missing");
            for (Subject& subject : subjects.all) {
                Recording& recording = result.by_name[subject.name()];
                recording.subject = std::move(subject);
                recording.created = recording.last = created.value_or(Timestamp{});
            }
        }
        Timestamp changed{};
        for (const Json& condition : member(member(pod, "status"), "conditions"))
            if (text(condition, "type") == "ContainersReady")
                changed = moment(condition, "lastTransitionTime").value_or(changed);
        for (const char* statuses : {"containerStatuses", "initContainerStatuses"})
            for (const Json& status : member(member(pod, "status"), statuses))
                if (Recording* recording = find(name, text(status, "name")))
                    read_status(*recording, status, changed);
    }

    /// `ready_changed`: of one of the pod's containers.
    static void read_status(Recording& recording, const Json& status, Timestamp ready_changed) {
        read_terminated(recording, member(member(status, "lastState"), "terminated"));
        const Json& state = member(status, "state");
        read_terminated(recording, member(state, "terminated"));
        const auto began = moment(member(state, "running"), "startedAt");
        if (!began) return;
        RecordedRun& run = run_begun(recording, *began);
        const bool was_ready = !run.ready.empty() && run.ready.back().second;
        const bool ready = member(status, "ready") == true;
        if (ready == was_ready) return;
        recording.last = std::max(recording.last, ready_changed);
        run.ready.emplace_back(recording.last, ready);
    }

    static void read_terminated(Recording& recording, const Json& state) {
        const auto began = moment(state, "startedAt");
        const auto ended = moment(state, "finishedAt");
        if (!began || !ended || *ended < *began) return;
        RecordedRun& run = run_begun(recording, *began);
        recording.last = std::max(recording.last, *ended);
        if (run.ended) return;
        run.ended = ended;
        if (run.killed) run.killed = std::min(*run.killed, *ended);
        const int signal = number(state, "signal");
        run.exit = signal > 0 && signal < NSIG
                       ? probekit::ExitStatus{.signal = signal}
                       : probekit::ExitStatus{.code = number(state, "exitCode")};
    }

    static RecordedRun& run_begun(Recording& recording, Timestamp began) {
        recording.last = std::max(recording.last, began);
        const auto at = std::ranges::lower_bound(recording.runs, began, {}, &RecordedRun::began);
        if (at != recording.runs.end() && at->began == began) return *at;
        return *recording.runs.insert(at, RecordedRun{.began = began});
    }

    /// "spec.containers{web}"
    void read_event(const Json& event) {
        const Json& involved = member(event, "involvedObject");
        const std::string path = text(involved, "fieldPath");
        const std::size_t brace = path.find('{');
        const auto at = moment(event, "lastTimestamp");
        if (brace == std::string::npos || !path.ends_with('}') || !at ||
            pods_[text(involved, "name")].deleted)
            return;
        Recording* recording =
            find(text(involved, "name"), path.substr(brace + 1, path.size() - brace - 2));
        if (recording == nullptr) return;
        recording->last = std::max(recording->last, *at);
        const auto run = std::find_if(recording->runs.rbegin(), recording->runs.rend(),
                                      [&](const RecordedRun& one) { return one.began <= *at; });
        if (run == recording->runs.rend()) return;
        // Times of containers are whole seconds, those of events are not.
        if (run->ended && *at >= *run->ended + 1s) return;
        const std::string reason = text(event, "reason");
        const std::string message = text(event, "message");
        if (reason == "Killing") run->killed = std::min(*at, run->ended.value_or(*at));
        if (reason == "Unhealthy") read_failure(*recording, *run, message, *at - run->began);
    }

    /// "Liveness probe failed: ...", "Liveness probe errored and resulted in unknown state: ..."
    static void read_failure(const Recording& recording, RecordedRun& run,
                             const std::string& message, Duration age) {
        for (const ProbeKind kind : kinds) {
            const std::string about = std::string{to_string(kind)} + " probe ";
            const std::size_t begin = message.find(about);
            if (begin == std::string::npos) continue;
            Response response = probekit::simulation::fail();
            const auto says = [&](std::string_view words) {
                return message.find(words, begin) != std::string::npos;
            };
            if (says("probe errored")) {
                response =
                    probekit::simulation::prober_error(std::make_error_code(std::errc::io_error));
            } else if (says("timed out") || says("deadline exceeded") || says("i/o timeout")) {
                response = probekit::simulation::hang();
                if (const auto& spec = recording.subject.settings.probe(kind)) age -= spec->timeout;
            }
            // Events may come in another order than the checks.
            auto& failures = run.failures[index(kind)];
            age = std::max(age, Duration::zero());
            failures.insert(std::ranges::upper_bound(failures, age, {}, &RecordedFailure::age),
                            {age, response});
            return;
        }
    }

    Recording* find(const std::string& pod, const std::string& container) {
        const auto found = result.by_name.find(pod + "/" + container);
        return found == result.by_name.end() ? nullptr : &found->second;
    }

    struct Pod {
        bool read = false;    ///< its settings
        bool deleted = false; ///< what it does now is of no interest
    };
    std::map<std::string, Pod> pods_ = {};
};

// ---- from recordings to scripts ----

/// The probe whose record shows how the container would have answered this one: they mostly probe
/// the same.
std::optional<ProbeKind> kind_recorded(const Recording& recording, ProbeKind asked) {
    for (const ProbeKind kind :
         {asked, ProbeKind::liveness, ProbeKind::readiness, ProbeKind::startup})
        if (recording.subject.settings.probe(kind)) return kind;
    return std::nullopt;
}

/// Whether it was not ready at that age, half a period later at the latest.
bool unready(const RecordedRun& run, Duration age, Duration half) {
    bool ready = false;
    for (const auto& [from, now_ready] : run.ready)
        if (from - run.began - half <= age) ready = now_ready;
    return !ready;
}

/// How it would have answered at that age.
Response answer_of(const RecordedRun& run, const Recording& recording, ProbeKind kind,
                   Duration age) {
    const probekit::ProbeSpec& spec = *recording.subject.settings.probe(kind);
    const auto& failures = run.failures[index(kind)];
    const auto found = std::ranges::upper_bound(failures, age, {}, &RecordedFailure::age);
    const RecordedFailure* before = found == failures.begin() ? nullptr : &*std::prev(found);
    const RecordedFailure* after = found == failures.end() ? nullptr : &*found;

    // What is compared are differences: sums of what people write may be more than a Duration.
    const Duration half = spec.period / 2;
    const Duration since = before == nullptr ? Duration::max() : age - before->age;
    const Duration until = after == nullptr ? Duration::max() : after->age - age;
    // Two checks that failed one after the other: the container was ill in between, too.
    if (before != nullptr && after != nullptr && since + until - half < spec.period)
        return since < until ? before->response : after->response;
    if (since < half) return before->response;
    if (until <= half) return after->response;
    // Who records drops further events when there are too many; a container that is not ready yet
    // is as ill as it was.
    const bool still = before != nullptr && kind == ProbeKind::readiness && unready(run, age, half);
    if (still) return before->response;
    // Ill from the beginning, if the first check found it so; and for ever, if there was no check
    // any more.
    if (before == nullptr && after != nullptr && after->age - spec.initial_delay < spec.period)
        return after->response;
    const Duration known_until =
        run.killed.value_or(run.ended.value_or(recording.last)) - run.began;
    if (before != nullptr && after == nullptr && known_until - before->age < spec.period)
        return before->response;
    return probekit::simulation::pass();
}

} // namespace

probekit::simulation::Script Recording::script() const {
    probekit::simulation::Script script{.length = std::max<Duration>(last - created, 0s)};
    if (runs.empty()) return script;
    for (const RecordedRun& run : runs) {
        probekit::simulation::ProcessBehaviour lived{
            .starts_in = std::max<Duration>(runs.front().began - created, 0s)};
        if (run.ended && !run.killed) {
            lived.exits_after = *run.ended - run.began;
            lived.exit = run.exit;
        } else if (run.ended) {
            const bool killed = run.exit.as_shell() == 128 + SIGKILL;
            lived.ends_in = killed ? Duration::max() : *run.ended - *run.killed;
            lived.sigterm_exit = run.exit;
        }
        script.runs.push_back(lived);
    }
    script.responses = [recording = *this](const Check& check) {
        const auto kind = kind_recorded(recording, check.kind);
        if (!kind) return probekit::simulation::pass();
        const std::size_t run =
            std::min(static_cast<std::size_t>(check.run), recording.runs.size()) - 1;
        return answer_of(recording.runs[run], recording, *kind, check.age);
    };
    return script;
}

const Recording* Recordings::find(const Subject& subject) const {
    if (const auto same = by_name.find(subject.name()); same != by_name.end()) return &same->second;
    const Recording* found = nullptr;
    for (const auto& [name, recording] : by_name) {
        if (recording.subject.container != subject.container) continue;
        if (found != nullptr) return nullptr;
        found = &recording;
    }
    return found == nullptr && by_name.size() == 1 ? &by_name.begin()->second : found;
}

Recordings read_recordings(const std::string& file) {
    const std::string name = file == "-" ? "standard input" : file;
    Reader reader;
    const auto all = read_text(file, max_recording_size);
    if (!all) {
        reader.result.errors.push_back(name + ": cannot be read, or is too long");
        return std::move(reader.result);
    }
    std::istringstream lines{*all};
    std::string line;
    for (int count = 1; reader.result.errors.empty() && std::getline(lines, line); ++count) {
        const std::string where = name + ":" + std::to_string(count);
        try {
            const supervisor::Documents documents = supervisor::parse_documents(line);
            for (const supervisor::Document& document : documents.all)
                reader.read_line(document.value, where);
        } catch (const supervisor::DocumentError& error) {
            reader.result.errors.push_back(where + ": " + error.what());
        }
    }
    if (reader.result.errors.empty() && reader.result.by_name.empty())
        reader.result.errors.push_back(name + ": no pods in this recording");
    return std::move(reader.result);
}

} // namespace timeline
