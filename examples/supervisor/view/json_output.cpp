#include "view/json_output.hpp"

#include "manifest/printable.hpp"
#include "view/pod_json.hpp"

namespace supervisor {
namespace {

/// Containers may print bytes that are no UTF-8; JSON shows them as U+FFFD. What could steer a
/// terminal is escaped.
std::string line(Change change, Json object) {
    return printable(Json{{"type", to_string(change)}, {"object", std::move(object)}}.dump(
        -1, ' ', false, Json::error_handler_t::replace));
}

} // namespace

bool JsonOutput::pod(Change change, const PodView& pod, Timestamp) {
    const bool known = change != Change::added && known_.contains(pod.uid);
    const std::string text =
        line(change, to_json(pod, known ? Extent::without_manifest : Extent::whole));
    if (!writer_.write(text)) return false;
    if (text.size() > large) known_.insert(pod.uid);
    return true;
}

void JsonOutput::event(const Event& event, Timestamp) {
    writer_.write(line(event.reported_before ? Change::modified : Change::added, to_json(event)));
}

} // namespace supervisor
