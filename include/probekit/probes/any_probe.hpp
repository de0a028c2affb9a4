// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <variant>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/probe_settings.hpp>
#include <probekit/probes/detail/builtin_probe.hpp>
#include <probekit/probes/detail/owned_attempt_handler.hpp>
#include <probekit/probes/detail/start_attempt.hpp>
#include <probekit/probes/detail/type_erased_attempt.hpp>
#include <probekit/probes/exec_probe.hpp>
#include <probekit/probes/http_get_probe.hpp>
#include <probekit/probes/probe.hpp>
#include <probekit/probes/tcp_probe.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Any probe in one type, for lists that are made at run time.
/// \code
/// std::vector<AnyProbe> probes;
/// probes.push_back(TcpProbe{io, {.port = 5432}});
/// probes.push_back(HttpGetProbe{io, {.port = 8080, .path = "/healthz"}});
/// \endcode
/// Movable only. Built-in probes, and others of up to 64 bytes, lie inside. An attempt costs one
/// indirect call more than the probe's own, and no more memory when a worker makes it. If the
/// executor of a handler is not convertible to Executor, cancel on the probe's executor.
template <class Executor = asio::any_io_executor>
class BasicAnyProbe : public detail::BuiltinProbeTag {
public:
    using executor_type = Executor;

    template <class P>
        requires(!std::same_as<std::remove_cvref_t<P>, BasicAnyProbe> &&
                 Probe<std::remove_cvref_t<P>> &&
                 std::convertible_to<typename std::remove_cvref_t<P>::executor_type, Executor>)
    BasicAnyProbe(P&& probe) : table_(&table<std::remove_cvref_t<P>>) {
        using Given = std::remove_cvref_t<P>;
        if constexpr (fits<Given>)
            ::new (static_cast<void*>(storage_)) Given(std::forward<P>(probe));
        else
            ::new (static_cast<void*>(storage_))
                std::unique_ptr<Given>(new Given(std::forward<P>(probe)));
    }
    BasicAnyProbe(BasicAnyProbe&& other) noexcept { take(other); }
    BasicAnyProbe& operator=(BasicAnyProbe&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    ~BasicAnyProbe() { reset(); }

    [[nodiscard]] executor_type get_executor() const noexcept {
        PROBEKIT_ASSERT(table_ != nullptr); // moved from
        return table_->executor(storage_);
    }

    /// Makes one attempt through the stored probe.
    ///
    /// Completes with: void(std::error_code, ProbeResult), see ProbeSignature. Never from inside
    /// this call.
    /// Cancellation: as the stored probe's.
    /// Threads: as the stored probe's. Once the attempt is started a built-in probe may be moved or
    /// destroyed; a token that starts it later (deferred, use_awaitable) needs it in place until
    /// then.
    /// Throws: what the stored probe and the handler's allocator throw.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_probe(Duration timeout, Token&& token = Token()) {
        return asio::async_initiate<Token, ProbeSignature>(Initiation{this}, token, timeout);
    }

    // For workers.
    void start_attempt(Duration timeout, detail::OwnedAttemptHandler<Executor> handler) {
        PROBEKIT_ASSERT(table_ != nullptr); // moved from
        table_->start_attempt(storage_, timeout, std::move(handler));
    }
    [[nodiscard]] bool enforces_timeout() const noexcept { return table_->enforces_timeout; }
    [[nodiscard]] bool must_outlive_attempts() const noexcept {
        return table_->must_outlive_attempts;
    }

private:
    struct Table {
        Executor (*executor)(const std::byte*) noexcept;
        void (*start_attempt)(std::byte*, Duration, detail::OwnedAttemptHandler<Executor>&&);
        void (*move)(std::byte* from, std::byte* to) noexcept; // and destroys what it leaves
        void (*destroy)(std::byte*) noexcept;
        bool enforces_timeout;
        bool must_outlive_attempts; // a user's probe may be used by its attempts
    };

    /// A built-in probe is an executor and a shared pointer.
    static constexpr std::size_t room =
        std::max(std::size_t{64}, sizeof(Executor) + sizeof(std::shared_ptr<void>));

    template <class P>
    static constexpr bool fits = sizeof(P) <= room && alignof(P) <= alignof(std::max_align_t) &&
                                 std::is_nothrow_move_constructible_v<P>;

    template <class P>
    [[nodiscard]] static P& stored(std::byte* storage) noexcept {
        if constexpr (fits<P>)
            return *std::launder(reinterpret_cast<P*>(storage));
        else
            return **std::launder(reinterpret_cast<std::unique_ptr<P>*>(storage));
    }

