#include "run/descriptors.hpp"

#include <algorithm>
#include <limits>

#include <sys/resource.h>

namespace supervisor {

DescriptorLimit raise_descriptor_limit() {
    rlimit limit = {};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    DescriptorLimit result;
    if (limit.rlim_cur != limit.rlim_max && ::setrlimit(RLIMIT_NOFILE, &raised) == 0) {
        result.for_children = {
            {.resource = RLIMIT_NOFILE, .soft = limit.rlim_cur, .hard = limit.rlim_max}};
        limit = raised;
    }
    result.count =
        static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, std::numeric_limits<int>::max()));
    return result;
}

AttemptsAtOnce attempts_within(std::size_t descriptors, std::size_t containers) {
    constexpr std::size_t own = 32;         // with what a start needs for a moment
    constexpr std::size_t of_container = 2; // its process and its output
    constexpr std::size_t of_command = 3;   // its process and its two outputs
    const std::size_t taken = own + of_container * containers;
    const std::size_t commands = descriptors > taken ? (descriptors - taken) / of_command : 0;
    // Hooks are rarer, and may take long.
    const std::size_t hooks = std::max<std::size_t>(commands / 4, 1);
    return {.probes = std::max<std::size_t>(commands - std::min(commands, hooks), 1),
            .hooks = hooks};
}

} // namespace supervisor
