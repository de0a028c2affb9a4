// What the supervisor shows its user on standard output: pods as they change and events as they
// happen.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "manifest/options.hpp"
#include "view/event_recorder.hpp"
#include "view/line_writer.hpp"
#include "view/pod_status.hpp"

namespace supervisor {

/// How a pod has changed.
enum class Change { added, modified, deleted };

[[nodiscard]] constexpr std::string_view to_string(Change change) noexcept {
    switch (change) {
    case Change::added: return "ADDED";
    case Change::modified: return "MODIFIED";
    case Change::deleted: break;
    }
    return "DELETED";
}

class Output {
public:
    virtual ~Output() = default;

    /// False: it could not be shown, since nobody reads what is written.
    virtual bool pod(Change change, const PodView& pod, Timestamp now) = 0;
    virtual void event(const Event& event, Timestamp now) = 0;
    /// The reader has missed lines: what it was shown before does not count.
    virtual void start_over() {}
};

/// `writer` outlives the output. `name_width`: of the longest pod name.
[[nodiscard]] std::unique_ptr<Output> make_output(OutputFormat format, LineWriter& writer,
                                                  std::size_t name_width);

} // namespace supervisor
