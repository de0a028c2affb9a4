// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <concepts>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <sys/socket.h>

#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/attempt.hpp>
#include <probekit/probes/detail/begin_connect.hpp>
#include <probekit/probes/detail/dial_race.hpp>
#include <probekit/probes/detail/dial_target.hpp>
#include <probekit/probes/detail/literal_address.hpp>
#include <probekit/probes/detail/stream_socket.hpp>
#include <probekit/probes/detail/unix_address.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// The base of attempts that begin with a connection. A Derived implements the functions that
/// dial() asks for. `IoExecutor` is where its steps run.
template <class Derived, class Handler, class Executor, class IoExecutor>
class DialingAttempt : public Attempt<Derived, Handler, Executor> {
public:
    /// Ends the pending wait. The resolver's cannot be ended: its late result goes nowhere.
    void stop_waiting() noexcept {
        socket_.cancel();
        if (resolution_) resolution_->cancel();
        if (race_ != nullptr) race_->cancel();
    }

    using Base = Attempt<Derived, Handler, Executor>;

protected:
    DialingAttempt(Handler&& handler, const Executor& executor, const IoExecutor& io,
                   const Ref<Wheel>& wheel, Duration timeout)
        : Base(std::move(handler), executor, wheel, timeout), io_(io) {}
    ~DialingAttempt() = default;

    /// Connects socket_, which is closed, to the target. Continues in connected(), dial_failed() or
    /// dial_aborted(), perhaps before it returns.
    void dial(Ref<Derived>&& self) {
        static_assert(
            requires(Derived& derived, const Derived& constant, Ref<Derived>&& handed_on,
                     Phase phase, std::error_code why) {
                { constant.dial_settings() } noexcept -> std::same_as<DialSettings>;
                {
                    constant.dial_address()
                } noexcept -> std::convertible_to<std::optional<asio::ip::address>>;
                { constant.dial_host() } noexcept -> std::same_as<std::string_view>;
                { constant.dial_port() } noexcept -> std::same_as<std::uint16_t>;
                // Whether it sends once connected. Then connected() may be called although
                // connecting failed: the first call on the socket says so, and Derived goes on to
                // connect_failed().
                { Derived::sends } -> std::convertible_to<bool>;
                // The connection is in socket_.
                derived.connected(std::move(handed_on));
                // By the target, or by the local system.
                derived.dial_failed(std::move(handed_on), phase, why);
                // The attempt is to stop, or the event loop could not wait.
                derived.dial_aborted(std::move(handed_on), phase, why);
            },
            "an attempt that dials has these members");
        PROBEKIT_ASSERT(!socket_.is_open());
        const DialSettings settings = this->derived().dial_settings();
        if (const UnixAddress* const socket = settings.unix_socket())
            return connect_to(std::move(self), *socket);
        const std::optional<asio::ip::address> address = this->derived().dial_address();
        if (!address) return resolve(std::move(self));
        endpoint_ = {*address, this->derived().dial_port()};
        connect(std::move(self));
    }

    [[nodiscard]] bool lingers() noexcept {
        return this->derived().dial_settings().close == TcpClose::linger;
    }

    /// Closes the connection as the settings say.
    void close_socket() noexcept {
        const Mutex::Lock lock{this->mutex_};
        prepare_close(socket_.get(), this->derived().dial_settings().close);
        socket_.close();
    }

    void connect_failed(Ref<Derived>&& self, int error) {
        discard_socket();
        this->derived().dial_failed(
            std::move(self), Phase::connect,
            connect_error(error, endpoint_, this->derived().dial_settings()));
    }

    /// The address that was reached; if none was, the first that was dialled. Known from
    /// Phase::connect on.
    [[nodiscard]] const asio::ip::tcp::endpoint& dialled() const noexcept { return endpoint_; }

    IoExecutor io_;
    StreamSocket<IoExecutor> socket_; // opened, closed and waited for under the mutex

private:
    using Resolver = asio::ip::basic_resolver<asio::ip::tcp, IoExecutor>;
    using Addresses = typename Resolver::results_type;
    using Race = DialRace<Derived, IoExecutor>;
    friend Race;

