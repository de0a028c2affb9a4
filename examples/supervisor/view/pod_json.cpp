#include "view/pod_json.hpp"

#include <string>
#include <variant>
#include <vector>

namespace supervisor {
namespace {

void set_if_given(Json& object, const char* field, const std::string& text) {
    if (!text.empty()) object[field] = text;
}

/// What never ran began at the beginning of time: Kubernetes' zero, which has no fraction.
std::string start_time(const Terminated& state) {
    return state.started_at == Timestamp{} ? "1970-01-01T00:00:00Z" : rfc3339(state.started_at);
}

Json terminated_json(const Terminated& state) {
    Json json{{"exitCode", state.exit_code}};
    if (state.signal != 0) json["signal"] = state.signal;
    json["reason"] = state.reason;
    set_if_given(json, "message", state.message);
    json["startedAt"] = start_time(state);
    json["finishedAt"] = rfc3339(state.finished_at);
    set_if_given(json, "containerID", state.container_id);
    return json;
}

Json state_json(const ContainerState& state) {
    if (const auto* running = std::get_if<Running>(&state))
        return {{"running", {{"startedAt", rfc3339(running->started_at)}}}};
    if (const auto* terminated = std::get_if<Terminated>(&state))
        return {{"terminated", terminated_json(*terminated)}};
    const auto& waiting = std::get<Waiting>(state);
    Json json{{"reason", waiting.reason}};
    set_if_given(json, "message", waiting.message);
    return {{"waiting", std::move(json)}};
}

Json container_json(const ContainerStatus& container) {
    Json json{{"name", container.name},
              {"state", state_json(container.state)},
              {"lastState", Json::object()},
              {"ready", container.ready},
              {"restartCount", container.restart_count},
              {"image", container.image}};
    if (container.last_state)
        json["lastState"]["terminated"] = terminated_json(*container.last_state);
    set_if_given(json, "containerID", container.container_id);
    json["started"] = container.started;
    return json;
}

Json containers_json(const std::vector<ContainerStatus>& containers) {
    Json json = Json::array();
    for (const ContainerStatus& container : containers) json.push_back(container_json(container));
    return json;
}

Json conditions_json(const std::vector<Condition>& conditions) {
    Json json = Json::array();
    for (const Condition& condition : conditions) {
        Json one{{"type", condition.type},
                 {"status", condition.status ? "True" : "False"},
                 {"lastTransitionTime", rfc3339(condition.last_transition)}};
        set_if_given(one, "reason", condition.reason);
        set_if_given(one, "message", condition.message);
        json.push_back(std::move(one));
    }
    return json;
}

Json metadata_json(const PodView& pod, Extent extent) {
    Json json{{"name", pod.spec.name}, {"namespace", pod.spec.name_space}, {"uid", pod.uid}};
    const auto given = pod.spec.object.find("metadata");
    if (extent == Extent::whole && given != pod.spec.object.end())
        for (const char* field : {"labels", "annotations"})
            if (given->contains(field)) json[field] = given->at(field);
    json["creationTimestamp"] = rfc3339(pod.created);
    if (pod.deletion) {
        json["deletionTimestamp"] = rfc3339(pod.deletion->timestamp);
        json["deletionGracePeriodSeconds"] =
            std::chrono::duration_cast<std::chrono::seconds>(pod.deletion->grace).count();
    }
    return json;
}

Json status_json(const PodView& pod) {
    Json json{{"phase", to_string(pod.status.phase)},
              {"conditions", conditions_json(pod.status.conditions)},
              {"podIP", pod.spec.pod_ip},
              {"podIPs", Json::array({{{"ip", pod.spec.pod_ip}}})},
              {"startTime", rfc3339(pod.created)}};
    if (!pod.status.init_containers.empty())
        json["initContainerStatuses"] = containers_json(pod.status.init_containers);
    json["containerStatuses"] = containers_json(pod.status.containers);
    return json;
}

} // namespace

Json to_json(const PodView& pod, Extent extent) {
    Json json{{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", metadata_json(pod, extent)}};
    if (extent == Extent::whole) json["spec"] = pod.spec.object.value("spec", Json::object());
    json["status"] = status_json(pod);
    return json;
}

Json to_json(const Event& event) {
    const EventTarget& target = event.target;
    Json involved{{"kind", "Pod"},
                  {"namespace", target.name_space},
                  {"name", target.pod},
                  {"uid", target.uid},
                  {"apiVersion", "v1"}};
    set_if_given(involved, "fieldPath", target.field_path);
    return {{"apiVersion", "v1"},
            {"kind", "Event"},
            {"metadata", {{"name", event.name}, {"namespace", target.name_space}}},
            {"involvedObject", std::move(involved)},
            {"reason", event.reason},
            {"message", event.message},
            {"source", {{"component", "probekit"}}},
            {"firstTimestamp", rfc3339(event.first_seen)},
            {"lastTimestamp", rfc3339(event.last_seen)},
            {"count", event.count},
            {"type", to_string(event.type)}};
}

} // namespace supervisor
