#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <csignal>
#include <fcntl.h>
#include <unistd.h>

#include "manifest/printable.hpp"
#include "supervisor_pods.hpp"
#include "view/columns.hpp"
#include "view/output.hpp"
#include "view/pod_json.hpp"
#include "view/pod_phase.hpp"
#include "view/text_output.hpp"

using namespace supervisor;
using namespace supervisor::test;

namespace {

/// A pipe that is written by a LineWriter and read here.
class Pipe {
public:
    Pipe() { REQUIRE(::pipe2(ends_.data(), O_CLOEXEC) == 0); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close_reading();
        ::close(ends_[1]);
    }

    [[nodiscard]] int writing() const { return ends_[1]; }
    void close_reading() {
        if (ends_[0] >= 0) ::close(ends_[0]);
        ends_[0] = -1;
    }

    /// What has been written so far; less than a pipe holds.
    std::string read(LineWriter& writer) {
        writer.flush();
        std::string text(65536, '\0');
        REQUIRE(::fcntl(ends_[0], F_SETFL, O_NONBLOCK) == 0);
        const ssize_t size = ::read(ends_[0], text.data(), text.size());
        text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return text;
    }

    std::string read_exactly(std::size_t size) {
        std::string text(size, '\0');
        for (std::size_t at = 0; at != size;) {
            const ssize_t read = ::read(ends_[0], text.data() + at, size - at);
            REQUIRE(read > 0);
            at += static_cast<std::size_t>(read);
        }
        return text;
    }

    std::vector<std::string> lines(LineWriter& writer) {
        std::istringstream stream{read(writer)};
        std::vector<std::string> lines;
        for (std::string line; std::getline(stream, line);) lines.push_back(line);
        return lines;
    }

private:
    std::array<int, 2> ends_{-1, -1};
};

struct OnePod {
    PodSpec spec;
    std::string uid = "u1";
    std::optional<Deletion> deletion;
    PodStatus status{.containers = {waiting("web")}};

    OnePod() {
        spec.name = "web";
        spec.object = Json::parse(
            R"({"kind":"Pod","metadata":{"name":"web","labels":{"app":"x"}},"spec":{"z":1,"a":[2]}})");
    }
    [[nodiscard]] PodView view() {
        status.phase = phase_of(spec, status, PodEnd::no);
        status.conditions = conditions_of(status, at(0s));
        return {
            .spec = spec, .uid = uid, .created = at(0s), .deletion = deletion, .status = status};
    }
};

Event unhealthy(int count) {
    return {.name = "web.1",
            .target = {.pod = "web",
                       .name_space = "default",
                       .uid = "u1",
                       .field_path = "spec.containers{web}"},
            .type = EventType::warning,
            .reason = "Unhealthy",
            .message = "Liveness probe failed: down",
            .count = count,
            .reported_before = count > 1,
            .first_seen = at(0s),
            .last_seen = at(40s)};
}

} // namespace

TEST_CASE("text is the lines of kubectl, pods and events each under their header") {
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    TextOutput output{writer, {.name_width = std::string{"liveness-exec-pod"}.size()}};
    OnePod pod;
    pod.spec.name = "liveness-exec-pod";

    output.pod(Change::added, pod.view(), at(0s));
    pod.status.containers = {running("web")};
    output.pod(Change::modified, pod.view(), at(1s));
    output.event(unhealthy(3), at(40s));
    pod.status.containers[0].restart_count = 1;
    pod.status.containers[0].last_state = ended_with(137, at(43s));
    output.pod(Change::modified, pod.view(), at(43s));

    CHECK(pipe.lines(writer) ==
          std::vector<std::string>{
              "NAME                READY   STATUS              RESTARTS      AGE",
              "liveness-exec-pod   0/1     ContainerCreating   0             0s",
              "liveness-exec-pod   1/1     Running             0             1s",
              "LAST SEEN          TYPE      REASON      OBJECT                  MESSAGE",
              "0s (x3 over 40s)   Warning   Unhealthy   Pod/web                 Liveness probe "
              "failed: down",
              "NAME                READY   STATUS              RESTARTS      AGE",
              "liveness-exec-pod   1/1     Running             1 (0s ago)    43s",
          });
}

