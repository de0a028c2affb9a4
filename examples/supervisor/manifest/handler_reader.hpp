// Probes and lifecycle hooks of a container.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <probekit/core/duration.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/kubernetes/variables.hpp>

#include "manifest/environment.hpp"
#include "manifest/fields.hpp"
#include "manifest/pod_spec.hpp"

namespace supervisor {

/// Whether the supervisor was built with TLS, so that it can carry out handlers with scheme HTTPS.
inline constexpr bool speaks_https = SUPERVISOR_SPEAKS_HTTPS;

/// What the reader of a container's handlers needs to know.
struct HandlerContext {
    const ContainerSpec& container; ///< environment, working directory and ports
    const std::string& pod_ip;
    const probekit::kubernetes::Variables& variables; ///< as the manifest writes their values; exec
                                                      ///< probes expand no others
    probekit::Duration grace;                         ///< the pod's termination grace period
    Notices& notices;                                 ///< of fields that are not honoured
    ExpansionBudget& budget;                          ///< for the words of exec probes
    bool simulated; ///< nothing is run, so HTTPS and gRPC need not be built in
};

/// Reads the probe in this field of a container. Nothing if the field is not given.
[[nodiscard]] std::optional<ContainerProbe> read_container_probe(Fields& container,
                                                                 std::string_view name,
                                                                 probekit::ProbeKind kind,
                                                                 const HandlerContext& context);

/// Reads the hook in this field of a container's `lifecycle`. Nothing if the field is not given.
[[nodiscard]] std::optional<Hook> read_hook(Fields& lifecycle, std::string_view name,
                                            const HandlerContext& context);

} // namespace supervisor
