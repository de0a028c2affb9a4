// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/probe_spec.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// What each kind of action can be told beyond Kubernetes. Those of the other kinds do not count.
struct ProbeOptions {
    ExecOptions exec = {};
    TcpOptions tcp = {};
    HttpOptions http = {};
};

/// All that there is to say about one probe: what it does, how, and when. The value that
/// kubernetes::read_probe() reads, kubernetes::write_probe() writes and make_probe() takes.
/// \code
/// const ProbeSettings settings{.action = HttpGetAction{.port = 8080, .path = "/healthz"},
///                              .options = {.http = {.keep_output = true}},
///                              .spec = {.kind = ProbeKind::liveness, .period = 5s}};
/// ProbeWorker worker{make_probe(io.get_executor(), settings), settings.spec};
/// worker.start();
/// \endcode
struct ProbeSettings {
    ProbeAction action = {};
    ProbeOptions options = {};
    ProbeSpec spec = {};
};

} // namespace probekit::inline PROBEKIT_ABI
