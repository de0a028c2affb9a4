#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "manifest/fields.hpp"
#include "manifest/pod_spec.hpp"

namespace supervisor {

/// The notices of many pods, each kind of field in one line: how often, and in which containers.
class NoticeList {
public:
    /// `path`: where the pod is in its object, such as "spec.template.".
    void add(const PodSpec& pod, const std::string& path, const Notices& notices);

    /// Complete lines, in the order in which the kinds first came.
    [[nodiscard]] std::vector<std::string> lines() const;

private:
    struct Kind {
        Notice first = {};
        std::size_t count = 0;
        std::vector<std::pair<std::string, std::vector<std::string>>> places =
            {}; // POD/CONTAINER and the variables there
    };

    std::vector<Kind> kinds_ = {};
    std::map<std::string, std::size_t> index_ = {};
};

} // namespace supervisor
