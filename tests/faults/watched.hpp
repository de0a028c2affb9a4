// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/runtime/probe_worker.hpp>

/// What a worker made of its first attempt.
struct Watched {
    std::error_code error;
    probekit::ProbeResult result;
    bool counted = false; ///< a counter moved
    probekit::Health health = probekit::Health::unknown;
};

/// Runs one check of a worker with a failure threshold of one. `meanwhile` is
/// called in the event loop once the attempt has started, before anything else happens.
template <class P>
Watched watch(asio::io_context& io, P probe, probekit::Duration timeout = std::chrono::seconds{20},
              const std::function<void()>& meanwhile = {}) {
    using namespace probekit;
    struct Watcher {
        asio::io_context* loop;
        const std::function<void()>* meanwhile;
        std::optional<Watched>* first;

        void attempt_begun(const AttemptBegun& begun) const {
            if (begun.number == 1 && *meanwhile) asio::post(*loop, *meanwhile);
        }
        void attempt_ended(const AttemptEnded& ended) const {
            if (*first) return;
            *first = Watched{ended.error, ended.result, ended.counted};
        }
    };
    std::optional<Watched> first;
    ProbeWorker worker{std::move(probe),
                       ProbeSpec{.kind = ProbeKind::liveness,
                                 .period = std::chrono::hours{1},
                                 .timeout = timeout,
                                 .failure_threshold = 1},
                       Watcher{&io, &meanwhile, &first}};
    worker.start();
    io.restart();
    while (!first) io.run_one_for(std::chrono::seconds{60});
    first->health = worker.health();
    return std::move(*first);
}
