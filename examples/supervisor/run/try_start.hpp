// Finds out by doing it what this system lets a process do at its start.
#pragma once

#include <system_error>

#include <asio/io_context.hpp>

#include <probekit/process/process.hpp>

namespace supervisor {

/// Starts `true` with these settings. Returns why it could not be started.
[[nodiscard]] inline std::error_code try_start(probekit::ProcessSpec settings) {
    asio::io_context io;
    probekit::Process process{io};
    settings.command = {"true"};
    settings.output = probekit::ProcessOutput::discard;
    return process.start(settings);
}

} // namespace supervisor
