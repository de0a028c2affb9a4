// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <vector>

#include <grp.h>
#include <pwd.h>
#include <sys/types.h>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The groups of a user as a login sets them.
struct UserGroups {
    unsigned primary = 0;
    std::vector<gid_t> all = {}; ///< the primary one too
};

/// Asks the system's user database, which may read files and ask servers. Nothing if it does not
/// have the user.
[[nodiscard]] inline std::optional<UserGroups> groups_of_user(unsigned user) {
    constexpr std::size_t most = std::size_t{1024} * 1024; // bytes of an entry
    std::vector<char> text(1024);
    passwd entry = {};
    passwd* found = nullptr;
    while (::getpwuid_r(user, &entry, text.data(), text.size(), &found) == ERANGE &&
           text.size() < most)
        text.resize(2 * text.size());
    if (found == nullptr) return std::nullopt;
    UserGroups groups{.primary = entry.pw_gid, .all = std::vector<gid_t>(16)};
    int count = 16;
    while (::getgrouplist(entry.pw_name, entry.pw_gid, groups.all.data(), &count) < 0) {
        // Systems that do not tell how many there are get twice the room.
        count = std::max(count, 2 * static_cast<int>(groups.all.size()));
        groups.all.resize(static_cast<std::size_t>(count));
    }
    groups.all.resize(static_cast<std::size_t>(count));
    return groups;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
