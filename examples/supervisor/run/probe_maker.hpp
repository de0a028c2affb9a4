// The probes of manifests and of hooks, made by the library; with TLS if the supervisor was built
// with it.
#pragma once

#include <string>
#include <vector>

#include <asio/any_io_executor.hpp>

#include <probekit/core/actions.hpp>
#include <probekit/probes/any_probe.hpp>

namespace supervisor {

/// `expect`: of an HTTP answer. `unix_socket`: instead of host and port, if not empty. Throws
/// probekit::ConfigException for what cannot be made.
[[nodiscard]] probekit::AnyProbe make_kubelet_probe(
    const asio::any_io_executor& executor, probekit::ProbeAction action, std::string user_agent,
    std::vector<probekit::http::Expectation> expect = {}, const std::string& unix_socket = {});

} // namespace supervisor
