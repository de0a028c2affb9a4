#include "run/probe_maker.hpp"

#include <utility>
#include <variant>

#if SUPERVISOR_SPEAKS_HTTPS
#include <probekit/tls/https_get_probe.hpp>
#endif

#include "run/impossible_probe.hpp"
#include "run/namespaced_probe.hpp"

namespace supervisor {

probekit::AnyProbe make_kubelet_probe(const asio::any_io_executor& executor,
                                      const Enclosure& enclosure, probekit::ProbeSettings settings,
                                      const std::string& cannot_ask) {
    if (!cannot_ask.empty()) return ImpossibleProbe{executor, cannot_ask};
    if (auto* const command = std::get_if<probekit::ExecAction>(&settings.action)) {
        enclosure.enclose(*command, settings.options.exec);
        if (enclosure.has_pid_namespace())
            return NamespacedProbe{executor, enclosure, std::move(*command), settings.options.exec};
    }
#if SUPERVISOR_SPEAKS_HTTPS
    // Like a kubelet's, it takes any certificate.
    return probekit::make_probe(executor, settings, probekit::tls::Maker{});
#else
    return probekit::make_probe(executor, settings);
#endif
}

} // namespace supervisor
