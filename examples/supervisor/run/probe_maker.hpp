#pragma once

#include <string>

#include <asio/any_io_executor.hpp>

#include <probekit/core/probe_settings.hpp>
#include <probekit/probes/any_probe.hpp>

#include "run/enclosure.hpp"

namespace supervisor {

/// The probe of a manifest's probe or hook; with TLS if the supervisor was built with it. Throws
/// probekit::ConfigException for settings that cannot be made into a probe.
///
/// A command is executed in the enclosure, which must outlive the probe and its attempts.
///
/// `cannot_ask`: not empty if no probe is to be made of the settings: each attempt is then a prober
/// error with this text.
[[nodiscard]] probekit::AnyProbe make_kubelet_probe(const asio::any_io_executor& executor,
                                                    const Enclosure& enclosure,
                                                    probekit::ProbeSettings settings,
                                                    const std::string& cannot_ask);

} // namespace supervisor
