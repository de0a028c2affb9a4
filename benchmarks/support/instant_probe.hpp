// A probe that costs nothing: what is left is the worker, its machine and the wheel.
#pragma once

#include <system_error>
#include <utility>

#include <asio/async_result.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>

#include <probekit/core/duration.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/owned_attempt_handler.hpp>
#include <probekit/probes/probe.hpp>

namespace bench {

class InstantProbe : public probekit::detail::BuiltinProbeTag {
public:
    using executor_type = asio::io_context::executor_type;
    static constexpr bool enforces_timeout = true;

    explicit InstantProbe(asio::io_context& io) : executor_(io.get_executor()) {}

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }
    [[nodiscard]] const executor_type& attempt_executor() const noexcept { return executor_; }

    void start_attempt(probekit::Duration,
                       probekit::detail::OwnedAttemptHandler<executor_type> handler) {
        handler(std::error_code{}, probekit::ProbeResult::success());
    }

    // Never used here, but a probe must offer it.
    template <class Token>
    auto async_probe(probekit::Duration, Token&& token) {
        return asio::async_initiate<Token, probekit::ProbeSignature>(
            [executor = executor_](auto handler) {
                asio::post(executor, [handler = std::move(handler)]() mutable {
                    std::move(handler)(std::error_code{}, probekit::ProbeResult::success());
                });
            },
            token);
    }

private:
    executor_type executor_;
};

} // namespace bench
