// The command line of timeline.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <probekit/core/duration.hpp>

namespace timeline {

/// What the target is like, where no recording says it.
struct TargetOptions {
    /// Between the request to start it and running, as a container runtime takes it.
    probekit::Duration creation_takes = std::chrono::milliseconds{500};
    std::optional<probekit::Duration> starts_after = {}; ///< it answers from that age on
    std::optional<probekit::Duration> fails_after = {};  ///< it fails from that age on
    std::optional<probekit::Duration> exits_after = {};
    int exit_code = 1;
    probekit::Duration ends_in = {}; ///< after SIGTERM; Duration::max(): it ignores SIGTERM
    bool hangs = false;              ///< what fails does so by not answering
    std::optional<probekit::Duration> attempt_takes = {};
};

struct Options {
    bool help = false;                   ///< nothing else here counts
    std::vector<std::string> files = {}; ///< may be empty if there is a recording
    std::string container = {};          ///< only this one; empty: all
    TargetOptions target = {};
    std::string replay = {}; ///< a recording instead of `target`
    std::optional<probekit::Duration> duration =
        {}; ///< else five minutes, or as long as the recording is
    std::optional<probekit::Duration> stop_after = {}; ///< the pod is deleted then
    bool container_scoped_probes = false;
    bool both_cadences = false;
    bool all_checks = false;
    std::string svg = {};
};

/// `arguments` are those after the program's name. Throws supervisor::UsageError.
[[nodiscard]] Options parse_options(std::span<const char* const> arguments);

/// The text of --help.
[[nodiscard]] std::string_view usage() noexcept;

} // namespace timeline
