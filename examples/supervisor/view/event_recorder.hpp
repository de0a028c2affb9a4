// Kubernetes Events, kept down as client-go keeps them down: the same event again raises a count,
// many events that differ in their message only become one, and a pod that floods is cut off.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "manifest/manifest_clock.hpp"
#include "view/least_recently_used.hpp"

namespace supervisor {

enum class EventType { normal, warning };

[[nodiscard]] constexpr std::string_view to_string(EventType type) noexcept {
    return type == EventType::normal ? "Normal" : "Warning";
}

/// What an event is about.
struct EventTarget {
    std::string pod = {};
    std::string name_space = {};
    std::string uid = {};
    std::string field_path = {}; ///< spec.containers{web}

    friend bool operator==(const EventTarget&, const EventTarget&) = default;
};

struct Event {
    std::string name = {}; ///< metadata.name: the same for all repetitions
    EventTarget target = {};
    EventType type = EventType::normal;
    std::string reason = {};
    std::string message = {};
    int count = 1;
    bool reported_before = false;
    Timestamp first_seen = {};
    Timestamp last_seen = {};
};

class EventRecorder {
public:
    using Sink = std::function<void(const Event&)>;

    /// `sink` gets every event that is let through; one that was reported before replaces the event
    /// of the same name.
    explicit EventRecorder(Sink sink);

    void record(const EventTarget& target, EventType type, std::string reason, std::string message,
                Timestamp now);

private:
    /// A bucket that holds at most `burst` events and gains one every five minutes.
    struct Allowance {
        double tokens = 0;
        Timestamp filled_at = {};
    };
    /// The different messages of events that are otherwise alike.
    struct Family {
        std::set<std::string> messages = {};
        Timestamp last_seen = {};
    };
    struct Seen {
        std::string name = {};
        int count = 0;
        bool reported = false;
        Timestamp first_seen = {};
    };

    [[nodiscard]] std::string name_for(const std::string& pod, Timestamp now);
    [[nodiscard]] bool allowed(const EventTarget& target, EventType type, Timestamp now);
    [[nodiscard]] bool joins_family(const std::string& family_key, const std::string& message,
                                    Timestamp now);

    static constexpr std::size_t cache_size = 4096;

    Sink sink_;
    Timestamp last_name_ = {};
    LeastRecentlyUsed<Allowance> allowances_{cache_size};
    LeastRecentlyUsed<Family> families_{cache_size};
    LeastRecentlyUsed<Seen> seen_{cache_size};
};

} // namespace supervisor