TEST_CASE("only what can be seen to change is a line") {
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    TextOutput output{writer, {}};
    OnePod pod;
    pod.status.containers = {running("web")};

    output.pod(Change::added, pod.view(), at(0s));
    output.pod(Change::modified, pod.view(), at(9s));
    CHECK(pipe.lines(writer).size() == 2); // with the header
    pod.deletion = Deletion{.timestamp = at(40s), .grace = 30s};
    output.pod(Change::modified, pod.view(), at(10s));
    output.pod(Change::deleted, pod.view(), at(10s));
    CHECK(pipe.lines(writer).size() == 2); // the end is always reported
}

TEST_CASE("wide output has the IP column") {
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    TextOutput output{writer, {.wide = true}};
    OnePod pod;
    pod.spec.pod_ip = "127.0.0.7";
    output.pod(Change::added, pod.view(), at(0s));
    CHECK(pipe.lines(writer) ==
          std::vector<std::string>{
              "NAME   READY   STATUS              RESTARTS      AGE   IP",
              "web    0/1     ContainerCreating   0             0s    127.0.0.7"});
}

TEST_CASE("colors change neither the columns nor the text") {
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    TextOutput output{writer, {.colored = true}};
    OnePod pod;
    pod.status.containers = {running("web")};
    output.pod(Change::added, pod.view(), at(0s));
    output.event(unhealthy(1), at(40s));
    const auto lines = pipe.lines(writer);
    REQUIRE(lines.size() == 4);
    CHECK(lines[1] == "web    1/1     \x1b[32mRunning\x1b[0m             0             0s");
    CHECK(lines[3].substr(0, 5) == "\x1b[33m");
    CHECK(lines[3].substr(lines[3].size() - 4) == "\x1b[0m");
}

TEST_CASE("nothing is colored that does not go to a terminal") {
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    const auto output = make_output(OutputFormat::text, writer, 3);
    OnePod pod;
    output->pod(Change::added, pod.view(), at(0s));
    CHECK(pipe.read(writer).find('\x1b') == std::string::npos);
}

TEST_CASE("what steers a terminal is shown as an escape, everything else as it is") {
    const auto [text, shown] = GENERATE(table<std::string, std::string>({
        {"a\nb\tc\x1b[2Jd\x7f\xc3\xa9", "a\\nb\\tc\\x1b[2Jd\\u007f\xc3\xa9"},
        {"\xc2\x9b"
         "2J",
         "\\u009b2J"}, // C1: CSI
        {"\xc2\x80\xc2\x9f\xc2\xa0", "\\u0080\\u009f\xc2\xa0"},
        {"\xe2\x80\xae"
         "abc",
         "\\u202eabc"}, // right-to-left override
        {"\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", "\\u200e\\u200f\\u061c"},
        {"\xe2\x81\xa6\xe2\x81\xa9", "\\u2066\\u2069"}, // isolates
        {"\xe2\x80\xa8", "\\u2028"},                    // line separator
        {"\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa",
         "\xe2\x80\xa7\xe2\x80\xaf\xe2\x81\xa5\xe2\x81\xaa"}, // beside them
        {"\x9b\xff\xc2", "\\x9b\\xff\\xc2"},                  // no UTF-8
        {"\xe2\x80", "\\xe2\\x80"},
        {"\xed\xa0\x80\xc0\x9b", "\\xed\\xa0\\x80\\xc0\\x9b"}, // surrogate, overlong
        {"\xf0\x9f\x98\x80\xf4\x90\x80\x80", "\xf0\x9f\x98\x80\\xf4\\x90\\x80\\x80"},
    }));
    CAPTURE(shown);
    CHECK(printable(text) == shown);
}

