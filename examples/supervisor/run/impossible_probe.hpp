// A probe that a manifest demands and no kubelet can carry out, as on a port
// name that the container does not declare. Each attempt is a prober error, which changes nothing;
// a kubelet does the same.
#pragma once

#include <string>
#include <system_error>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/post.hpp>

#include <probekit/probes/probe.hpp>

namespace supervisor {

class ImpossibleProbe {
public:
    using executor_type = asio::any_io_executor;
    static constexpr bool enforces_timeout = true; // it never takes any time

    ImpossibleProbe(executor_type executor, std::string why)
        : executor_(std::move(executor)), why_(std::move(why)) {}

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

    template <class Token>
    auto async_probe(probekit::Duration, Token&& token) {
        return asio::async_initiate<Token, probekit::ProbeSignature>(
            [executor = executor_, why = why_](auto handler) {
                const auto where = asio::get_associated_executor(handler, executor);
                asio::post(where, [handler = std::move(handler), why]() mutable {
                    probekit::ProbeResult result;
                    result.output = std::move(why);
                    std::move(handler)(std::make_error_code(std::errc::invalid_argument),
                                       std::move(result));
                });
            },
            token);
    }

private:
    executor_type executor_;
    std::string why_;
};

} // namespace supervisor