    // A name look-up in progress. It may outlive the attempt: getaddrinfo() runs on the resolver's
    // own thread and cannot be stopped.
    class Resolution final : public RefCounted<Resolution> {
    public:
        Resolution(Ref<Derived> attempt, const IoExecutor& io)
            : attempt_(std::move(attempt)), resolver_(io) {}

        static void start(Ref<Resolution> self, std::string_view host, std::uint16_t port) {
            self->starting_on_ = std::this_thread::get_id();
            self->resolver_.async_resolve(std::string{host}, std::to_string(port),
                                          Resolver::numeric_service, Resolved{self});
            const std::lock_guard lock{self->mutex_};
            self->starting_on_ = {};
        }

        // The attempt goes on without a result, from the event loop.
        void cancel() noexcept {
            if (Ref<Derived> attempt = take()) {
                const IoExecutor io = attempt->io_;
                asio::post(io, typename Base::template Step<&DialingAttempt::resolution_cancelled>{
                                   std::move(attempt)});
            }
        }

        // Asio has destroyed the handler without a call: with its context, and then the attempt is
        // destroyed too; for want of memory for the addresses; or in start(), with an exception
        // that resolve() catches.
        void on_handler_destroyed() noexcept {
            Ref<Derived> attempt = take();
            if (!attempt || is_starting_on_this_thread()) return;
            const Ref<Derived> keep = attempt;
            keep->wheel_->context().while_alive([&] {
                static_cast<void>(try_allocating([&] {
                    using OutOfMemory =
                        typename Base::template Step<&DialingAttempt::resolution_out_of_memory>;
                    asio::post(keep->io_, OutOfMemory{std::move(attempt)});
                }));
            });
        }

        void destroy() noexcept { delete this; }

    private:
        struct Resolved {
            explicit Resolved(Ref<Resolution> from) noexcept : resolution(std::move(from)) {}
            Resolved(Resolved&&) noexcept = default;
            Resolved& operator=(Resolved&&) = delete;
            ~Resolved() {
                if (resolution) resolution->on_handler_destroyed();
            }
            void operator()(std::error_code error, Addresses addresses) {
                Ref<Derived> attempt = std::exchange(resolution, {})->take();
                if (!attempt) return;
                Derived& waiting = *attempt;
                waiting.resolved(std::move(attempt), error, std::move(addresses));
            }
            Ref<Resolution> resolution;
        };

        [[nodiscard]] Ref<Derived> take() noexcept {
            const std::lock_guard lock{mutex_};
            return std::exchange(attempt_, {});
        }

        [[nodiscard]] bool is_starting_on_this_thread() noexcept {
            const std::lock_guard lock{mutex_};
            return starting_on_ == std::this_thread::get_id();
        }

        Mutex mutex_;
        Ref<Derived> attempt_;
        Resolver resolver_;
        std::thread::id starting_on_;
    };

    void resolve(Ref<Derived>&& self) {
        // The system takes this name for "any address".
        if (this->derived().dial_host() == "*")
            return this->derived().dial_failed(std::move(self), Phase::resolve,
                                               make_error_code(Errc::no_such_host));
        const auto start = [&]() -> std::error_code {
            resolution_ = Ref<Resolution>{new Resolution{self, io_}};
            Resolution::start(resolution_, host_or_loopback(this->derived().dial_host()),
                              this->derived().dial_port());
            return {};
        };
        // Throws if there is no memory, or no thread can be started.
        const std::error_code aborted = this->wait([&] { return try_call(start, ToErrorCode{}); });
        if (!aborted) return;
        release_resolution();
        this->derived().dial_aborted(std::move(self), Phase::resolve, aborted);
    }

    void resolved(Ref<Derived>&& self, std::error_code error, Addresses addresses) {
        release_resolution();
        this->add_time(Phase::resolve);
        if (error) return this->derived().dial_failed(std::move(self), Phase::resolve, error);
        endpoint_ = *addresses.begin();
        if (addresses.size() > 1) return race(std::move(self), addresses);
        connect(std::move(self));
    }

    void race(Ref<Derived>&& self, const Addresses& addresses) {
        Ref<Race> race = Race::make(addresses, io_, this->wheel_, this->derived().dial_settings(),
                                    Derived::sends, saturating_add(this->started_, this->timeout_),
                                    this->timeout_);
        std::error_code aborted = std::make_error_code(std::errc::not_enough_memory);
        if (race)
            aborted = this->wait([&] {
                race_ = race.get();
                return std::error_code{};
            });
        if (aborted) return this->derived().dial_aborted(std::move(self), Phase::connect, aborted);
        Race::start(std::move(race), std::move(self));
    }