TEST_CASE("whatever stands in messages, no output steers a terminal") {
    const std::string evil = "esc \x1b[2J del \x7f c1 \xc2\x9b"
                             "2J rtl \xe2\x80\xae"
                             "abc raw \x9b";
    const auto format = GENERATE(OutputFormat::text, OutputFormat::json);
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    const auto output = make_output(format, writer, 3);
    OnePod pod;
    pod.status.containers = {running("web")};
    pod.status.containers[0].image = evil;
    pod.status.containers[0].state = Waiting{.reason = evil, .message = evil};
    output->pod(Change::added, pod.view(), at(0s));
    Event event = unhealthy(1);
    event.message = event.reason = event.target.field_path = evil;
    output->event(event, at(40s));
    std::string all;
    for (const std::string& line : pipe.lines(writer)) {
        CHECK(printable(line) == line);
        all += line;
    }
    CHECK(all.find("\\u009b2J rtl \\u202eabc") != std::string::npos);
    if (format == OutputFormat::json) // the text is the same to who reads JSON
        CHECK(Json::parse(all.substr(all.find("}{") + 1))["object"]["message"] ==
              evil.substr(0, evil.size() - 1) + "\xef\xbf\xbd");
}

TEST_CASE("a message stands without the white space around it") {
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    TextOutput output{writer, {}};
    const std::string before = "0s                 Warning   Unhealthy   Pod/web   ";
    for (const char* const message :
         {"Liveness probe failed: a\n b\n", "Liveness probe failed: ", "\t\r\n"}) {
        Event event = unhealthy(1);
        event.message = message;
        output.event(event, at(40s));
    }
    const auto lines = pipe.lines(writer);
    REQUIRE(lines.size() == 4);
    CHECK(lines[1] == before + "Liveness probe failed: a\\n b");
    CHECK(lines[2] == before + "Liveness probe failed:");
    CHECK(lines[3] == before);
}

TEST_CASE("a pod in JSON is the API's object") {
    OnePod pod;
    pod.status.containers = {running("web")};
    pod.status.containers[0].image = "nginx";
    pod.status.containers[0].container_id = "local://12-34";
    pod.status.containers[0].restart_count = 1;
    pod.status.containers[0].last_state = Terminated{.exit_code = 137,
                                                     .signal = 9,
                                                     .reason = "Error",
                                                     .started_at = at(0s),
                                                     .finished_at = at(1s),
                                                     .container_id = "local://11-22"};
    pod.deletion = Deletion{.timestamp = at(30s), .grace = 30s};

    CHECK(to_json(pod.view()) == Json::parse(R"({
      "apiVersion":"v1","kind":"Pod",
      "metadata":{"name":"web","namespace":"default","uid":"u1","labels":{"app":"x"},
        "creationTimestamp":"2026-01-31T12:00:00.000000Z",
        "deletionTimestamp":"2026-01-31T12:00:30.000000Z","deletionGracePeriodSeconds":30},
      "spec":{"z":1,"a":[2]},
      "status":{"phase":"Running",
        "conditions":[
          {"type":"Initialized","status":"True","lastTransitionTime":"2026-01-31T12:00:00.000000Z"},
          {"type":"Ready","status":"True","lastTransitionTime":"2026-01-31T12:00:00.000000Z"},
          {"type":"ContainersReady","status":"True","lastTransitionTime":"2026-01-31T12:00:00.000000Z"},
          {"type":"PodScheduled","status":"True","lastTransitionTime":"2026-01-31T12:00:00.000000Z"}],
        "podIP":"127.0.0.1","podIPs":[{"ip":"127.0.0.1"}],"startTime":"2026-01-31T12:00:00.000000Z",
        "containerStatuses":[{"name":"web",
          "state":{"running":{"startedAt":"2026-01-31T12:00:01.000000Z"}},
          "lastState":{"terminated":{"exitCode":137,"signal":9,"reason":"Error",
            "startedAt":"2026-01-31T12:00:00.000000Z","finishedAt":"2026-01-31T12:00:01.000000Z",
            "containerID":"local://11-22"}},
          "ready":true,"restartCount":1,"image":"nginx","containerID":"local://12-34","started":true}]}})"));
}

