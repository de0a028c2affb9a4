// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <system_error>
#include <utility>

#include <asio/cancellation_signal.hpp>

#include <probekit/async/detail/block_pool.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/attempt_owner.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The one handler type that workers and AnyProbe hand to probes, so that the attempt of each probe
/// is compiled once for all of them.
template <class Executor>
class OwnedAttemptHandler {
public:
    using executor_type = Executor;
    using allocator_type = PoolAllocator<void>;
    using cancellation_slot_type = asio::cancellation_slot;

    explicit OwnedAttemptHandler(Ref<AttemptOwner<Executor>> owner) noexcept
        : owner_(std::move(owner)) {}
    OwnedAttemptHandler(OwnedAttemptHandler&&) noexcept = default;
    OwnedAttemptHandler& operator=(OwnedAttemptHandler&&) noexcept = default;

    [[nodiscard]] executor_type get_executor() const noexcept { return owner_->attempt_executor(); }
    [[nodiscard]] allocator_type get_allocator() const noexcept {
        return allocator_type{owner_->attempt_context().pool()};
    }
    [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
        return owner_->attempt_slot();
    }

    [[nodiscard]] AttemptOwner<Executor>& owner() const noexcept { return *owner_; }
    /// False once it has been called.
    explicit operator bool() const noexcept { return static_cast<bool>(owner_); }

    void operator()(std::error_code error, ProbeResult&& result) {
        invoke(TimePoint::min(), error, std::move(result));
    }
    void operator()(std::error_code error, const ProbeResult& result) {
        (*this)(error, ProbeResult{result});
    }

    /// The same at a time that is known. The result stays in place until the owner has read it.
    void invoke(TimePoint at, std::error_code error, ProbeResult&& result) {
        AttemptOwner<Executor>& notified = *owner_;
        notified.on_attempt_done(std::move(owner_), at, error, std::move(result));
    }

private:
    Ref<AttemptOwner<Executor>> owner_;
};

template <class T>
inline constexpr bool is_owned_attempt_handler = false;
template <class Executor>
inline constexpr bool is_owned_attempt_handler<OwnedAttemptHandler<Executor>> = true;

} // namespace probekit::inline PROBEKIT_ABI::detail
