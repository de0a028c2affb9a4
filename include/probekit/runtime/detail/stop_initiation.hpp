// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <utility>

#include <asio/any_io_executor.hpp>

#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Starts an async_stop() of a group or of a supervised process. A lazy token keeps it, and may
/// call it after the handle has gone.
template <class Core>
struct StopInitiation {
    using executor_type = asio::any_io_executor;
    Ref<Core> core;
    [[nodiscard]] executor_type get_executor() const noexcept { return core->executor(); }
    template <class Handler>
    void operator()(Handler&& handler) const {
        core->stop_and_wait(std::forward<Handler>(handler));
    }
};

} // namespace probekit::inline PROBEKIT_ABI::detail
