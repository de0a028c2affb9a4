// What all pods of one supervisor share.
#pragma once

#include <asio/any_io_executor.hpp>

#include <probekit/runtime/attempt_limit.hpp>

#include "manifest/manifest_clock.hpp"
#include "manifest/options.hpp"
#include "run/enclosure.hpp"
#include "run/hook_permits.hpp"
#include "run/log_router.hpp"
#include "view/event_recorder.hpp"
#include "view/output.hpp"

namespace supervisor {

/// Everything it refers to outlives the pods. All of it is used from the executor's one thread.
struct Supervision {
    asio::any_io_executor executor;
    const Options& options;
    const ManifestClock& clock;
    EventRecorder& events;
    LogRouter& logs;
    Output& output;
    Enclosures& enclosures;
    probekit::AttemptLimit& attempts; ///< of all probes
    HookPermits& hook_permits;
};

} // namespace supervisor