TEST_CASE("a pod with a large manifest is whole in its first record only") {
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    const auto output = make_output(OutputFormat::json, writer, 0);
    OnePod pod;
    const bool is_large = GENERATE(false, true);
    Json& spec = pod.spec.object["spec"];
    Json& given = pod.spec.object["metadata"];
    if (is_large)
        (GENERATE(false, true) ? spec : given["annotations"])["x"] = std::string(17000, 'x');
    OnePod other;
    other.uid = "u2";

    output->pod(Change::added, pod.view(), at(0s));
    pod.status.containers = {running("web")};
    output->pod(Change::modified, pod.view(), at(1s));
    pod.deletion = Deletion{.timestamp = at(30s), .grace = 30s};
    output->pod(Change::deleted, pod.view(), at(2s));
    output->pod(Change::modified, other.view(), at(2s));
    output->pod(Change::added, pod.view(), at(3s));

    std::vector<Json> objects;
    for (const std::string& line : pipe.lines(writer))
        objects.push_back(Json::parse(line)["object"]);
    REQUIRE(objects.size() == 5);
    for (const std::size_t again : {0U, 4U}) {
        CHECK(objects[again]["spec"] == spec);
        CHECK(objects[again]["metadata"]["labels"] == given["labels"]);
    }
    CHECK(objects[3].contains("spec"));
    for (const std::size_t later : {1U, 2U}) {
        CHECK(objects[later].contains("spec") == !is_large);
        CHECK(objects[later]["metadata"].contains("labels") == !is_large);
        CHECK(objects[later].dump().size() < 2000);
        CHECK(objects[later]["metadata"]["uid"] == "u1");
        CHECK(objects[later]["status"]["containerStatuses"][0]["ready"] == true);
    }
    CHECK(objects[2]["metadata"]["deletionGracePeriodSeconds"] == 30);
}

TEST_CASE("a large pod whose first record could not be written is whole in the next one") {
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    const auto output = make_output(OutputFormat::json, writer, 0);
    OnePod pod;
    pod.spec.object["spec"]["x"] = std::string(17000, 'x');
    const std::string filler(LineWriter::most_pending, 'f'); // more than a pipe takes
    REQUIRE(writer.write(filler));
    REQUIRE_FALSE(output->pod(Change::added, pod.view(), at(0s)));
    CHECK(pipe.read_exactly(filler.size() + 1).back() == '\n');
    output->pod(Change::modified, pod.view(), at(1s));
    const auto lines = pipe.lines(writer);
    REQUIRE(lines.size() == 1);
    CHECK(Json::parse(lines[0])["object"].contains("spec"));
}

TEST_CASE("a waiting container in JSON has its reason, and a message if there is one") {
    OnePod pod;
    pod.status.containers = {backing_off("web", 1)};
    std::get<Waiting>(pod.status.containers[0].state).message = "back-off 10s";
    pod.status.init_containers = {waiting("init", "PodInitializing")};
    const Json json = to_json(pod.view());
    CHECK(json["status"]["containerStatuses"][0]["state"] ==
          Json::parse(R"({"waiting":{"reason":"CrashLoopBackOff","message":"back-off 10s"}})"));
    CHECK(json["status"]["initContainerStatuses"][0]["state"] ==
          Json::parse(R"({"waiting":{"reason":"PodInitializing"}})"));
    CHECK(json["status"]["initContainerStatuses"][0]["lastState"] == Json::object());
    CHECK_FALSE(json["status"]["initContainerStatuses"][0].contains("containerID"));
}

