// Kubernetes Pod manifests in, supervised local processes out.
#include <csignal>
#include <exception>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <system_error>

#include <fcntl.h>

#include <probekit/core/error.hpp>
#include <probekit/version.hpp>

#include "manifest/description.hpp"
#include "manifest/manifest.hpp"
#include "manifest/options.hpp"
#include "manifest/printable.hpp"
#include "run/supervisor.hpp"
#include "run/try_start.hpp"

namespace {

using supervisor::ExitCode;

/// A program that was started with closed standard streams would open its logs under their numbers,
/// and write its own lines into them.
void open_standard_streams() {
    for (int fd = 0; fd <= 2; ++fd) // each open() takes the lowest number that is free
        if (::fcntl(fd, F_GETFD) == -1) static_cast<void>(::open("/dev/null", O_RDWR));
}

void say(const std::string& text) { std::cerr << supervisor::printable(text) << '\n'; }

ExitCode wrong(const std::string& text) {
    say("supervisor: " + text);
    return ExitCode::wrong_input;
}

ExitCode run(std::span<const char* const> arguments) {
    const supervisor::Options options = supervisor::parse_options(arguments);
    if (options.help) {
        std::cout << supervisor::usage();
        return ExitCode::success;
    }
    if (options.version) {
        std::cout << "supervisor " PROBEKIT_VERSION "\n";
        return ExitCode::success;
    }
    const supervisor::Manifests manifests = supervisor::read_manifests(options);
    for (const std::string& warning : manifests.warnings) say(warning);
    for (const std::string& error : manifests.errors) say(error);
    if (!manifests.errors.empty()) return ExitCode::wrong_input;
    if (options.pid_namespace)
        if (const std::error_code error = supervisor::try_start({.pid_namespace = true}))
            return wrong("--pid-namespace: " + error.message());
    if (options.dry_run) {
        for (const supervisor::PodSpec& pod : manifests.pods)
            std::cout << supervisor::described(pod);
        return ExitCode::success;
    }

    // A reader of our output that has gone is an error of the write, and the pods are still ended
    // in order.
    std::signal(SIGPIPE, SIG_IGN);
    supervisor::Supervisor all{options, manifests.pods};
    return all.run();
}

} // namespace

int main(int argc, char** argv) {
    open_standard_streams();
    ExitCode code = ExitCode::broken;
    try {
        code = run({argv + 1, static_cast<std::size_t>(argc - 1)});
    } catch (const supervisor::UsageError& error) {
        code = wrong(error.what());
    } catch (const probekit::ConfigException& error) {
        code = wrong(error.what());
    } catch (const std::filesystem::filesystem_error& error) {
        code = wrong(error.what());
    } catch (const std::exception& error) { say(std::string{"supervisor: "} + error.what()); }
    return static_cast<int>(code);
}
