// One JSON object a line, as `kubectl get pods,events -w -o json --output-watch-events` writes
// them.
#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "view/output.hpp"

namespace supervisor {

class JsonOutput final : public Output {
public:
    /// A pod whose record is longer is written whole the first time only: a manifest of megabytes
    /// does not change, and would be most of what a reader reads.
    static constexpr std::size_t large = 16 * 1024;

    explicit JsonOutput(LineWriter& writer) noexcept : writer_(writer) {}

    bool pod(Change change, const PodView& pod, Timestamp now) override;
    void event(const Event& event, Timestamp now) override;

private:
    LineWriter& writer_;
    std::set<std::string> known_; // uids of large pods that have been written whole
};

} // namespace supervisor
