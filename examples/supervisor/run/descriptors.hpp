// How many descriptors the supervisor may have open, and what that allows it to do at once.
#pragma once

#include <cstddef>
#include <vector>

#include <probekit/core/actions.hpp>

namespace supervisor {

struct DescriptorLimit {
    std::size_t count = 0;
    /// To give to processes what the supervisor was given: empty if that is what they inherit.
    std::vector<probekit::ResourceLimit> for_children = {};
};

/// Raises this program's soft limit to the hard one.
[[nodiscard]] DescriptorLimit raise_descriptor_limit();

/// How many attempts of probes and hooks may be made at once beside so many containers that run: at
/// least one of each.
struct AttemptsAtOnce {
    std::size_t probes = 1;
    std::size_t hooks = 1;
};
[[nodiscard]] AttemptsAtOnce attempts_within(std::size_t descriptors, std::size_t containers);

} // namespace supervisor
