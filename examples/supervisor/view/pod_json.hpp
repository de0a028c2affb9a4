// Pods and events as the JSON objects of the Kubernetes API.
#pragma once

#include "manifest/pod_spec.hpp"
#include "view/event_recorder.hpp"
#include "view/pod_status.hpp"

namespace supervisor {

[[nodiscard]] Json to_json(const PodView& pod);
[[nodiscard]] Json to_json(const Event& event);

} // namespace supervisor
