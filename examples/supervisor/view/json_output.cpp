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
    return writer_.write(line(change, to_json(pod)));
}

void JsonOutput::event(const Event& event, Timestamp) {
    writer_.write(line(event.reported_before ? Change::modified : Change::added, to_json(event)));
}

} // namespace supervisor
