// Pods and events as the JSON objects of the Kubernetes API.
#pragma once

#include "manifest/pod_spec.hpp"
#include "view/event_recorder.hpp"
#include "view/pod_status.hpp"

namespace supervisor {

/// How much of a pod.
enum class Extent {
    whole,
    without_manifest, ///< neither the spec nor labels and annotations, which never change
};

[[nodiscard]] Json to_json(const PodView& pod, Extent extent = Extent::whole);
[[nodiscard]] Json to_json(const Event& event);

} // namespace supervisor
