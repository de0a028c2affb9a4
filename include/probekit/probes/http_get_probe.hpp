// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/socket.h>

#include <asio/any_io_executor.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/posix/descriptor_base.hpp>

#include <probekit/core/actions.hpp>
#include <probekit/core/detail/message.hpp>
#include <probekit/core/detail/target.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/http/exchange_fsm.hpp>
#include <probekit/http/exchange_plan.hpp>
#include <probekit/probes/detail/builtin_probe.hpp>
#include <probekit/probes/detail/closing_socket.hpp>
#include <probekit/probes/detail/dial.hpp>
#include <probekit/system/detail/executors.hpp>
#include <probekit/system/detail/ref.hpp>
#include <probekit/system/detail/wheel.hpp>

namespace probekit::inline v0 {
namespace detail {

/// An HttpGetProbe's settings, shared with its attempts and results.
class HttpTarget final : public Target {
public:
    HttpTarget(HttpGetAction what, const HttpOptions& options)
        : action(std::move(what)),
          dial(DialTarget::of(action.host, options.source_address)),
          plan(action, options, dial.address ? dial.address->to_string() : std::string{}) {}

    [[nodiscard]] std::string message(const ProbeResult& result, std::optional<Duration> shown) const override {
        return plan.message(result, shown);
    }

    HttpGetAction action;
    DialTarget dial;
    http::ExchangePlan plan;
};

/// Carries out what http::ExchangeFsm asks for.
template <class Handler, class Executor, class IoExecutor>
class HttpAttempt final
    : public DialingAttempt<HttpAttempt<Handler, Executor, IoExecutor>, Handler, Executor, IoExecutor> {
    using Self = Ref<HttpAttempt>;
    using Base = DialingAttempt<HttpAttempt, Handler, Executor, IoExecutor>;
    using Step = http::ExchangeFsm::Step;

public:
    HttpAttempt(Handler&& handler, const Executor& executor, const IoExecutor& io, const Ref<Wheel>& wheel,
                Duration timeout, std::shared_ptr<const HttpTarget> target)
        : Base(std::move(handler), executor, io, wheel, timeout),
          target_(std::move(target)),
          exchange_(target_->plan, this->result_) {}

    static void start(Self self) {
        HttpAttempt& attempt = *self;
        attempt.perform(std::move(self), [&] { return attempt.exchange_.start(); });
    }

private:
    friend Base;
    friend typename Base::Base;

    [[nodiscard]] const DialTarget& dial_target() const noexcept { return target_->dial; }
    [[nodiscard]] std::string_view dial_host() const noexcept { return target_->plan.host(); }
    [[nodiscard]] std::uint16_t dial_port() const noexcept { return exchange_.port(); }

    // `next` asks the machine what is to be done now.
    template <class Next>
    void perform(Self self, Next next) {
        Step step;
        try {
            step = next();
        } catch (const std::bad_alloc&) { // redirects and kept bodies take memory
            if (this->socket_.is_open()) this->close_with_reset();
            return this->finish_error(std::move(self), this->result_.phase,
                                      std::make_error_code(std::errc::not_enough_memory));
        }
        switch (step) {
        case Step::connect:
            if (this->socket_.is_open()) let_go_of_socket();
            return this->dial(std::move(self));
        case Step::send: sent_ = 0; return send(std::move(self));
        case Step::receive: return wait_for_more(std::move(self));
        case Step::done: return done(std::move(self));
        }
    }

    void connected(Self self) {
        this->spent_in(Phase::connect);
        perform(std::move(self), [this] { return exchange_.connected(); });
    }

    void dial_failed(Self self, Phase phase, std::error_code why) {
        perform(std::move(self), [&] { return exchange_.no_connection(phase, why, dialled_of_name(phase)); });
    }

    void dial_stopped(Self self, Phase phase, std::error_code why) {
        if (this->interrupted() != Interrupt::timeout) return this->finish_stopped(std::move(self), phase, why);
        perform(std::move(self),
                [&] { return exchange_.no_connection(phase, Errc::timed_out, dialled_of_name(phase)); });
    }

    void send(Self self) {
        const std::string_view rest = exchange_.request().substr(sent_);
        const ssize_t sent = ::send(this->socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) return broken(std::move(self), errno);
        if (sent > 0) sent_ += static_cast<std::size_t>(sent);
        if (sent_ == exchange_.request().size()) {
            this->spent_in(Phase::request);
            return perform(std::move(self), [this] { return exchange_.sent(); });
        }
        wait<&HttpAttempt::writable>(std::move(self), asio::posix::descriptor_base::wait_write);
    }

    void writable(Self self, std::error_code error) {
        if (error) return stopped(std::move(self), error);
        send(std::move(self));
    }

    void wait_for_more(Self self) {
        wait<&HttpAttempt::readable>(std::move(self), asio::posix::descriptor_base::wait_read);
    }

    // No buffer is held while waiting: a million targets that are slow to answer cost no more than ones that are quick.
    void readable(Self self, std::error_code error) {
        if (error) return stopped(std::move(self), error);
        char buffer[16 * 1024];
        const ssize_t got = ::recv(this->socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        if (got < 0) {
            if (errno == EAGAIN || errno == EINTR) return wait_for_more(std::move(self));
            return broken(std::move(self), errno);
        }
        this->spent_in(this->result_.phase);
        perform(std::move(self), [&] {
            return got == 0 ? exchange_.ended() : exchange_.received({buffer, static_cast<std::size_t>(got)});
        });
    }

    template <auto Next>
    void wait(Self self, asio::posix::descriptor_base::wait_type what) {
        using Ready = typename Base::Base::template Step<Next>;
        const std::error_code error =
            Base::wait([&] { return this->socket_.async_wait(what, this->io_, Ready{self}); });
        if (error) stopped(std::move(self), error);
    }

    // The wait has been ended by the deadline or the user, or could not be begun.
    void stopped(Self self, std::error_code error) {
        if (this->interrupted() == Interrupt::timeout)
            return perform(std::move(self), [this] { return exchange_.timed_out(); });
        this->close_with_reset();
        this->finish_stopped(std::move(self), this->result_.phase, error);
    }

    void broken(Self self, int error) {
        perform(std::move(self), [&] { return exchange_.broken({error, std::system_category()}, ends()); });
    }

    void done(Self self) {
        if (this->result_.phase != Phase::finish) {
            this->spent_in(this->result_.phase);
            if (this->socket_.is_open()) this->close_with_reset();
        } else {
            this->spent_in(Phase::finish);
            let_go_of_socket();
        }
        this->result_.cause = to_std(this->result_.cause);
        if (this->result_.outcome != Outcome::success) describe(this->result_.phase);
        this->finish(std::move(self), exchange_.error());
    }

    void describe(Phase) { this->result_.target = target_; }

    // The answer is complete, or what was wanted of it is there.
    void let_go_of_socket() { ClosingSocket<IoExecutor>::close(std::move(this->socket_), this->io_, this->wheel_); }

    [[nodiscard]] std::string dialled_of_name(Phase phase) const {
        if (target_->dial.address || phase != Phase::connect) return {};
        return join_host_port(this->dialled().address().to_string(), std::to_string(this->dialled().port()));
    }

    [[nodiscard]] std::string ends() const {
        asio::ip::tcp::endpoint local;
        socklen_t size = static_cast<socklen_t>(local.capacity());
        if (::getsockname(this->socket_.get(), local.data(), &size) != 0) return {};
        local.resize(size);
        return join_host_port(local.address().to_string(), std::to_string(local.port())) + "->" +
               join_host_port(this->dialled().address().to_string(), std::to_string(this->dialled().port()));
    }

    std::shared_ptr<const HttpTarget> target_;
    http::ExchangeFsm exchange_;
    std::size_t sent_ = 0;
};

} // namespace detail

/// Sends `GET path` over HTTP/1.1 on a new connection: a status from 200 to 399 is success, a redirect that is not
/// followed a warning. Request bytes, redirects and messages are the kubelet's (see http/); the connection is closed
/// otherwise, so that neither side is left with a TIME_WAIT. A body that breaks off is an error, "could not ask".
///
/// An attempt owns what it needs: the probe may be moved or destroyed at once, and looks may overlap. A literal host
/// needs no resolver. One object from one thread or strand at a time.
template <class Executor = asio::any_io_executor>
class BasicHttpGetProbe : public detail::BuiltinProbe<BasicHttpGetProbe<Executor>, Executor> {
    using Base = detail::BuiltinProbe<BasicHttpGetProbe, Executor>;

public:
    template <class Other>
    struct rebind_executor {
        using other = BasicHttpGetProbe<Other>;
    };

