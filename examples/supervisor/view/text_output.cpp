#include "view/text_output.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "manifest/printable.hpp"
#include "view/age.hpp"

namespace supervisor {
namespace {

Columns pod_columns(const TextStyle& style) {
    std::vector<Columns::Column> columns{{"NAME", style.name_width},
                                         {"READY", 0},
                                         {"STATUS", std::string_view{"ContainerCreating"}.size()},
                                         {"RESTARTS", std::string_view{"1 (10s ago)"}.size()},
                                         {"AGE", 3}};
    if (style.wide) columns.push_back({"IP", 0});
    return Columns{std::move(columns)};
}

Columns event_columns(const TextStyle& style) {
    return Columns{{{"LAST SEEN", std::string_view{"0s (x3 over 40s)"}.size()},
                    {"TYPE", std::string_view{"Warning"}.size()},
                    {"REASON", std::string_view{"Unhealthy"}.size()},
                    {"OBJECT", std::string_view{"Pod/"}.size() + style.name_width},
                    {"MESSAGE", 0}}};
}

/// Ages change all the time; that alone is no line.
bool looks_the_same(const PodRow& a, const PodRow& b) {
    return a.ready == b.ready && a.status == b.status && a.restarts == b.restarts;
}

/// Without the white space around it: what commands print ends with a line's end.
std::string_view trimmed(std::string_view text) {
    constexpr std::string_view white_space = " \t\n\v\f\r";
    text.remove_prefix(std::min(text.find_first_not_of(white_space), text.size()));
    return text.substr(0, text.find_last_not_of(white_space) + 1);
}

std::string_view color_of(const PodRow& row) {
    if (row.status == "Running" || row.status == "Completed" || row.status == "Succeeded")
        return "32"; // green
    for (const std::string_view bad : {"Error", "BackOff", "Failed"})
        if (row.status.find(bad) != std::string::npos) return "31"; // red
    return "33";                                                    // yellow
}

} // namespace

TextOutput::TextOutput(LineWriter& writer, TextStyle style)
    : writer_(writer),
      style_(style),
      pod_columns_(pod_columns(style)),
      event_columns_(event_columns(style)) {}

bool TextOutput::pod(Change change, const PodView& pod, Timestamp now) {
    PodRow row = row_of(pod);
    row.status = printable(row.status);
    const auto before = shown_.find(pod.uid);
    if (change == Change::modified && before != shown_.end() && looks_the_same(before->second, row))
        return true;

    std::vector<std::string> cells{row.name, row.ready, row.status, row.restarts_text(now),
                                   row.age(now)};
    if (style_.wide) cells.push_back(row.ip);
    std::string line = pod_columns_.row(cells);
    if (style_.colored) {
        // The first appearance after the name and READY columns; padding keeps the columns where
        // they are.
        const std::size_t at = line.find(row.status, row.name.size());
        line.insert(at + row.status.size(), "\x1b[0m");
        line.insert(at, "\x1b[" + std::string{color_of(row)} + "m");
    }
    shown_.insert_or_assign(pod.uid, std::move(row));
    return write(Kind::pod, pod_columns_, line);
}

void TextOutput::event(const Event& event, Timestamp now) {
    std::string seen = age_text(now - event.last_seen);
    if (event.count > 1)
        seen +=
            " (x" + std::to_string(event.count) + " over " + age_text(now - event.first_seen) + ")";
    std::string line = event_columns_.row({std::move(seen), std::string{to_string(event.type)},
                                           printable(event.reason), "Pod/" + event.target.pod,
                                           printable(trimmed(event.message))});
    if (style_.colored && event.type == EventType::warning) line = "\x1b[33m" + line + "\x1b[0m";
    write(Kind::event, event_columns_, line);
}

void TextOutput::start_over() {
    shown_.clear();
    last_kind_ = Kind::none;
}

bool TextOutput::write(Kind kind, Columns& columns, const std::string& line) {
    if (kind != last_kind_) writer_.write(columns.header());
    last_kind_ = kind;
    return writer_.write(line);
}

} // namespace supervisor
