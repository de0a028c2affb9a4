// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <asio/ip/address.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>

#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/probes/detail/attempt.hpp>
#include <probekit/probes/detail/literal_address.hpp>
#include <probekit/probes/detail/stream_socket.hpp>
#include <probekit/probes/detail/unix_address.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// What close() will do: wait so long for the peer to take what was sent; 0: send a reset.
inline void linger_on_close(int socket, int seconds) noexcept {
    const linger on{.l_onoff = 1, .l_linger = seconds};
    ::setsockopt(socket, SOL_SOCKET, SO_LINGER, &on, sizeof on);
}

inline void reset_on_close(int socket) noexcept { linger_on_close(socket, 0); }

/// How to connect to a target, apart from its address. Made for each use, and so no more than this.
struct DialSettings {
    /// What few targets have.
    struct Uncommon {
        std::optional<asio::ip::address> source = {};
        std::optional<UnixAddress> unix_socket = {};
    };

    const Uncommon* uncommon = nullptr; ///< null: nothing of it
    bool silent = false;
    SocketClose close = SocketClose::reset;

    /// Null: the system chooses where the connection comes from.
    [[nodiscard]] const asio::ip::address* source() const noexcept {
        return uncommon != nullptr && uncommon->source ? &*uncommon->source : nullptr;
    }
    /// Null: host and port count.
    [[nodiscard]] const UnixAddress* unix_socket() const noexcept {
        return uncommon != nullptr && uncommon->unix_socket ? &*uncommon->unix_socket : nullptr;
    }
};

/// Where to connect, made ready once per probe: a literal address needs no resolver ever again.
struct DialTarget {
    using Uncommon = DialSettings::Uncommon;

    std::optional<asio::ip::address> address = {}; ///< empty: the host is a name
    std::unique_ptr<const Uncommon> uncommon = {}; ///< null: nothing of it

    [[nodiscard]] const UnixAddress* unix_socket() const noexcept {
        return DialSettings{uncommon.get()}.unix_socket();
    }
    /// Whether there is something to resolve.
    [[nodiscard]] bool is_name() const noexcept { return !address && unix_socket() == nullptr; }

    /// `options`: TcpOptions or HttpOptions, valid.
    template <class Options>
    [[nodiscard]] static DialTarget of(std::string_view host, const Options& options) {
        DialTarget target;
        target.address = literal_address(host);
        Uncommon uncommon;
        if (!options.source_address.empty())
            uncommon.source = asio::ip::make_address(options.source_address);
        if (!options.unix_socket.empty()) uncommon.unix_socket.emplace(options.unix_socket);
        if (uncommon.source || uncommon.unix_socket)
            target.uncommon = std::make_unique<const Uncommon>(uncommon);
        return target;
    }
};

/// An attempt that begins with a TCP connection. A Derived has
///     DialSettings dial_settings() const; std::optional<asio::ip::address> dial_address() const;
///     std::string_view dial_host() const; std::uint16_t dial_port() const;
///     static constexpr bool sends;    whether it goes on when connected. Then connecting may have
///     failed all the same, which
///                                     its first call on the socket tells, and it goes to
///                                     connect_failed()
///     void connected(Ref<Derived>&& self);                                       the connection is
///     in socket_ void dial_failed(Ref<Derived>&& self, Phase phase, std::error_code why);   the
///     target's fault, or the system's void dial_stopped(Ref<Derived>&& self, Phase phase,
///     std::error_code why);  interrupted, or the loop could not wait
/// `IoExecutor` is where its steps run.
template <class Derived, class Handler, class Executor, class IoExecutor>
class DialingAttempt : public Attempt<Derived, Handler, Executor> {
public:
    /// Ends the pending wait; also what cannot be ended, the resolver's: its late answer goes
    /// nowhere.
    void stop_waiting() noexcept {
        socket_.cancel();
        if (resolution_) resolution_->abandon();
    }

    using Base = Attempt<Derived, Handler, Executor>;

protected:
    DialingAttempt(Handler&& handler, const Executor& executor, const IoExecutor& io,
                   const Ref<Wheel>& wheel, Duration timeout)
        : Base(std::move(handler), executor, wheel, timeout), io_(io) {}
    ~DialingAttempt() = default;

