// An exec probe that runs in its container's PID namespace, which is another one after each start.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>

#include <asio/any_io_executor.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/post.hpp>

#include <probekit/core/actions.hpp>
#include <probekit/probes/exec_probe.hpp>

#include "run/enclosure.hpp"
#include "run/unique_fd.hpp"

namespace supervisor {

class NamespacedProbe {
public:
    using executor_type = asio::any_io_executor;
    static constexpr bool enforces_timeout = true;

    /// `enclosure` outlives the probe and its attempts.
    NamespacedProbe(executor_type executor, const Enclosure& enclosure, probekit::ExecAction action,
                    probekit::ExecOptions options)
        : executor_(std::move(executor)),
          enclosure_(&enclosure),
          action_(std::move(action)),
          options_(std::move(options)) {}

    [[nodiscard]] executor_type get_executor() const noexcept { return executor_; }

    /// An attempt while the container does not run is a prober error.
    template <class Token>
    auto async_probe(probekit::Duration timeout, Token&& token) {
        return asio::async_initiate<Token, probekit::ProbeSignature>(
            [probe = *this, timeout](auto handler) mutable {
                probe.start(timeout, std::move(handler));
            },
            token);
    }

private:
    template <class Handler>
    void start(probekit::Duration timeout, Handler handler) {
        // The process has not been reaped, so the number is its own.
        const std::string path = "/proc/" + std::to_string(enclosure_->pid()) + "/ns/pid";
        const UniqueFd name_space{enclosure_->pid() > 0 ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC)
                                                        : -1};
        if (name_space.get() < 0) {
            const auto where = asio::get_associated_executor(handler, executor_);
            return asio::post(where, [handler = std::move(handler)]() mutable {
                std::move(handler)(std::make_error_code(std::errc::no_such_process),
                                   probekit::ProbeResult{});
            });
        }
        options_.pid_namespace_fd = name_space.get();
        // The command is started inside this call.
        probekit::ExecProbe{executor_, std::move(action_), options_}.async_probe(
            timeout, std::move(handler));
    }

    executor_type executor_;
    const Enclosure* enclosure_;
    probekit::ExecAction action_;
    probekit::ExecOptions options_;
};

} // namespace supervisor
