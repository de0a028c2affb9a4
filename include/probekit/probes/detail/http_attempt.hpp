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
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/http/exchange_fsm.hpp>
#include <probekit/probes/detail/connection.hpp>
#include <probekit/probes/detail/dial_target.hpp>
#include <probekit/probes/detail/dialing_attempt.hpp>
#include <probekit/probes/detail/graceful_close.hpp>
#include <probekit/probes/detail/unix_address.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Carries out what http::ExchangeFsm asks for, over a connection of type Link.
template <Connection Link, class Target, class Handler, class Executor, class IoExecutor>
    requires(!Link::has_tls || SecureConnection<Link, Target>)
class HttpAttempt final
    : public DialingAttempt<HttpAttempt<Link, Target, Handler, Executor, IoExecutor>, Handler,
                            Executor, IoExecutor> {
    using Self = Ref<HttpAttempt>;
    using Base = DialingAttempt<HttpAttempt, Handler, Executor, IoExecutor>;
    using Command = http::ExchangeFsm::Step;

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
        return {.uncommon = target_->dial.uncommon.get(),
                .close =
                    target_->close == SocketClose::linger ? TcpClose::linger : TcpClose::reset};
    }
    [[nodiscard]] const std::optional<asio::ip::address>& dial_address() const noexcept {
        return target_->dial.address;
    }
    [[nodiscard]] std::string_view dial_host() const noexcept { return target_->plan.host(); }
    [[nodiscard]] std::uint16_t dial_port() const noexcept { return exchange_.port(); }

    // Calls `next`, which asks the machine what to do now and may throw, and does that.
    template <class Next>
    void perform(Self&& self, Next next) {
        Command command = Command::done;
        const auto ask = [&] {
            command = next();
            if constexpr (Link::has_tls)
                if (command == Command::done) connection_.review(this->result_);
        };
        // Redirects and kept bodies take memory, and a user's matcher may throw anything.
        if (!succeeds(ask, [this] { record_exception(); })) {
            if (this->socket_.is_open()) this->close_socket();
            return this->finish_error(std::move(self), exchange_.phase(), this->error_);
        }
        execute(std::move(self), command);
    }

    void execute(Self&& self, Command command) {
        switch (command) {
        case Command::connect:
            if (this->socket_.is_open()) close_gracefully();
            return this->dial(std::move(self));
        case Command::handshake:
            if constexpr (Link::has_tls)
                return handshake(std::move(self));
            else
                unreachable(); // without TLS no plan asks for it
        case Command::send: sent_ = 0; return send(std::move(self));
        case Command::receive: return wait<&HttpAttempt::receive>(std::move(self), Wait::wait_read);
        case Command::done: return done(std::move(self));
        }
        unreachable();
    }

    // Records the exception that is being handled. Its message may take memory that is not there.
    [[gnu::noinline]] void record_exception() noexcept {
        const auto rethrow = []() -> std::error_code {
            std::rethrow_exception(std::current_exception());
        };
        const auto record = [this]<class Thrown>(const Thrown& thrown) -> std::error_code {
            const std::error_code code = ToErrorCode{}(thrown);
            if constexpr (std::same_as<Thrown, UnknownException>)
                this->result_.detail = code.message();
            else if constexpr (!std::same_as<Thrown, std::bad_alloc>)
                this->result_.detail = thrown.what();
            return code;
        };
        this->error_ = try_call([&] { return try_call(rethrow, record); }, ToErrorCode{});
    }

    void connected(Self&& self) {
        if constexpr (Link::has_tls)
            if (const int error = socket_error(this->socket_.get()); error != 0)
                return this->connect_failed(std::move(self), error);
        this->add_time(Phase::connect);
        execute(std::move(self), exchange_.connected());
    }

    void dial_failed(Self&& self, Phase phase, std::error_code why) {
        perform(std::move(self),
                [&] { return exchange_.connect_failed(phase, why, resolved_address(phase)); });
    }

    void dial_aborted(Self&& self, Phase phase, std::error_code why) {
        if (this->stop_reason() != StopReason::timeout)
            return this->finish_stopped(std::move(self), phase, why);
        perform(std::move(self), [&] {
            return exchange_.connect_failed(phase, Errc::timed_out, resolved_address(phase));
        });
    }

    // The next three are also the steps that run once the socket is ready again.
    void handshake(Self&& self, std::error_code error = {}) {
        if (error) return aborted(std::move(self), error);
        const IoResult io = connection_.handshake(*target_, this->socket_.get());
        if (io.state != IoResult::State::transferred)
            return on_incomplete<&HttpAttempt::handshake>(std::move(self), io);
        this->add_time(Phase::handshake);
        execute(std::move(self), exchange_.secured());
    }

    void send(Self&& self, std::error_code error = {}) {
        if (error) return aborted(std::move(self), error);
        const std::string_view request = exchange_.request();
        while (sent_ != request.size()) {
            const IoResult io = connection_.send(this->socket_.get(), request.substr(sent_));
            if (io.state != IoResult::State::transferred) {
                if (shows_failed_connect(io))
                    return this->connect_failed(std::move(self), io.error);
                return on_incomplete<&HttpAttempt::send>(std::move(self), io);
            }
            sent_ += io.bytes;
        }
        this->add_time(Phase::request);
        execute(std::move(self), exchange_.sent());
    }

    // Whether the failure to send is that of connecting. If there was a connection, the first send
    // can only find that the peer has closed it.
    [[nodiscard]] bool shows_failed_connect(const IoResult& io) const noexcept {
        return !Link::has_tls && sent_ == 0 && io.state == IoResult::State::broken &&
               io.error != ECONNRESET && io.error != EPIPE && !is_local_fault(io.code());
    }

    // The buffer lives on the stack, not in the attempt: a million slow targets need no more memory
    // than fast ones. It holds a whole TLS record, so that no bytes are left in the TLS layer, of
    // which the socket's readiness says nothing.
    void receive(Self&& self, std::error_code error = {}) {
        if (error) return aborted(std::move(self), error);
        char buffer[16 * 1024];
        const IoResult io = connection_.receive(this->socket_.get(), buffer);
        const bool has_ended = io.state == IoResult::State::ended;
        if (!has_ended && io.state != IoResult::State::transferred)
            return on_incomplete<&HttpAttempt::receive>(std::move(self), io);
        this->add_time(exchange_.phase());
        perform(std::move(self), [&] {
            return has_ended ? exchange_.ended() : exchange_.received({buffer, io.bytes});
        });
    }

    using Wait = asio::socket_base;

    template <auto Next>
    void on_incomplete(Self&& self, const IoResult& io) {
        switch (io.state) {
        case IoResult::State::wants_read: return wait<Next>(std::move(self), Wait::wait_read);
        case IoResult::State::wants_write: return wait<Next>(std::move(self), Wait::wait_write);
        case IoResult::State::broken:
            return perform(std::move(self),
                           [&] { return exchange_.socket_failed(io.code(), ends()); });
        case IoResult::State::failed:
            if constexpr (Link::has_tls)
                return perform(std::move(self), [&] {
                    return exchange_.connection_failed(connection_.cause(), connection_.why());
                });
            else
                break;
        case IoResult::State::transferred:
        case IoResult::State::ended: break;
        }
        unreachable(); // the caller goes on with what was transferred, and with the end
    }

    template <auto Next>
    void wait(Self&& self, Wait::wait_type what) {
        using Ready = typename Base::Base::template Step<Next>;
        const std::error_code error =
            Base::wait([&] { return this->socket_.async_wait(what, this->io_, Ready{self}); });
        if (error) aborted(std::move(self), error);
    }

    // The deadline or the user has ended the wait, or it could not be started.
    void aborted(Self&& self, std::error_code error) {
        if (this->stop_reason() == StopReason::timeout)
            return perform(std::move(self), [this] { return exchange_.timed_out(); });
        this->close_socket();
        this->finish_stopped(std::move(self), exchange_.phase(), error);
    }

    void done(Self&& self) {
        if (!exchange_.closes_gracefully()) {
            this->add_time(exchange_.phase());
            if (this->socket_.is_open()) this->close_socket();
        } else {
            close_gracefully(); // the step that completed the response has read the clock
        }
        if (this->result_.outcome == Outcome::success) return this->finish(std::move(self));
        this->result_.cause = to_std(this->result_.cause);
        describe(exchange_.phase());
        this->finish(std::move(self), exchange_.error());
    }

    void describe(Phase) { this->result_.target = target_; }

    // The response is complete, or as much of it as is wanted.
    void close_gracefully() {
        if constexpr (Link::has_tls) connection_.close();
        if (this->lingers()) return this->close_socket();
        const Mutex::Lock lock{this->mutex_};
        GracefulClose<IoExecutor>::start(std::move(this->socket_), this->io_, this->wheel_);
    }

    [[nodiscard]] std::string resolved_address(Phase phase) const {
        if (!target_->dial.is_name() || phase != Phase::connect) return {};
        return join_host_port(this->dialled().address().to_string(),
                              std::to_string(this->dialled().port()));
    }

    // Both ends of the connection, as http::ExchangeFsm::broken() wants them.
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
    [[no_unique_address]] Link connection_;
    std::size_t sent_ = 0;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