    /// Connects socket_, which is closed, to the target. Continues in connected() or dial_failed(),
    /// perhaps before it returns.
    void dial(Ref<Derived>&& self) {
        const DialSettings settings = this->derived().dial_settings();
        if (const UnixAddress* const socket = settings.unix_socket())
            return connect_to(std::move(self), *socket);
        const std::optional<asio::ip::address> address = this->derived().dial_address();
        if (!address) return resolve(std::move(self));
        endpoint_ = {*address, this->derived().dial_port()};
        connect(std::move(self));
    }

    [[nodiscard]] bool lingers() noexcept {
        return this->derived().dial_settings().close == SocketClose::linger;
    }

    /// With a reset, unless it is to linger: no TIME_WAIT on either side, and close() never blocks.
    /// After the peer's end of stream it sees no reset.
    void close_socket() noexcept {
        const Mutex::Lock lock{this->mutex_};
        linger_on_close(socket_.get(), lingers() ? 1 : 0);
        socket_.close();
    }

    /// The first address's failure is the one to tell, as Go does; the others are tried all the
    /// same.
    void connect_failed(Ref<Derived>&& self, int error) {
        drop_socket();
        if (!first_failure_) {
            first_failure_ = {error, std::system_category()};
            first_endpoint_ = endpoint_;
        }
        if (next_address_ != NextAddress{} && this->interrupted() == StopReason::none)
            return connect_to_next(std::move(self));
        endpoint_ = first_endpoint_;
        const std::error_code failure = std::exchange(first_failure_, {});
        this->derived().dial_failed(std::move(self), Phase::connect, failure);
    }

    /// What connecting came to: an errno.
    [[nodiscard]] int socket_error() const noexcept {
        int error = 0;
        socklen_t size = sizeof error;
        return ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error
                                                                                     : errno;
    }

    /// What was dialled last; meaningful from the connect phase on.
    [[nodiscard]] const asio::ip::tcp::endpoint& dialled() const noexcept { return endpoint_; }

    IoExecutor io_;
    StreamSocket<IoExecutor> socket_; // opened, closed and waited for under the mutex

private:
    using Resolver = asio::ip::basic_resolver<asio::ip::tcp, IoExecutor>;
    using Addresses = typename Resolver::results_type;
    using NextAddress = typename Addresses::iterator;

    // A look-up in progress. It may outlive the attempt: getaddrinfo, on the resolver's own thread,
    // cannot be stopped.
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

        // The attempt goes on without an answer, from the event loop.
        void abandon() noexcept {
            if (Ref<Derived> attempt = take()) {
                const IoExecutor io = attempt->io_;
                asio::post(io, typename Base::template Step<&DialingAttempt::resolution_abandoned>{
                                   std::move(attempt)});
            }
        }