    template <class P>
    static constexpr Table table{
        .executor = [](const std::byte* storage) noexcept -> Executor {
            return stored<P>(const_cast<std::byte*>(storage)).get_executor();
        },
        .start_attempt =
            [](std::byte* storage, Duration timeout,
               detail::OwnedAttemptHandler<Executor>&& handler) {
                detail::start_attempt(stored<P>(storage), timeout, std::move(handler));
            },
        .move =
            [](std::byte* from, std::byte* to) noexcept {
                using Stored = std::conditional_t<fits<P>, P, std::unique_ptr<P>>;
                auto* const source = std::launder(reinterpret_cast<Stored*>(from));
                ::new (static_cast<void*>(to)) Stored(std::move(*source));
                std::destroy_at(source);
            },
        .destroy =
            [](std::byte* storage) noexcept {
                using Stored = std::conditional_t<fits<P>, P, std::unique_ptr<P>>;
                std::destroy_at(std::launder(reinterpret_cast<Stored*>(storage)));
            },
        .enforces_timeout = detail::EnforcesTimeout<P>,
        .must_outlive_attempts = !std::derived_from<P, detail::BuiltinProbeTag>,
    };

    class Initiation {
    public:
        using executor_type = Executor;

        explicit Initiation(BasicAnyProbe* probe) noexcept : probe_(probe) {}
        [[nodiscard]] executor_type get_executor() const noexcept { return probe_->get_executor(); }

        template <class Handler>
        void operator()(Handler&& handler, Duration timeout) const {
            detail::TypeErasedAttempt<std::decay_t<Handler>, Executor>::begin(
                std::forward<Handler>(handler), probe_->get_executor(),
                [&](detail::OwnedAttemptHandler<Executor> owned) {
                    probe_->start_attempt(timeout, std::move(owned));
                });
        }

    private:
        BasicAnyProbe* probe_;
    };

    void take(BasicAnyProbe& other) noexcept {
        table_ = std::exchange(other.table_, nullptr);
        if (table_ != nullptr) table_->move(other.storage_, storage_);
    }
    void reset() noexcept {
        if (const Table* const last = std::exchange(table_, nullptr)) last->destroy(storage_);
    }

    alignas(std::max_align_t) std::byte storage_[room];
    const Table* table_ = nullptr;
};

using AnyProbe = BasicAnyProbe<>;

namespace detail {

/// Makes the probes that need no optional room.
template <class = OnUse>
struct BuiltinMaker {
    AnyProbe operator()(const asio::any_io_executor& executor, ExecAction action,
                        const ProbeOptions& options) const {
        return ExecProbe{executor, std::move(action), options.exec};
    }
    AnyProbe operator()(const asio::any_io_executor& executor, HttpGetAction action,
                        const ProbeOptions& options) const {
        return HttpGetProbe{executor, std::move(action), options.http};
    }
    AnyProbe operator()(const asio::any_io_executor& executor, TcpSocketAction action,
                        const ProbeOptions& options) const {
        return TcpProbe{executor, std::move(action), options.tcp};
    }
    AnyProbe operator()(const asio::any_io_executor&, const GrpcAction&,
                        const ProbeOptions&) const {
        throw_if_wrong({{"grpc", "needs a maker of gRPC probes"}});
        unreachable();
    }
};

template <class Maker, class Action>
concept MakerFor = std::is_invocable_r_v<AnyProbe, const Maker&, const asio::any_io_executor&,
                                         Action, const ProbeOptions&>;

template <class Maker>
concept ProbeMaker = MakerFor<Maker, ExecAction> || MakerFor<Maker, HttpGetAction> ||
                     MakerFor<Maker, TcpSocketAction> || MakerFor<Maker, GrpcAction>;

template <class Action, class First, class... Others>
[[nodiscard]] AnyProbe make_by_first(const asio::any_io_executor& executor, Action action,
                                     const ProbeOptions& options, const First& first,
                                     const Others&... others) {
    if constexpr (MakerFor<First, Action>)
        return first(executor, std::move(action), options);
    else
        return make_by_first(executor, std::move(action), options, others...);
}

} // namespace detail

/// Makes the probe for settings that are known at run time only. `settings.spec` is for the worker.
/// Throws ConfigException as the probes' constructors do, and for an action that no maker takes.
///
/// `makers`: those of optional rooms, like tls::Maker, or your own. A maker is called as
/// `AnyProbe maker(executor, action, options)` for the types of action that it takes. The first one
/// that takes an action makes its probe. exec, httpGet and tcpSocket need none.
/// \code
/// // given: const ProbeSettings& settings
/// AnyProbe probe = make_probe(io.get_executor(), settings);
/// AnyProbe other = make_probe(io.get_executor(), ExecAction{.command = {"true"}});
/// \endcode
template <class... Makers>
[[nodiscard]] AnyProbe make_probe(const asio::any_io_executor& executor, ProbeSettings settings,
                                  const Makers&... makers) {
    static_assert((detail::ProbeMaker<Makers> && ...),
                  "a maker is called as AnyProbe maker(executor, action, options)");
    return std::visit(
        [&](auto& action) {
            return detail::make_by_first(executor, std::move(action), settings.options, makers...,
                                         detail::BuiltinMaker<>{});
        },
        settings.action);
}

template <class... Makers>
[[nodiscard]] AnyProbe make_probe(const asio::any_io_executor& executor, ProbeAction action,
                                  const ProbeOptions& options = {}, const Makers&... makers) {
    return make_probe(executor, ProbeSettings{.action = std::move(action), .options = options},
                      makers...);
}

} // namespace probekit::inline PROBEKIT_ABI
