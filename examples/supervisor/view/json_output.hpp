// One JSON object a line, as `kubectl get pods,events -w -o json --output-watch-events` writes
// them.
#pragma once

#include "view/output.hpp"

namespace supervisor {

class JsonOutput final : public Output {
public:
    explicit JsonOutput(LineWriter& writer) noexcept : writer_(writer) {}

    bool pod(Change change, const PodView& pod, Timestamp now) override;
    void event(const Event& event, Timestamp now) override;

private:
    LineWriter& writer_;
};

} // namespace supervisor
