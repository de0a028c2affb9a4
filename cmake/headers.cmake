# Every header of the library, by target. A test compares these lists with the files on disk.
set(PROBEKIT_HEADERS
    include/probekit/core/actions.hpp
    include/probekit/core/detail/message.hpp
    include/probekit/core/detail/target.hpp
    include/probekit/core/duration.hpp
    include/probekit/core/error.hpp
    include/probekit/core/outcome.hpp
    include/probekit/core/probe_spec.hpp
    include/probekit/core/result.hpp
    include/probekit/core/timing_wheel.hpp
    include/probekit/version.hpp
)

set(PROBEKIT_KUBERNETES_HEADERS
)
