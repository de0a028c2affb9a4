// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <utility>

#include <asio/ip/basic_resolver_results.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/socket_base.hpp>

#include <probekit/async/detail/block_pool.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/op_memory.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/probes/detail/begin_connect.hpp>
#include <probekit/probes/detail/deadline.hpp>
#include <probekit/probes/detail/dial_fsm.hpp>
#include <probekit/probes/detail/dial_target.hpp>
#include <probekit/probes/detail/stream_socket.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Dials the addresses of a name, of which there are several, as DialFsm decides: on two sockets at
/// most. A pending wait owns the race, and the race owns the attempt until it gives it back by
/// `attempt.race_ended(attempt, race)`. It lies in the context's pool.
template <class Attempt, class IoExecutor>
class DialRace final : public RefCounted<DialRace<Attempt, IoExecutor>>, public WheelNode {
public:
    using Addresses = asio::ip::basic_resolver_results<asio::ip::tcp>;
    using Endpoint = asio::ip::tcp::endpoint;

    enum class Ending : std::uint8_t {
        connected, ///< endpoint() is in take_socket()
        failed,    ///< error() is why the first address, endpoint(), failed
        aborted,   ///< stopped, or the event loop could not wait: error()
    };

    /// Null if there is no memory. `waits`: the sockets will have to be waited for.
    [[nodiscard]] static Ref<DialRace> make(const Addresses& addresses, const IoExecutor& io,
                                            const Ref<Wheel>& wheel, const DialSettings& settings,
                                            bool waits, TimePoint deadline, Duration timeout) {
        void* const memory = wheel->context().pool().try_allocate(sizeof(DialRace));
        if (memory == nullptr) return {};
        return Ref<DialRace>{
            ::new (memory) DialRace(addresses, io, wheel, settings, waits, deadline, timeout)};
    }

    static void start(Ref<DialRace> self, Ref<Attempt>&& attempt) {
        self->attempt_ = std::move(attempt);
        handle(std::move(self),
               [](DialRace& race) { race.carry_out(race.machine_.start(race.wheel_->now())); });
    }

    /// Ends the pending waits, whose steps end the race. From any thread, while the race has the
    /// attempt.
    void cancel() noexcept {
        const std::lock_guard lock{mutex_};
        is_stopped_ = true;
        for (Lane& lane : lanes_) lane.socket.cancel();
    }

    // Once the race has ended:
    [[nodiscard]] Ending ending() const noexcept { return *ending_; }
    [[nodiscard]] std::error_code error() const noexcept { return error_; }
    /// Why the first address failed; empty if it has not.
    [[nodiscard]] std::error_code first_failure() const noexcept { return first_failure_; }
    [[nodiscard]] const Endpoint& endpoint() const noexcept { return winner().endpoint; }
    [[nodiscard]] StreamSocket<IoExecutor>&& take_socket() noexcept {
        return std::move(winner().socket);
    }

    void destroy() noexcept {
        const Ref<Wheel> wheel = wheel_;
        this->~DialRace();
        wheel->context().pool().deallocate(this, sizeof(DialRace));
    }

private:
    using Which = DialFsm::Lane;
    using NextAddress = Addresses::const_iterator;

    struct Lane {
        StreamSocket<IoExecutor> socket;
        NextAddress next;
        Endpoint endpoint; // the one that is being dialled
        OpMemory op_memory;
        bool is_abandoned = false;
    };

    struct Writable {
        using allocator_type = OpAllocator<void>;
        Ref<DialRace> race;
        Which which;
        [[nodiscard]] allocator_type get_allocator() const noexcept {
            return allocator_type{race->lane(which).op_memory};
        }
        void operator()(std::error_code error) {
            handle(std::move(race), [=, this](DialRace& self) { self.writable(which, error); });
        }
    };

    DialRace(const Addresses& addresses, const IoExecutor& io, const Ref<Wheel>& wheel,
             const DialSettings& settings, bool waits, TimePoint deadline, Duration timeout)
        : WheelNode(hooks),
          io_(io),
          wheel_(wheel),
          settings_(settings),
          first_endpoint_(addresses.begin()->endpoint()),
          machine_(count(addresses), deadline),
          timeout_(timeout),
          waits_(waits) {
        for (Lane& lane : lanes_) lane.next = addresses.begin();
    }

    // Ended, or destroyed with its context, before or after the wheel is shut down.
    ~DialRace() {
        wheel_->disarm(*this);
        if (attempt_) attempt_->leave_race();
    }

    [[nodiscard]] static bool is_of_first_family(const Addresses& addresses,
                                                 const Endpoint& endpoint) {
        return endpoint.protocol() == addresses.begin()->endpoint().protocol();
    }

    [[nodiscard]] static std::array<std::size_t, 2> count(const Addresses& addresses) {
        std::size_t first = 0;
        for (const auto& entry : addresses) first += is_of_first_family(addresses, entry) ? 1 : 0;
        return {first, addresses.size() - first};
    }

