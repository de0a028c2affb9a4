// The command line of the supervisor.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <probekit/core/duration.hpp>

namespace supervisor {

/// What is done about fields that Kubernetes does not know, and about keys that are given twice.
enum class Validation {
    strict, ///< an error, as for kubectl
    warn,
    ignore,
};

enum class OutputFormat { text, wide, json };

/// Where the output of containers goes.
enum class LogTarget {
    prefix,    ///< standard error, each line after "[pod/POD/CONTAINER] "
    none,      ///< nowhere
    directory, ///< Options::log_directory/NAMESPACE_POD/CONTAINER.log
};

struct Options {
    bool help = false;    ///< -h: print usage(), exit 0; all else is ignored
    bool version = false; ///< --version: print it, exit 0; all else is ignored
    bool dry_run = false; ///< read and validate, say what would run, exit
    Validation validate = Validation::strict;
    /// For programs that run nothing: images without command need no --image, gRPC probes are
    /// taken, and CronJobs give pods like Jobs.
    bool simulate = false;
    std::vector<std::string> files = {}; ///< at least one; "-" is standard input, at most once
    OutputFormat output = OutputFormat::text;
    std::map<std::string, std::vector<std::string>, std::less<>> images =
        {};                ///< --image: name to program and arguments
    double time_scale = 1; ///< 0.001 to 1,000,000; manifest time = real time * time_scale
    std::optional<probekit::Duration> duration = {}; ///< --duration, in manifest time
    bool pid_namespace = false;
    bool container_scoped_probes = false; ///< --feature-gates: probes have Cadence::target_start
    LogTarget logs = LogTarget::prefix;
    std::string log_directory = {};
};

/// The command line has a mistake. The caller prints what() and exits with status 2.
class UsageError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// `arguments`: those after the program's name. Options and files may stand in any order.
/// `--option=value` and `-oVALUE` are understood, and `--` ends the options. Throws UsageError.
[[nodiscard]] Options parse_options(std::span<const char* const> arguments);

/// Parses a duration: Go's form ("30s", "5m", "1h30m", "250ms") or a number of seconds ("1.5").
/// Returns nothing for any other text, and for durations that are negative or too long for
/// probekit::Duration.
[[nodiscard]] std::optional<probekit::Duration> parse_duration(std::string_view text);

/// The duration that an option gives: at most a hundred years, so that sums with it are times still.
/// Throws UsageError.
[[nodiscard]] probekit::Duration to_duration(std::string_view option, std::string_view text);

/// The text of --help.
[[nodiscard]] std::string_view usage() noexcept;

} // namespace supervisor
