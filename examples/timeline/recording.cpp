#include "recording.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "../supervisor/document.hpp"
#include "read_text.hpp"

namespace timeline {
namespace {

using namespace std::chrono_literals;
using probekit::Duration;
using probekit::ProbeKind;
using probekit::simulation::Answer;
using probekit::simulation::Look;

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
    const Json& value = member(object, name);
    return value.is_number_integer() ? value.get<int>() : 0;
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
        if (!std::exchange(pods_[name], true)) {
            Subjects subjects;
            add_subjects(subjects, pod, where);
            result.errors.insert(result.errors.end(), subjects.errors.begin(), subjects.errors.end());
            for (Subject& subject : subjects.all) {
                Recording& recording = result.by_name[subject.name()];
                recording.subject = std::move(subject);
                recording.created = moment(metadata, "creationTimestamp").value_or(Timestamp{});
            }
        }
        const bool deleted = !text(metadata, "deletionTimestamp").empty();
        for (const char* statuses : {"containerStatuses", "initContainerStatuses"})
            for (const Json& status : member(member(pod, "status"), statuses))
                if (Recording* recording = find(name, text(status, "name"))) read_status(*recording, status, deleted);
    }

    static void read_status(Recording& recording, const Json& status, bool deleted) {
        read_terminated(recording, member(member(status, "lastState"), "terminated"), deleted);
        const Json& state = member(status, "state");
        read_terminated(recording, member(state, "terminated"), deleted);
        if (const auto began = moment(member(state, "running"), "startedAt")) life_begun(recording, *began);
    }

    static void read_terminated(Recording& recording, const Json& state, bool deleted) {
        const auto began = moment(state, "startedAt");
        const auto ended = moment(state, "finishedAt");
        if (!began || !ended) return;
        RecordedLife& life = life_begun(recording, *began);
        recording.last = std::max(recording.last, *ended);
        if (life.ended || deleted) return;
        life.ended = ended;
        const int signal = number(state, "signal");
        life.exit = signal != 0 ? probekit::ExitStatus{.signal = signal}
                                : probekit::ExitStatus{.code = number(state, "exitCode")};
    }

    static RecordedLife& life_begun(Recording& recording, Timestamp began) {
        recording.last = std::max(recording.last, began);
        for (RecordedLife& life : recording.lives)
            if (life.began == began) return life;
        const auto later = std::ranges::find_if(recording.lives, [&](const auto& life) { return life.began > began; });
        return *recording.lives.insert(later, RecordedLife{.began = began});
    }

    /// "spec.containers{web}"
    void read_event(const Json& event) {
        const Json& involved = member(event, "involvedObject");
        const std::string path = text(involved, "fieldPath");
        const std::size_t brace = path.find('{');
        const auto at = moment(event, "lastTimestamp");
        if (brace == std::string::npos || !path.ends_with('}') || !at) return;
        Recording* recording = find(text(involved, "name"), path.substr(brace + 1, path.size() - brace - 2));
        if (recording == nullptr) return;
        recording->last = std::max(recording->last, *at);
        const auto life = std::find_if(recording->lives.rbegin(), recording->lives.rend(),
                                       [&](const RecordedLife& one) { return one.began <= *at; });
        if (life == recording->lives.rend()) return;
        const std::string reason = text(event, "reason");
        const std::string message = text(event, "message");
        if (reason == "Killing" && !message.starts_with("Stopping")) life->told = at;
        if (reason == "Unhealthy") read_failure(*recording, *life, message, *at - life->began);
    }

    /// "Liveness probe failed: ...", "Liveness probe errored and resulted in unknown state: ..."
    static void read_failure(const Recording& recording, RecordedLife& life, const std::string& message, Duration age) {
        for (const ProbeKind kind : kinds) {
            const std::string about = std::string{to_string(kind)} + " probe ";
            const std::size_t begin = message.find(about);
            if (begin == std::string::npos) continue;
            Answer answer = probekit::simulation::fail();
            const auto says = [&](std::string_view words) { return message.find(words, begin) != std::string::npos; };
            if (says("probe errored")) {
                answer = probekit::simulation::cannot_ask(std::make_error_code(std::errc::io_error));
            } else if (says("timed out") || says("deadline exceeded") || says("i/o timeout")) {
                answer = probekit::simulation::hang();
                if (const auto& spec = recording.subject.settings.probe(kind)) age -= spec->timeout;
            }
            life.failures[index(kind)].push_back({std::max(age, Duration::zero()), answer});
            return;
        }
    }

    Recording* find(const std::string& pod, const std::string& container) {
        const auto found = result.by_name.find(pod + "/" + container);
        return found == result.by_name.end() ? nullptr : &found->second;
    }

    std::map<std::string, bool> pods_ = {}; // those whose settings are known
};

// ---- from recordings to scripts ----

/// The probe whose record tells how the container would have answered this one: they mostly ask the same.
std::optional<ProbeKind> kind_recorded(const Recording& recording, ProbeKind asked) {
    for (const ProbeKind kind : {asked, ProbeKind::liveness, ProbeKind::readiness, ProbeKind::startup})
        if (recording.subject.settings.probe(kind)) return kind;
    return std::nullopt;
}

/// How it would have answered at that age.
Answer answer_of(const RecordedLife& life, const Recording& recording, ProbeKind kind, Duration age) {
    const auto& failures = life.failures[index(kind)];
    const probekit::ProbeSpec& spec = *recording.subject.settings.probe(kind);
    const auto next = std::ranges::upper_bound(failures, age, {}, &RecordedFailure::age);
    if (next == failures.begin()) {
        // Ill from the beginning, if the first look found it so.
        const bool ill = next != failures.end() && next->age < spec.initial_delay + spec.period;
        return ill ? next->answer : probekit::simulation::pass();
    }
    const RecordedFailure& last = *std::prev(next);
    const Duration known_until = life.told.value_or(life.ended.value_or(recording.last)) - life.began;
    const bool goes_on =
        next != failures.end() ? next->age - last.age < spec.period * 3 / 2 : known_until < last.age + spec.period;
    return goes_on || age < last.age + spec.period ? last.answer : probekit::simulation::pass();
}

} // namespace

probekit::simulation::Script Recording::script() const {
    probekit::simulation::Script script{.length = last - created};
    if (lives.empty()) return script;
    for (const RecordedLife& life : lives) {
        probekit::simulation::Life lived{.starts_in = std::max<Duration>(lives.front().began - created, 0s)};
        if (life.ended && !life.told) {
            lived.exits_after = *life.ended - life.began;
            lived.exit = life.exit;
        } else if (life.ended) {
            const bool killed = life.exit.as_shell() == 128 + SIGKILL;
            lived.ends_in = killed ? Duration::max() : *life.ended - *life.told;
            lived.told_exit = life.exit;
        }
        script.lives.push_back(lived);
    }
    script.answers = [recording = *this](const Look& look) {
        const auto kind = kind_recorded(recording, look.kind);
        if (!kind) return probekit::simulation::pass();
        const std::size_t life = std::min(static_cast<std::size_t>(look.life), recording.lives.size()) - 1;
        return answer_of(recording.lives[life], recording, *kind, look.age);
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
            for (const Json& document : supervisor::parse_documents(line)) reader.read_line(document, where);
        } catch (const supervisor::DocumentError& error) {
            reader.result.errors.push_back(where + ": " + error.what());
        }
    }
    if (reader.result.errors.empty() && reader.result.by_name.empty())
        reader.result.errors.push_back(name + ": no pods in this recording");
    return std::move(reader.result);
}

} // namespace timeline
