// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/socket.h>

#include <asio/ip/tcp.hpp>
#include <asio/socket_base.hpp>

#include <probekit/async/detail/exceptions.hpp>
#include <probekit/async/detail/mutex.hpp>
#include <probekit/async/detail/ref.hpp>
#include <probekit/async/detail/wheel.hpp>
#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/message.hpp>
#include <probekit/core/detail/message_context.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/http/exchange_fsm.hpp>
#include <probekit/http/exchange_plan.hpp>
#include <probekit/http/expectation.hpp>
#include <probekit/probes/detail/builtin_probe.hpp>
#include <probekit/probes/detail/closing_socket.hpp>
#include <probekit/probes/detail/dial.hpp>
#include <probekit/probes/detail/literal_address.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

template <class = OnUse>
[[nodiscard]] inline ConfigErrors validate_http(const HttpOptions& options,
                                                const std::string& host) {
    ConfigErrors errors;
    if (options.max_requests < 1) errors.push_back({"max_requests", "must be greater than zero"});
    if (!is_one_line(options.user_agent))
        errors.push_back({"user_agent", "must not contain CR, LF or NUL"});
    check_source(options.source_address, host, errors);
    for (ConfigError& error : http::validate(options.expect)) errors.push_back(std::move(error));
    check_socket(options, errors);
    return errors;
}

/// The settings of an HTTP probe, shared with its attempts and results.
template <class = OnUse>
class BasicHttpTargetBase : public MessageContext {
public:
    [[nodiscard]] std::string message(const ProbeResult& result,
                                      std::optional<Duration> shown) const final {
        return plan.message(result, shown);
    }

    HttpGetAction action;
    DialTarget dial;
    http::ExchangePlan plan;
    SocketClose close;

protected:
    /// `has_tls`: whether its attempts can speak TLS.
    BasicHttpTargetBase(HttpGetAction what, const HttpOptions& options, bool has_tls)
        : action(std::move(what)),
          dial(DialTarget::of(action.host, options)),
          plan(action, options,
               dial.address ? literal_text(*dial.address, action.host) : std::string{}, has_tls),
          close(options.close) {}
    ~BasicHttpTargetBase() = default;
};

using HttpTargetBase = BasicHttpTargetBase<>;

template <class = OnUse>
class BasicHttpTarget final : public HttpTargetBase {
public:
    BasicHttpTarget(HttpGetAction what, const HttpOptions& options)
        : HttpTargetBase(std::move(what), options, false) {}
};

using HttpTarget = BasicHttpTarget<>;

/// What came of an attempt to move bytes over a connection, without waiting.
struct IoResult {
    enum class State : std::uint8_t {
        some,        ///< `bytes` of them
        wants_read,  ///< again, once the socket can be read
        wants_write, ///< again, once the socket can be written
        ended,       ///< the peer will send no more
        broken,      ///< the socket failed: `error` is an errno
        lost,        ///< what lies over the socket failed
    };

    State state = State::some;
    std::size_t bytes = 0;
    int error = 0;

    /// Of a broken one.
    [[nodiscard]] std::error_code code() const noexcept { return {error, std::system_category()}; }

    /// What a socket call gave, which would otherwise have blocked for `direction`.
    [[nodiscard]] static IoResult by_socket(ssize_t result, State direction) noexcept {
        if (result >= 0) return {State::some, static_cast<std::size_t>(result)};
        if (errno == EAGAIN || errno == EINTR) return {direction};
        return {State::broken, 0, errno};
    }
};

/// HTTP straight over the socket. The other kind of connection is the tls room's: it has_tls, and
/// besides send() and receive() it has
///     IoResult handshake(const Target&, int socket) noexcept    some: it is done
///     std::error_code cause() const                          it was lost
///     std::string why() const                                the same in Go's words
///     void close() noexcept                                  the connection, not the socket
///     void review(ProbeResult&) const                        the look is over
class PlainConnection {
public:
    static constexpr bool has_tls = false;

    [[nodiscard]] static IoResult send(int socket, std::string_view bytes) noexcept {
        return IoResult::by_socket(
            ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT),
            IoResult::State::wants_write);
    }

    [[nodiscard]] static IoResult receive(int socket, std::span<char> room) noexcept {
        const IoResult moved = IoResult::by_socket(
            ::recv(socket, room.data(), room.size(), MSG_DONTWAIT), IoResult::State::wants_read);
        return moved.state == IoResult::State::some && moved.bytes == 0
                   ? IoResult{IoResult::State::ended}
                   : moved;
    }
};