TEST_CASE("an event in JSON is the API's object, and MODIFIED when it is repeated") {
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    const auto output = make_output(OutputFormat::json, writer, 0);
    output->event(unhealthy(1), at(40s));
    output->event(unhealthy(2), at(40s));
    const auto lines = pipe.lines(writer);
    REQUIRE(lines.size() == 2);
    CHECK(Json::parse(lines[0]) ==
          Json::parse(R"({"type":"ADDED","object":{"apiVersion":"v1","kind":"Event",
      "metadata":{"name":"web.1","namespace":"default"},
      "involvedObject":{"kind":"Pod","namespace":"default","name":"web","uid":"u1","apiVersion":"v1",
        "fieldPath":"spec.containers{web}"},
      "reason":"Unhealthy","message":"Liveness probe failed: down","source":{"component":"probekit"},
      "firstTimestamp":"2026-01-31T12:00:00.000000Z","lastTimestamp":"2026-01-31T12:00:40.000000Z",
      "count":1,"type":"Warning"}})"));
    CHECK(Json::parse(lines[1])["type"] == "MODIFIED");
    CHECK(Json::parse(lines[1])["object"]["count"] == 2);
}

TEST_CASE("bytes that are no UTF-8 do not stop the JSON") {
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    const auto output = make_output(OutputFormat::json, writer, 0);
    Event event = unhealthy(1);
    event.message = "\xff\nx";
    output->event(event, at(40s));
    CHECK(Json::parse(pipe.read(writer))["object"]["message"] == "\xef\xbf\xbd\nx");
}

TEST_CASE("a reader that has gone is noticed, and nothing more is written") {
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    pipe.close_reading();
    writer.write("lost");
    CHECK_FALSE(writer.flush());
    CHECK(writer.error() == std::errc::broken_pipe);
    CHECK(writer.write("lost as well"));
    CHECK(writer.take_dropped() == 0);
    CHECK_FALSE(writer.flush());
    CHECK(writer.error() == std::errc::broken_pipe);
    std::signal(SIGPIPE, before);
}

TEST_CASE("who writes waits for no reader: what must not be lost is kept, else 1 MiB at most") {
    Pipe pipe;
    std::atomic<int> drained = 0;
    std::atomic<int> kept = 0;
    LineWriter writer{pipe.writing()};
    writer.callbacks({.drained = [&] {
        ++drained;
        drained.notify_all();
    }});
    std::string expected;
    const std::string filler(1000, 'x');
    int lines = 0;
    for (; writer.write(std::to_string(lines) + filler); ++lines)
        expected += std::to_string(lines) + filler + "\n";
    CHECK(expected.size() > LineWriter::most_pending - filler.size() - 10);
    CHECK(expected.size() <= LineWriter::most_pending + 2 * 65536); // what fits into the pipe
    CHECK_FALSE(writer.has_room());
    CHECK_FALSE(writer.write(filler));
    for (int i = 0; i != 2; ++i) {
        writer.write_all(filler + "\n" + filler + "\n", [&] { ++kept; });
        expected += filler + "\n" + filler + "\n";
    }
    CHECK(writer.take_dropped() == 2);
    CHECK(writer.take_dropped() == 0);
    CHECK(drained == 0);
    CHECK(pipe.read_exactly(expected.size()) == expected);
    drained.wait(0);
    CHECK(drained == 1);
    CHECK(kept == 2);
    CHECK(writer.has_room());
    CHECK(writer.write("again"));
    CHECK(pipe.read_exactly(6) == "again\n");
    CHECK(writer.flush());
    writer.notify_when_drained();
    CHECK(drained == 2);
}

TEST_CASE("a line that is longer than all that may wait is written nevertheless") {
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    const std::string line(LineWriter::most_pending * 2, 'x');
    CHECK(writer.write(line));
    CHECK_FALSE(writer.write("y"));
    CHECK(pipe.read_exactly(line.size() + 1) == line + "\n");
}

TEST_CASE("a reader that has missed lines is shown again what has not changed") {
    Pipe pipe;
    LineWriter writer{pipe.writing()};
    TextOutput output{writer, {}};
    OnePod pod;
    CHECK(output.pod(Change::added, pod.view(), at(0s)));
    output.start_over();
    CHECK(output.pod(Change::modified, pod.view(), at(0s)));
    const auto lines = pipe.lines(writer);
    REQUIRE(lines.size() == 4);
    CHECK(lines[2] == lines[0]);
    CHECK(lines[3] == lines[1]);
}
