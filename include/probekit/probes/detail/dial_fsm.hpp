// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// When each of a name's addresses is dialled, as Go's dialer decides it (RFC 6555): first those of
/// the family of the first address, one after the other. Those of the other family beside them,
/// after 300 ms, or as soon as the first ones have failed. An address gets its share of what is
/// left of the time, and at least two seconds while there is that much. It has no clock and no
/// socket: each call says what happened, and returns what the caller must do now.
template <class = OnUse>
class BasicDialFsm {
public:
    /// The families of addresses, dialled side by side.
    enum class Lane : std::uint8_t { first, other };
    static constexpr std::array lanes{Lane::first, Lane::other};

    /// What must be done in one lane.
    enum class Order : std::uint8_t {
        none,
        dial,    ///< dial its next address, and report failed() if that fails
        abandon, ///< the address has had its time: end the attempt at it, and report failed()
    };

    struct Decision {
        std::array<Order, 2> orders = {};
        bool over = false; ///< no address is left, and none is being dialled

        [[nodiscard]] Order order(Lane lane) const noexcept {
            return orders[static_cast<std::size_t>(lane)];
        }
    };

    static constexpr Duration fallback_delay = std::chrono::milliseconds{300};
    static constexpr Duration least_share = std::chrono::seconds{2};

    /// `counts`: how many addresses each lane has; the first has one at least. `deadline`:
    /// TimePoint::max() if there is none.
    BasicDialFsm(std::array<std::size_t, 2> counts, TimePoint deadline) noexcept
        : deadline_(deadline) {
        PROBEKIT_ASSERT(counts[0] != 0);
        for (std::size_t i = 0; i != 2; ++i) states_[i].left = counts[i];
    }

    [[nodiscard]] Decision start(TimePoint now) noexcept {
        if (state(Lane::other).left != 0) fallback_at_ = saturating_add(now, fallback_delay);
        Decision decision;
        begin_next(Lane::first, now, decision);
        return judged(decision);
    }

    /// The address that the lane was to dial has failed, or has been abandoned.
    [[nodiscard]] Decision failed(Lane lane, TimePoint now) noexcept {
        PROBEKIT_ASSERT(state(lane).is_dialling);
        state(lane).is_dialling = false;
        Decision decision;
        begin_next(lane, now, decision);
        if (lane == Lane::first && !state(lane).is_dialling) begin_fallback(now, decision);
        return judged(decision);
    }

    /// When due() is to be called; TimePoint::max(): not at all.
    [[nodiscard]] TimePoint next_due() const noexcept {
        return std::min({fallback_at_, states_[0].ends_at, states_[1].ends_at});
    }

    [[nodiscard]] Decision due(TimePoint now) noexcept {
        Decision decision;
        if (fallback_at_ <= now) begin_fallback(now, decision);
        for (const Lane lane : lanes) {
            if (state(lane).ends_at > now) continue;
            state(lane).ends_at = TimePoint::max();
            decision.orders[static_cast<std::size_t>(lane)] = Order::abandon;
        }
        return judged(decision);
    }

    /// The event loop was so late that the addresses had no time: everything is due later.
    void postpone(Duration late) noexcept {
        for (TimePoint* const each :
             {&deadline_, &fallback_at_, &states_[0].ends_at, &states_[1].ends_at})
            *each = saturating_add(*each, late);
    }

private:
    struct State {
        std::size_t left = 0;                 // addresses that have not been dialled
        TimePoint ends_at = TimePoint::max(); // the share of the address that is being dialled
        bool is_dialling = false;
    };

    [[nodiscard]] State& state(Lane lane) noexcept {
        return states_[static_cast<std::size_t>(lane)];
    }

    void begin_fallback(TimePoint now, Decision& decision) noexcept {
        if (fallback_at_ == TimePoint::max()) return; // there is none, or it has begun
        fallback_at_ = TimePoint::max();
        begin_next(Lane::other, now, decision);
    }

    void begin_next(Lane lane, TimePoint now, Decision& decision) noexcept {
        State& mine = state(lane);
        mine.ends_at = TimePoint::max();
        if (mine.left == 0 || deadline_ <= now) {
            mine.left = 0;
            return;
        }
        if (deadline_ != TimePoint::max()) {
            const Duration left = deadline_ - now;
            const Duration share =
                std::max(left / static_cast<Duration::rep>(mine.left), std::min(left, least_share));
            // The deadline itself is the attempt's.
            if (share < left) mine.ends_at = now + share;
        }
        --mine.left;
        mine.is_dialling = true;
        decision.orders[static_cast<std::size_t>(lane)] = Order::dial;
    }

    [[nodiscard]] Decision judged(Decision decision) const noexcept {
        decision.over =
            !states_[0].is_dialling && !states_[1].is_dialling && fallback_at_ == TimePoint::max();
        return decision;
    }

    std::array<State, 2> states_ = {};
    TimePoint deadline_;
    TimePoint fallback_at_ = TimePoint::max(); // max: there is no other lane, or it has begun
};

using DialFsm = BasicDialFsm<>;

} // namespace probekit::inline PROBEKIT_ABI::detail