/// Carries out what http::ExchangeFsm asks for, over a Connection.
template <class Connection, class Target, class Handler, class Executor, class IoExecutor>
class HttpAttempt final
    : public DialingAttempt<HttpAttempt<Connection, Target, Handler, Executor, IoExecutor>, Handler,
                            Executor, IoExecutor> {
    using Self = Ref<HttpAttempt>;
    using Base = DialingAttempt<HttpAttempt, Handler, Executor, IoExecutor>;
    using Step = http::ExchangeFsm::Step;

public:
    HttpAttempt(Handler&& handler, const Executor& executor, const IoExecutor& io,
                const Ref<Wheel>& wheel, Duration timeout, std::shared_ptr<const Target> target)
        : Base(std::move(handler), executor, io, wheel, timeout),
          target_(std::move(target)),
          exchange_(target_->plan, this->result_) {}

    static void start(Self&& self) {
        HttpAttempt& attempt = *self;
        attempt.perform(std::move(self), [&] { return attempt.exchange_.start(); });
    }

private:
    friend Base;
    friend typename Base::Base;

    static constexpr bool sends = true;

    [[nodiscard]] DialSettings dial_settings() const noexcept {
        return {.uncommon = target_->dial.uncommon.get(), .close = target_->close};
    }
    [[nodiscard]] const std::optional<asio::ip::address>& dial_address() const noexcept {
        return target_->dial.address;
    }
    [[nodiscard]] std::string_view dial_host() const noexcept { return target_->plan.host(); }
    [[nodiscard]] std::uint16_t dial_port() const noexcept { return exchange_.port(); }

    // `next` asks the machine what is to be done now, and may throw.
    template <class Next>
    void perform(Self&& self, Next next) {
        Step step = Step::done;
        const auto ask = [&] {
            step = next();
            if constexpr (Connection::has_tls)
                if (step == Step::done) connection_.review(this->result_);
        };
        // Redirects and kept bodies take memory, and a user's matcher may throw what it likes.
        if (!succeeds(ask, [this] { note_exception(); })) {
            if (this->socket_.is_open()) this->close_socket();
            return this->finish_error(std::move(self), this->result_.phase, this->error_);
        }
        go_on(std::move(self), step);
    }

    void go_on(Self&& self, Step step) {
        switch (step) {
        case Step::connect:
            if (this->socket_.is_open()) let_go_of_socket();
            return this->dial(std::move(self));
        case Step::handshake:
            if constexpr (Connection::has_tls)
                handshake(std::move(self)); // else no plan asks for it
            return;
        case Step::send: sent_ = 0; return send(std::move(self));
        case Step::receive: return wait<&HttpAttempt::receive>(std::move(self), Wait::wait_read);
        case Step::done: return done(std::move(self));
        }
    }

    // Of the one that is being handled. Telling of it takes memory.
    [[gnu::noinline]] void note_exception() noexcept {
        const auto rethrow = []() -> std::error_code {
            std::rethrow_exception(std::current_exception());
        };
        const auto note = [this]<class Thrown>(const Thrown& thrown) -> std::error_code {
            const std::error_code code = ToErrorCode{}(thrown);
            if constexpr (std::same_as<Thrown, UnknownException>)
                this->result_.detail = code.message();
            else if constexpr (!std::same_as<Thrown, std::bad_alloc>)
                this->result_.detail = thrown.what();
            return code;
        };
        this->error_ = try_call([&] { return try_call(rethrow, note); }, ToErrorCode{});
    }

    void connected(Self&& self) {
        if constexpr (Connection::has_tls)
            if (const int error = this->socket_error(); error != 0)
                return this->connect_failed(std::move(self), error);
        this->spent_in(Phase::connect);
        go_on(std::move(self), exchange_.connected());
    }

    void dial_failed(Self&& self, Phase phase, std::error_code why) {
        perform(std::move(self),
                [&] { return exchange_.no_connection(phase, why, dialled_of_name(phase)); });
    }

    void dial_stopped(Self&& self, Phase phase, std::error_code why) {
        if (this->interrupted() != StopReason::timeout)
            return this->finish_stopped(std::move(self), phase, why);
        perform(std::move(self), [&] {
            return exchange_.no_connection(phase, Errc::timed_out, dialled_of_name(phase));
        });
    }

    // The three below are also the steps that come when the socket is ready for them again.
    void handshake(Self&& self, std::error_code error = {}) {
        if (error) return stopped(std::move(self), error);
        const IoResult moved = connection_.handshake(*target_, this->socket_.get());
        if (moved.state != IoResult::State::some)
            return on_incomplete<&HttpAttempt::handshake>(std::move(self), moved);
        this->spent_in(Phase::handshake);
        go_on(std::move(self), exchange_.secured());
    }

    void send(Self&& self, std::error_code error = {}) {
        if (error) return stopped(std::move(self), error);
        const std::string_view request = exchange_.request();
        while (sent_ != request.size()) {
            const IoResult moved = connection_.send(this->socket_.get(), request.substr(sent_));
            if (moved.state != IoResult::State::some) {
                if (tells_of_connecting(moved))
                    return this->connect_failed(std::move(self), moved.error);
                return on_incomplete<&HttpAttempt::send>(std::move(self), moved);
            }
            sent_ += moved.bytes;
        }
        this->spent_in(Phase::request);
        go_on(std::move(self), exchange_.sent());
    }

    // Whether what came of sending is how connecting ended. Of a connection that there was the
    // first byte learns only that the peer has closed it.
    [[nodiscard]] bool tells_of_connecting(const IoResult& moved) const noexcept {
        return !Connection::has_tls && sent_ == 0 && moved.state == IoResult::State::broken &&
               moved.error != ECONNRESET && moved.error != EPIPE && !is_local_fault(moved.code());
    }

    // No buffer is held while waiting: a million targets that are slow to answer cost no more than
    // ones that are quick. It holds a whole TLS record, so that nothing which the socket does not
    // know of is left.
    void receive(Self&& self, std::error_code error = {}) {
        if (error) return stopped(std::move(self), error);
        char buffer[16 * 1024];
        const IoResult moved = connection_.receive(this->socket_.get(), buffer);
        const bool has_ended = moved.state == IoResult::State::ended;
        if (!has_ended && moved.state != IoResult::State::some)
            return on_incomplete<&HttpAttempt::receive>(std::move(self), moved);
        this->spent_in(this->result_.phase);
        perform(std::move(self), [&] {
            return has_ended ? exchange_.ended() : exchange_.received({buffer, moved.bytes});
        });
    }

    using Wait = asio::socket_base;

    template <auto Next>
    void on_incomplete(Self&& self, const IoResult& moved) {
        switch (moved.state) {
        case IoResult::State::wants_read: return wait<Next>(std::move(self), Wait::wait_read);
        case IoResult::State::wants_write: return wait<Next>(std::move(self), Wait::wait_write);
        case IoResult::State::broken:
            return perform(std::move(self), [&] { return exchange_.broken(moved.code(), ends()); });
        case IoResult::State::lost:
            if constexpr (Connection::has_tls)
                perform(std::move(self),
                        [&] { return exchange_.lost(connection_.cause(), connection_.why()); });
            return;
        case IoResult::State::some:
        case IoResult::State::ended: return; // these hold nobody up
        }
    }

    template <auto Next>
    void wait(Self&& self, Wait::wait_type what) {
        using Ready = typename Base::Base::template Step<Next>;
        const std::error_code error =
            Base::wait([&] { return this->socket_.async_wait(what, this->io_, Ready{self}); });
        if (error) stopped(std::move(self), error);
    }

    // The wait has been ended by the deadline or the user, or could not be begun.
    void stopped(Self&& self, std::error_code error) {
        if (this->interrupted() == StopReason::timeout)
            return perform(std::move(self), [this] { return exchange_.timed_out(); });
        this->close_socket();
        this->finish_stopped(std::move(self), this->result_.phase, error);
    }

    void done(Self&& self) {
        if (this->result_.phase != Phase::finish) {
            this->spent_in(this->result_.phase);
            if (this->socket_.is_open()) this->close_socket();
        } else {
            let_go_of_socket(); // in the step in which it came: the clock has been read
        }
        if (this->result_.outcome == Outcome::success) return this->finish(std::move(self));
        this->result_.cause = to_std(this->result_.cause);
        describe(this->result_.phase);
        this->finish(std::move(self), exchange_.error());
    }

    void describe(Phase) { this->result_.target = target_; }

    // The answer is complete, or what was wanted of it is there.
    void let_go_of_socket() {
        if constexpr (Connection::has_tls) connection_.close();
        if (this->lingers()) return this->close_socket();
        const Mutex::Lock lock{this->mutex_};
        ClosingSocket<IoExecutor>::close(std::move(this->socket_), this->io_, this->wheel_);
    }

    [[nodiscard]] std::string dialled_of_name(Phase phase) const {
        if (!target_->dial.is_name() || phase != Phase::connect) return {};
        return join_host_port(this->dialled().address().to_string(),
                              std::to_string(this->dialled().port()));
    }

    [[nodiscard]] std::string ends() const {
        if (const UnixAddress* const socket = target_->dial.unix_socket())
            return "@->" + socket->text();
        asio::ip::tcp::endpoint local;
        socklen_t size = static_cast<socklen_t>(local.capacity());
        if (::getsockname(this->socket_.get(), local.data(), &size) != 0) return {};
        local.resize(size);
        return join_host_port(local.address().to_string(), std::to_string(local.port())) + "->" +
               join_host_port(this->dialled().address().to_string(),
                              std::to_string(this->dialled().port()));
    }

    std::shared_ptr<const Target> target_;
    http::ExchangeFsm exchange_;
    [[no_unique_address]] Connection connection_;
    std::size_t sent_ = 0;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