        // Asio has dropped the handler: with its context, and then the attempt goes too; or because
        // it had no memory for the addresses. Or out of start(), with an exception that tells
        // resolve() why.
        void drop() noexcept {
            Ref<Derived> attempt = take();
            if (!attempt || is_starting_here()) return;
            const Ref<Derived> keep = attempt;
            keep->wheel_->context().while_alive([&] {
                static_cast<void>(try_allocating([&] {
                    using Lost = typename Base::template Step<&DialingAttempt::resolution_lost>;
                    asio::post(keep->io_, Lost{std::move(attempt)});
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
                if (resolution) resolution->drop();
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

        [[nodiscard]] bool is_starting_here() noexcept {
            const std::lock_guard lock{mutex_};
            return starting_on_ == std::this_thread::get_id();
        }

        Mutex mutex_;
        Ref<Derived> attempt_;
        Resolver resolver_;
        std::thread::id starting_on_;
    };

    void resolve(Ref<Derived>&& self) {
        // The system takes this one for "any address".
        if (this->derived().dial_host() == "*")
            return this->derived().dial_failed(std::move(self), Phase::resolve,
                                               make_error_code(Errc::no_such_host));
        const auto start = [&]() -> std::error_code {
            resolution_ = Ref<Resolution>{new Resolution{self, io_}};
            Resolution::start(resolution_, host_or_loopback(this->derived().dial_host()),
                              this->derived().dial_port());
            return {};
        };
        // It throws where there is no memory, or no thread to be had.
        const std::error_code stopped = this->wait([&] { return try_call(start, ToErrorCode{}); });
        if (stopped) drop_resolution();
        if (stopped) this->derived().dial_stopped(std::move(self), Phase::resolve, stopped);
    }

    void resolved(Ref<Derived>&& self, std::error_code error, Addresses addresses) {
        drop_resolution();
        this->spent_in(Phase::resolve);
        if (error) return this->derived().dial_failed(std::move(self), Phase::resolve, error);
        first_failure_ = {};
        next_address_ = addresses.begin();
        connect_to_next(std::move(self));
    }

    void resolution_abandoned(Ref<Derived>&& self, std::error_code error) {
        drop_resolution();
        this->derived().dial_stopped(std::move(self), Phase::resolve, error);
    }

    void resolution_lost(Ref<Derived>&& self, std::error_code) {
        drop_resolution();
        this->derived().dial_stopped(std::move(self), Phase::resolve,
                                     std::make_error_code(std::errc::not_enough_memory));
    }

    void drop_resolution() noexcept {
        const Mutex::Lock lock{this->mutex_};
        resolution_ = {};
    }

    void connect_to_next(Ref<Derived>&& self) {
        endpoint_ = *next_address_++;
        connect(std::move(self));
    }

    // To endpoint_.
    void connect(Ref<Derived>&& self) {
        const bool is_near = endpoint_.address().is_loopback();
        const StreamProtocol protocol{endpoint_.protocol().family(), IPPROTO_TCP};
        if (const int error = open(protocol, Derived::sends || !is_near); error != 0)
            return connect_failed(std::move(self), error);
        const int fd = socket_.get();
        if (const int error = prepare(fd); error != 0)
            return connect_failed(std::move(self), error);
        if (::connect(fd, endpoint_.data(), static_cast<socklen_t>(endpoint_.size())) == 0)
            return this->derived().connected(std::move(self));
        if (errno != EINPROGRESS) return connect_failed(std::move(self), errno);
        // On loopback the handshake is over by now, and asking again tells: no round trip through
        // the event loop.
        if (is_near) {
            if (::connect(fd, endpoint_.data(), static_cast<socklen_t>(endpoint_.size())) == 0 ||
                errno == EISCONN)
                return this->derived().connected(std::move(self));
            if (errno != EALREADY && errno != EINPROGRESS)
                return connect_failed(std::move(self), errno);
        }
        using Writable = typename Base::template Step<&DialingAttempt::writable>;
        const std::error_code stopped = this->wait(
            [&] { return socket_.async_wait(asio::socket_base::wait_write, io_, Writable{self}); });
        if (!stopped) return;
        drop_socket();
        this->derived().dial_stopped(std::move(self), Phase::connect, stopped);
    }

    // Needs no wait: it is there, or it is not.
    void connect_to(Ref<Derived>&& self, const UnixAddress& address) {
        if (const int error = open({AF_UNIX, 0}, Derived::sends); error != 0)
            return connect_failed(std::move(self), error);
        if (::connect(socket_.get(), address.data(), address.size()) == 0)
            return this->derived().connected(std::move(self));
        // Its queue is full: the target's trouble, not ours.
        connect_failed(std::move(self), errno == EAGAIN ? ECONNREFUSED : errno);
    }

    // `waits`: it will have to be waited for. Returns an errno.
    [[nodiscard]] int open(const StreamProtocol& protocol, bool waits) noexcept {
        const Mutex::Lock lock{this->mutex_};
        return waits ? socket_.open(protocol, io_) : socket_.open(protocol);
    }

    // What is set before connecting. Returns an errno.
    [[nodiscard]] int prepare(int fd) noexcept {
        const DialSettings settings = this->derived().dial_settings();
        if (const asio::ip::address* const address = settings.source()) {
            const asio::ip::tcp::endpoint source{*address, 0};
            // Of an address with no port left it says that it is in use.
            if (::bind(fd, source.data(), static_cast<socklen_t>(source.size())) != 0)
                return errno == EADDRINUSE ? EADDRNOTAVAIL : errno;
        }
#if defined(TCP_QUICKACK)
        if (settings.silent) {
            const int off = 0;
            if (::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof off) != 0) return errno;
        }
#endif
        return 0;
    }

    void writable(Ref<Derived>&& self, std::error_code error) {
        if (error) {
            drop_socket();
            return this->derived().dial_stopped(std::move(self), Phase::connect, error);
        }
        const int failure = Derived::sends ? 0 : socket_error();
        if (failure != 0) return connect_failed(std::move(self), failure);
        this->derived().connected(std::move(self));
    }

    void drop_socket() noexcept {
        const Mutex::Lock lock{this->mutex_};
        socket_.close();
    }

    asio::ip::tcp::endpoint endpoint_;
    asio::ip::tcp::endpoint first_endpoint_;
    std::error_code first_failure_;
    NextAddress next_address_; // of a name
    Ref<Resolution> resolution_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
