#include <probekit/probekit.hpp>

int worst_case_seconds(const probekit::ProbeSpec& spec);

int worst_case_seconds(const probekit::ProbeSpec& spec) {
    return static_cast<int>(
        std::chrono::duration_cast<std::chrono::seconds>(worst_case_detection(spec)).count());
}
