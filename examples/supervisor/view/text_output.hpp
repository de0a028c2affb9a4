// The lines of `kubectl get pods -w` and of `kubectl events`, each kind under its header.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "view/columns.hpp"
#include "view/output.hpp"
#include "view/pod_row.hpp"

namespace supervisor {

struct TextStyle {
    bool wide = false;    ///< with the IP column
    bool colored = false; ///< escape sequences of a terminal
    std::size_t name_width =
        0; ///< of the longest pod name, so that the columns stand from the first line on
};

class TextOutput final : public Output {
public:
    TextOutput(LineWriter& writer, TextStyle style);

    bool pod(Change change, const PodView& pod, Timestamp now) override;
    void event(const Event& event, Timestamp now) override;
    void start_over() override;

private:
    enum class Kind { none, pod, event };

    bool write(Kind kind, Columns& columns, const std::string& line);

    LineWriter& writer_;
    TextStyle style_;
    Columns pod_columns_;
    Columns event_columns_;
    Kind last_kind_ = Kind::none;
    std::map<std::string, PodRow> shown_; // by uid
};

} // namespace supervisor
