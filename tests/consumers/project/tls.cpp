#include <probekit/tls/https_get_probe.hpp>

// The room tls beside the others.
static_assert(probekit::Probe<probekit::tls::HttpsGetProbe>);
