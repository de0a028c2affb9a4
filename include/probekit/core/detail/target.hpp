// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <string>

namespace probekit::inline v0::detail {

/// What a message says of the target. Made once per probe and shared with its results, so that a failed look need not
/// build a text nobody asked for.
struct Target {
    enum class Kind : std::uint8_t { exec, tcp, http };

    Kind kind = Kind::tcp;
    std::string host = {};    ///< tcp, http: as configured, without brackets
    std::string address = {}; ///< tcp, http: what is dialled, as Go writes it: "127.0.0.1:80", "[::1]:80"
    std::string url = {};     ///< http: the first request's URL
    std::string command = {}; ///< exec: the words, joined with blanks
};

} // namespace probekit::inline v0::detail