    // The race is over, or is destroyed with its context.
    void leave_race() noexcept {
        const Mutex::Lock lock{this->mutex_};
        race_ = nullptr;
    }

    void race_ended(Ref<Derived>&& self, Ref<Race> race) {
        {
            const Mutex::Lock lock{this->mutex_};
            race_ = nullptr;
            socket_ = race->take_socket();
        }
        endpoint_ = race->endpoint();
        const typename Race::Ending ending = race->ending();
        const std::error_code error = race->error();
        const std::error_code first_failure = race->first_failure();
        race = {};
        Derived& derived = this->derived();
        switch (ending) {
        case Race::Ending::connected: return derived.connected(std::move(self));
        case Race::Ending::failed:
            return derived.dial_failed(std::move(self), Phase::connect, error);
        case Race::Ending::aborted: break;
        }
        // At the timeout Go's dialer tells why the first address failed, its HTTP client that the
        // time is over.
        if (!Derived::sends && first_failure && this->stop_reason() == StopReason::timeout)
            return derived.dial_failed(std::move(self), Phase::connect, first_failure);
        derived.dial_aborted(std::move(self), Phase::connect, error);
    }

    void resolution_cancelled(Ref<Derived>&& self, std::error_code error) {
        release_resolution();
        this->derived().dial_aborted(std::move(self), Phase::resolve, error);
    }

    void resolution_out_of_memory(Ref<Derived>&& self, std::error_code) {
        release_resolution();
        this->derived().dial_aborted(std::move(self), Phase::resolve,
                                     std::make_error_code(std::errc::not_enough_memory));
    }

    void release_resolution() noexcept {
        const Mutex::Lock lock{this->mutex_};
        resolution_ = {};
    }

    // Connects to endpoint_.
    void connect(Ref<Derived>&& self) {
        const int error = begin_connect(
            socket_, io_, [this] { return Mutex::Lock{this->mutex_}; }, endpoint_,
            this->derived().dial_settings(), Derived::sends,
            this->wheel_->context().client_ports());
        if (error == 0) return this->derived().connected(std::move(self));
        if (error != EINPROGRESS) return connect_failed(std::move(self), error);
        using Writable = typename Base::template Step<&DialingAttempt::writable>;
        const std::error_code aborted = this->wait(
            [&] { return socket_.async_wait(asio::socket_base::wait_write, io_, Writable{self}); });
        if (!aborted) return;
        discard_socket();
        this->derived().dial_aborted(std::move(self), Phase::connect, aborted);
    }

    // Connecting to a Unix-domain socket never needs a wait.
    void connect_to(Ref<Derived>&& self, const UnixAddress& address) {
        if (const int error = open_unix(); error != 0)
            return connect_failed(std::move(self), error);
        if (::connect(socket_.get(), address.data(), address.size()) == 0)
            return this->derived().connected(std::move(self));
        // EAGAIN: the target's queue is full, which is no fault of the prober.
        connect_failed(std::move(self), errno == EAGAIN ? ECONNREFUSED : errno);
    }

    [[nodiscard]] int open_unix() noexcept {
        const Mutex::Lock lock{this->mutex_};
        return Derived::sends ? socket_.open({AF_UNIX, 0}, io_) : socket_.open({AF_UNIX, 0});
    }

    void writable(Ref<Derived>&& self, std::error_code error) {
        if (error) {
            discard_socket();
            return this->derived().dial_aborted(std::move(self), Phase::connect, error);
        }
        const int failure = Derived::sends ? 0 : socket_error(socket_.get());
        if (failure != 0) return connect_failed(std::move(self), failure);
        this->derived().connected(std::move(self));
    }

    void discard_socket() noexcept {
        const Mutex::Lock lock{this->mutex_};
        socket_.close();
    }

    asio::ip::tcp::endpoint endpoint_;
    Ref<Resolution> resolution_;
    Race* race_ = nullptr; // owns the attempt
};

} // namespace probekit::inline PROBEKIT_ABI::detail