    /// `where`: an executor or an execution context. Throws ConfigException if validate() finds anything, and for https,
    /// which is the tls room's.
    template <detail::ExecutorSource<Executor> Where>
    explicit BasicHttpGetProbe(Where&& where, HttpGetAction action, const HttpOptions& options = {})
        : Base(std::forward<Where>(where)), target_(make_target(std::move(action), options)) {}

    [[nodiscard]] const HttpGetAction& action() const noexcept { return target_->action; }

private:
    friend Base;

    static std::shared_ptr<const detail::HttpTarget> make_target(HttpGetAction action, const HttpOptions& options) {
        ConfigErrors errors = validate(action);
        if (action.scheme == HttpScheme::https) errors.push_back({"scheme", "https needs tls::HttpsGetProbe"});
        if (options.max_requests < 1) errors.push_back({"max_requests", "must be greater than zero"});
        if (!detail::is_one_line(options.user_agent))
            errors.push_back({"user_agent", "must not contain CR, LF or NUL"});
        detail::throw_if_wrong(std::move(errors), detail::validate_source(options.source_address));
        return std::make_shared<const detail::HttpTarget>(std::move(action), options);
    }

    template <class Handler, class IoExecutor>
    using Attempt = detail::HttpAttempt<Handler, Executor, IoExecutor>;

    std::shared_ptr<const detail::HttpTarget> target_;
};

using HttpGetProbe = BasicHttpGetProbe<>;

} // namespace probekit::inline v0
