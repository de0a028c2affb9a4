// The columns of `kubectl get pods`, computed as the API server does.
#pragma once

#include <optional>
#include <string>

#include "view/pod_status.hpp"

namespace supervisor {

struct PodRow {
    std::string name = {};
    std::string ready = {};  ///< "1/2"
    std::string status = {}; ///< "Running", "CrashLoopBackOff", "Init:0/2" ...
    int restarts = 0;
    std::optional<Timestamp> last_restart = {};
    Timestamp created = {};
    std::string ip = {};

    /// "2 (5s ago)"
    [[nodiscard]] std::string restarts_text(Timestamp now) const;
    [[nodiscard]] std::string age(Timestamp now) const;

    friend bool operator==(const PodRow&, const PodRow&) = default;
};

[[nodiscard]] PodRow row_of(const PodView& pod);

} // namespace supervisor