    [[nodiscard]] Lane& lane(Which which) noexcept {
        return lanes_[static_cast<std::size_t>(which)];
    }
    [[nodiscard]] Lane& winner() noexcept { return lane(winner_); }
    [[nodiscard]] const Lane& winner() const noexcept {
        return lanes_[static_cast<std::size_t>(winner_)];
    }

    /// Lets `event` happen, unless the race is over, and gives the attempt back if it is over now.
    template <class Event>
    static void handle(Ref<DialRace> self, Event event) {
        Ref<Attempt> attempt;
        {
            DialRace& race = *self;
            const std::lock_guard lock{race.mutex_};
            if (race.ending_) return;
            event(race);
            if (race.ending_) {
                race.wheel_->disarm(race);
                attempt = std::move(race.attempt_);
            } else if (const TimePoint due = race.machine_.next_due(); due != TimePoint::max()) {
                race.wheel_->arm(race, due);
            }
        }
        if (!attempt) return;
        Attempt& waiting = *attempt;
        waiting.race_ended(std::move(attempt), std::move(self));
    }

    // What follows is called under the mutex.

    void writable(Which which, std::error_code error) {
        Lane& mine = lane(which);
        if (error && (is_stopped_ || !mine.is_abandoned)) return end(Ending::aborted, error);
        const int failure = error ? 0 : socket_error(mine.socket.get());
        if (!error && failure == 0) return connected(which);
        note_failure(which, error ? make_error_code(Errc::timed_out)
                                  : connect_error(failure, mine.endpoint, settings_));
        carry_out(machine_.failed(which, wheel_->now()));
    }

    void due() {
        const TimePoint now = wheel_->now();
        const Duration late = now - machine_.next_due();
        if (renewal_.grant(late, timeout_)) return machine_.postpone(late);
        carry_out(machine_.due(now));
    }

    void carry_out(DialFsm::Decision decision) {
        for (;;) {
            if (is_stopped_) return end(Ending::aborted, asio::error::operation_aborted);
            if (decision.over) return end(Ending::failed, first_failure_);
            std::optional<Which> failed;
            for (const Which which : DialFsm::lanes) {
                const DialFsm::Order order = decision.order(which);
                if (order == DialFsm::Order::abandon) {
                    lane(which).is_abandoned = true;
                    lane(which).socket.cancel(); // its step comes then
                } else if (order == DialFsm::Order::dial && !dial(which)) {
                    failed = which;
                }
            }
            if (ending_ || !failed) return;
            decision = machine_.failed(*failed, wheel_->now());
        }
    }

    /// Dials the lane's next address. False: that has failed already.
    [[nodiscard]] bool dial(Which which) {
        Lane& mine = lane(which);
        const bool is_first = which == Which::first;
        do mine.endpoint = *mine.next++;
        while ((mine.endpoint.protocol() == first_endpoint_.protocol()) != is_first);
        mine.is_abandoned = false;
        const int error = begin_connect(
            mine.socket, io_, [] { return 0; }, mine.endpoint, settings_, waits_,
            wheel_->context().client_ports());
        if (error == 0) {
            connected(which);
        } else if (error != EINPROGRESS) {
            note_failure(which, connect_error(error, mine.endpoint, settings_));
            return false;
        } else if (const std::error_code refused = mine.socket.async_wait(
                       asio::socket_base::wait_write, io_, Writable{Ref{this}, which})) {
            end(Ending::aborted, refused);
        }
        return true;
    }

    void note_failure(Which which, std::error_code why) noexcept {
        lane(which).socket.close();
        if (which == Which::first && !first_failure_) first_failure_ = why;
    }

    void connected(Which which) noexcept {
        winner_ = which;
        end(Ending::connected, {});
    }

    void end(Ending ending, std::error_code error) noexcept {
        ending_ = ending;
        error_ = error;
        for (Lane& each : lanes_) {
            if (ending == Ending::connected && &each == &winner()) continue;
            if (each.socket.is_open()) prepare_close(each.socket.get(), settings_.close);
            each.socket.close();
        }
        if (ending != Ending::connected) winner().endpoint = first_endpoint_;
    }

    static inline const WheelHooks hooks{
        .retain = [](WheelNode& node) noexcept { static_cast<DialRace&>(node).retain(); },
        .fire =
            [](WheelNode& node) {
                handle(Ref<DialRace>::adopt(&static_cast<DialRace&>(node)),
                       [](DialRace& race) { race.due(); });
            },
    };

    IoExecutor io_;
    Ref<Wheel> wheel_;
    Ref<Attempt> attempt_;
    const DialSettings settings_; // of the attempt's target
    const Endpoint first_endpoint_;
    Mutex mutex_;
    DialFsm machine_;
    std::array<Lane, 2> lanes_;
    Duration timeout_;
    DeadlineRenewal renewal_;
    std::error_code first_failure_;
    std::error_code error_;
    std::optional<Ending> ending_;
    Which winner_ = Which::first;
    const bool waits_;
    bool is_stopped_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
