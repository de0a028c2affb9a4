// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>

#include <probekit/core/duration.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/probes/probe.hpp>

/// Records what a worker notifies its observer of, in order.
struct Journal {
    std::vector<std::string> lines = {};

    void attempt_begun(const probekit::AttemptBegun& begun) {
        lines.push_back("begun " + std::to_string(begun.number) + "." +
                        std::to_string(begun.attempt_in_check));
    }
    void attempt_ended(const probekit::AttemptEnded& ended) {
        lines.push_back(
            "ended " + std::to_string(ended.number) + "." + std::to_string(ended.attempt_in_check) +
            (ended.error ? " error" : " " + std::string{to_string(ended.result.outcome)}) +
            (ended.counted   ? ""
             : ended.retried ? " retried"
                             : " not counted"));
    }
    void verdict_changed(const probekit::Verdict& verdict) {
        lines.push_back("verdict " + std::string{to_string(verdict.health)});
    }
    void state_changed(const probekit::StateChanged& state) {
        lines.push_back(std::string{to_string(state.from)} + "->" +
                        std::string{to_string(state.to)});
    }
    void checks_skipped(const probekit::ChecksSkipped& skipped) {
        lines.push_back("skipped " + std::to_string(skipped.count));
    }

    [[nodiscard]] std::vector<std::string> take() { return std::exchange(lines, {}); }
};

using Lines = std::vector<std::string>;

/// A probe that cannot even begin: its initiation throws.
struct Broken {
    using executor_type = asio::any_io_executor;
    executor_type executor;
    std::error_code error;
    [[nodiscard]] executor_type get_executor() const { return executor; }
    template <class Token>
    auto async_probe(probekit::Duration, Token&& token) {
        return asio::async_initiate<Token, probekit::ProbeSignature>(
            [thrown = error](auto) { throw std::system_error{thrown}; }, token);
    }
};
