#include "view/event_recorder.hpp"

#include <algorithm>
#include <chrono>
#include <initializer_list>
#include <sstream>
#include <utility>

namespace supervisor {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t family_size = 10; // so many different messages are one event ...
constexpr auto family_memory = 600s;    // ... if they come within this time of each other
constexpr double burst = 25;
constexpr auto refill = 300s;

std::string joined(std::initializer_list<std::string_view> parts) {
    std::string key;
    for (const std::string_view part : parts) {
        key += part;
        key += '\0';
    }
    return key;
}

} // namespace

EventRecorder::EventRecorder(Sink sink) : sink_(std::move(sink)) {}

void EventRecorder::record(const EventTarget& target, EventType type, std::string reason,
                           std::string message, Timestamp now) {
    // Like the kubelet's: a family is per pod and reason, whichever container; the same event also
    // means the same one.
    const std::string family = joined({target.uid, to_string(type), reason});
    std::string key = joined({target.uid, to_string(type), reason, target.field_path, message});
    if (joins_family(family, message, now)) {
        key = family;
        message.insert(0, "(combined from similar events): ");
    }

    Seen& seen = seen_[key];
    if (seen.count == 0) seen = {.name = name_for(target.pod, now), .first_seen = now};
    ++seen.count;
    if (!allowed(target, type, now)) return; // what is cut off has been counted, as in client-go
    sink_({.name = seen.name,
           .target = target,
           .type = type,
           .reason = std::move(reason),
           .message = std::move(message),
           .count = seen.count,
           .reported_before = std::exchange(seen.reported, true),
           .first_seen = seen.first_seen,
           .last_seen = now});
}

std::string EventRecorder::name_for(const std::string& pod, Timestamp now) {
    last_name_ = std::max(
        now, saturating_add(last_name_, 1ns)); // two events of one moment must not share a name
    std::ostringstream name;
    name << pod << '.' << std::hex << last_name_.time_since_epoch().count();
    return name.str();
}

bool EventRecorder::allowed(const EventTarget& target, EventType type, Timestamp now) {
    Allowance& allowance = allowances_[joined({target.uid, to_string(type)})];
    if (allowance.filled_at == Timestamp{}) allowance = {.tokens = burst, .filled_at = now};
    const std::chrono::duration<double> passed = now - allowance.filled_at;
    allowance.tokens = std::min(burst, allowance.tokens + passed / refill);
    allowance.filled_at = now;
    if (allowance.tokens < 1) return false;
    allowance.tokens -= 1;
    return true;
}

bool EventRecorder::joins_family(const std::string& family_key, const std::string& message,
                                 Timestamp now) {
    Family& family = families_[family_key];
    if (now - family.last_seen > family_memory) family.messages.clear();
    family.last_seen = now;
    const auto position = family.messages.insert(message).first;
    if (family.messages.size() < family_size) return false;
    // The family stays just below its size, so that it does not grow and the next stranger joins as
    // well.
    family.messages.erase(position);
    return true;
}

} // namespace supervisor
