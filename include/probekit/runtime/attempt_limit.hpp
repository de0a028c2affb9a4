// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>

#include <asio/detail/throw_exception.hpp>

#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/error.hpp>
#include <probekit/runtime/detail/limit_state.hpp>

namespace probekit::inline PROBEKIT_ABI {

namespace detail {
struct LimitAccess;
} // namespace detail

/// Bounds how many attempts are in flight at once, over all workers that share the limit.
/// \code
/// AttemptLimit limit{64};
/// std::vector<ProbeWorker<TcpProbe>> workers;
/// for (std::uint16_t port = 8000; port != 9000; ++port) {
///     workers.emplace_back(TcpProbe{io, {.port = port}}, ProbeSpec{});
///     workers.back().limit(limit);
///     workers.back().start();
/// }
/// \endcode
///
/// An attempt holds a permit while it is in flight. A check that is due when no permit is left
/// waits for one: first due, first served. The wait shows as `late` in AttemptBegun, and does not
/// count towards the timeout.
///
/// Threads: every member may be called from any thread. A limit may be destroyed while workers use
/// it: they keep its state.
class AttemptLimit {
public:
    /// Throws ConfigException if `max_in_flight` is 0, and std::bad_alloc.
    explicit AttemptLimit(std::size_t max_in_flight)
        : state_(new detail::LimitState{validated(max_in_flight)}) {}

    AttemptLimit(AttemptLimit&&) noexcept = default;
    AttemptLimit& operator=(AttemptLimit&&) noexcept = default;

    /// The number of attempts that hold a permit now.
    [[nodiscard]] std::size_t in_flight() const noexcept { return state_->taken(); }

    /// The number of checks that are due and wait for a permit.
    [[nodiscard]] std::size_t waiting() const noexcept { return state_->waiting(); }

private:
    friend detail::LimitAccess;

    static std::size_t validated(std::size_t max_in_flight) {
        if (max_in_flight == 0)
            asio::detail::throw_exception(
                ConfigException{ConfigErrors{{"max_in_flight", "must be greater than zero"}}});
        return max_in_flight;
    }

    detail::Ref<detail::LimitState> state_;
};

namespace detail {

/// For the workers of this library.
struct LimitAccess {
    [[nodiscard]] static const Ref<LimitState>& state(const AttemptLimit& limit) noexcept {
        return limit.state_;
    }
};

} // namespace detail
} // namespace probekit::inline PROBEKIT_ABI
