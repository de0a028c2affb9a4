#include <probekit/core/probe_spec.hpp>

int worst_case_seconds(const probekit::ProbeSpec& spec);

int main() { return worst_case_seconds({}) == 31 ? 0 : 1; }
