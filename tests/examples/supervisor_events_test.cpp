#include <set>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include "supervisor_pods.hpp"
#include "view/event_recorder.hpp"
#include "view/least_recently_used.hpp"

using namespace supervisor;
using namespace supervisor::test;

namespace {

struct Recording {
    std::vector<Event> events;
    EventRecorder recorder{[this](const Event& event) { events.push_back(event); }};
    EventTarget web{
        .pod = "web", .name_space = "default", .uid = "u1", .field_path = "spec.containers{web}"};

    void warn(const std::string& message, Timestamp now) {
        recorder.record(web, EventType::warning, "Unhealthy", message, now);
    }
};

} // namespace

TEST_CASE("the same event again is the first one with its count raised") {
    Recording recording;
    recording.warn("down", at(0s));
    recording.warn("down", at(20s));
    recording.warn("down", at(40s));

    REQUIRE(recording.events.size() == 3);
    const Event& last = recording.events.back();
    CHECK(last.count == 3);
    CHECK(last.name == recording.events.front().name);
    CHECK(last.first_seen == at(0s));
    CHECK(last.last_seen == at(40s));
    CHECK(last.target == recording.web);
}

TEST_CASE("events that differ in anything that names them are counted apart") {
    Recording recording;
    EventTarget sidecar = recording.web;
    sidecar.field_path = "spec.initContainers{log}";
    EventTarget other_pod = recording.web;
    other_pod.uid = "u2";

    recording.recorder.record(recording.web, EventType::normal, "Started", "Container started",
                              at(0s));
    recording.recorder.record(sidecar, EventType::normal, "Started", "Container started", at(0s));
    recording.recorder.record(other_pod, EventType::normal, "Started", "Container started", at(0s));
    recording.recorder.record(recording.web, EventType::warning, "Started", "Container started",
                              at(0s));
    recording.recorder.record(recording.web, EventType::normal, "Created", "Container started",
                              at(0s));
    recording.recorder.record(recording.web, EventType::normal, "Started", "another", at(0s));

    std::set<std::string> names;
    for (const Event& event : recording.events) {
        CHECK(event.count == 1);
        names.insert(event.name);
    }
    CHECK(names.size() == 6); // also of events of one moment
}

TEST_CASE("from the tenth different message on they are one event") {
    Recording recording;
    for (int i = 0; i != 12; ++i) recording.warn("port " + std::to_string(i), at(i * 1s));

    REQUIRE(recording.events.size() == 12);
    CHECK(recording.events[8].message == "port 8");
    CHECK(recording.events[9].message == "(combined from similar events): port 9");
    CHECK(recording.events[9].count == 1);
    CHECK(recording.events[11].message == "(combined from similar events): port 11");
    CHECK(recording.events[11].count == 3);
    CHECK(recording.events[11].name == recording.events[9].name);

    recording.warn("port 3", at(13s)); // one of the first nine is still itself
    CHECK(recording.events.back().message == "port 3");
    CHECK(recording.events.back().count == 2);
}

TEST_CASE("different messages are only combined if they come within ten minutes of each other") {
    Recording recording;
    for (int i = 0; i != 9; ++i) recording.warn("port " + std::to_string(i), at(i * 1s));
    recording.warn("late", at(8s + 601s));
    CHECK(recording.events.back().message == "late");
}

TEST_CASE("after 25 events of a kind a pod may say one thing every five minutes") {
    Recording recording;
    for (int i = 0; i != 30; ++i) recording.warn("down", at(0s));
    REQUIRE(recording.events.size() == 25);
    CHECK(recording.events.back().count == 25);

    recording.warn("down", at(299s));
    CHECK(recording.events.size() == 25);
    recording.warn("down", at(300s));
    REQUIRE(recording.events.size() == 26);
    CHECK(recording.events.back().reported_before);
    CHECK(recording.events.back().count == 32); // what was cut off is counted
    recording.warn("down", at(301s));
    recording.warn("else", at(301s));
    CHECK(recording.events.size() == 26);
    recording.warn("else", at(600s));
    REQUIRE(recording.events.size() == 27);
    CHECK(recording.events.back().count ==
          2); // one that was cut off when it was new is reported late
    CHECK_FALSE(recording.events.back().reported_before);

    // other pods, and events of the other type, have an allowance of their own
    recording.recorder.record(recording.web, EventType::normal, "Started", "Container started",
                              at(601s));
    CHECK(recording.events.size() == 28);
    recording.web.uid = "u2";
    recording.warn("down", at(601s));
    CHECK(recording.events.size() == 29);
}

TEST_CASE("a long silence refills no more than the burst") {
    Recording recording;
    recording.warn("down", at(0s));
    for (int i = 0; i != 30; ++i) recording.warn("down", at(100h));
    CHECK(recording.events.size() == 1 + 25);
}

TEST_CASE("a map of least recently used keeps what is used") {
    LeastRecentlyUsed<int> map{2};
    map["a"] = 1;
    map["b"] = 2;
    CHECK(map["a"] == 1); // now b is the oldest
    map["c"] = 3;
    CHECK(map.size() == 2);
    CHECK(map["a"] == 1);
    CHECK(map["c"] == 3);
    CHECK(map["b"] == 0); // forgotten, and made anew
    CHECK(map.size() == 2);
}
