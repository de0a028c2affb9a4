#include "run/probe_maker.hpp"

#if SUPERVISOR_SPEAKS_HTTPS
#include <probekit/tls/https_get_probe.hpp>
#endif

#include "run/impossible_probe.hpp"

namespace supervisor {

probekit::AnyProbe make_kubelet_probe(const asio::any_io_executor& executor,
                                      const probekit::ProbeSettings& settings,
                                      const std::string& cannot_ask) {
    if (!cannot_ask.empty()) return ImpossibleProbe{executor, cannot_ask};
#if SUPERVISOR_SPEAKS_HTTPS
    // Like a kubelet's, it takes any certificate.
    return probekit::make_probe(executor, settings, probekit::tls::Maker{});
#else
    return probekit::make_probe(executor, settings);
#endif
}

} // namespace supervisor
