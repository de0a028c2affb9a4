#pragma once

#include <system_error>
#include <utility>

#include <asio/io_context.hpp>

#include <probekit/process/process.hpp>

namespace supervisor {

/// Whether this system lets a process start with these settings: seen by doing it.
[[nodiscard]] inline std::error_code try_start(probekit::ProcessSpec settings) {
    asio::io_context io;
    probekit::Process process{io};
    settings.command = {"true"};
    settings.output = probekit::ProcessOutput::discard;
    return process.start(settings);
}

} // namespace supervisor
