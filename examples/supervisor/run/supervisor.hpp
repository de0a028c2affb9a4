// The supervisor as a whole: all pods, from their start to the exit status.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <probekit/runtime/attempt_limit.hpp>

#include "manifest/manifest_clock.hpp"
#include "manifest/options.hpp"
#include "manifest/pod_spec.hpp"
#include "run/enclosure.hpp"
#include "run/guardian_watch.hpp"
#include "run/hook_permits.hpp"
#include "run/log_router.hpp"
#include "run/orphan_reaper.hpp"
#include "run/pod_runner.hpp"
#include "run/supervision.hpp"
#include "view/event_recorder.hpp"
#include "view/line_writer.hpp"
#include "view/output.hpp"

namespace supervisor {

enum class ExitCode : int {
    success = 0,
    pod_failed = 1,  ///< one had failed before the supervisor was to end
    wrong_input = 2, ///< usage or manifest; nothing was started
    broken = 3,      ///< the supervisor itself could not go on
};

class Supervisor {
public:
    /// Both arguments outlive it. Throws probekit::ConfigException for a probe that cannot be made
    /// and std::filesystem::filesystem_error for a log directory that cannot be; nothing has been
    /// started then.
    Supervisor(const Options& options, const std::vector<PodSpec>& pods);

    /// Runs all pods until they have ended by themselves or are ended: by SIGINT, SIGTERM,
    /// SIGHUP (unless it is ignored) or the end of --duration.
    [[nodiscard]] ExitCode run();

private:
    void await_signal();
    void await_end_of_duration();
    void remove_pods();
    void pod_ended();
    bool show_what_was_missed();
    [[nodiscard]] bool all_ended() const;

    const Options& options_;
    Enclosures enclosures_;
    asio::io_context io_;
    LineWriter standard_output_;
    LineWriter standard_error_;
    ManifestClock clock_;
    std::unique_ptr<Output> output_;
    EventRecorder events_;
    LogRouter logs_;
    probekit::AttemptLimit attempts_;
    HookPermits hook_permits_;
    Supervision supervision_;
    asio::signal_set signals_;
    OrphanReaper orphans_;
    GuardianWatch guardian_;
    asio::steady_timer duration_;
    bool removing_ = false;
    std::deque<PodRunner> pods_;
    std::size_t shown_again_ = 0; // how many pods, since lines were dropped
};

} // namespace supervisor
