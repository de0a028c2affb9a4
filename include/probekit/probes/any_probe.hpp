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
#include <probekit/core/duration.hpp>
#include <probekit/probes/detail/attempt_owner.hpp>
#include <probekit/probes/detail/type_erased_attempt.hpp>
#include <probekit/probes/exec_probe.hpp>
#include <probekit/probes/http_get_probe.hpp>
#include <probekit/probes/probe.hpp>
#include <probekit/probes/tcp_probe.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Any probe in one type, for lists that are made at run time. Movable only; our own probes, and
/// others of up to 64 bytes, stand inside. A look costs an indirect call more than the probe's own,
/// and a worker's look no more memory. Where a handler's executor is not convertible to Executor,
/// cancel on the probe's.
template <class Executor = asio::any_io_executor>
class BasicAnyProbe : public detail::BuiltinProbeTag {
public:
    using executor_type = Executor;

    template <class P>
        requires(!std::same_as<std::remove_cvref_t<P>, BasicAnyProbe> &&
                 Probe<std::remove_cvref_t<P>> &&
                 std::convertible_to<typename std::remove_cvref_t<P>::executor_type, Executor>)
    BasicAnyProbe(P&& probe) : table_(&table<std::remove_cvref_t<P>>) {
        using Held = std::remove_cvref_t<P>;
        if constexpr (fits<Held>)
            ::new (static_cast<void*>(storage_)) Held(std::forward<P>(probe));
        else
            ::new (static_cast<void*>(storage_))
                std::unique_ptr<Held>(new Held(std::forward<P>(probe)));
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

    [[nodiscard]] executor_type get_executor() const noexcept { return table_->executor(storage_); }

    /// As the probe's own async_probe. A token that begins the look later (deferred, use_awaitable)
    /// finds the probe in its place then; from that moment on it may go.
    template <class Token = asio::default_completion_token_t<Executor>>
    auto async_probe(Duration timeout, Token&& token = Token()) {
        return asio::async_initiate<Token, ProbeSignature>(Initiation{this}, token, timeout);
    }

    // For workers.
    void start_attempt(Duration timeout, detail::OwnedAttemptHandler<Executor> handler) {
        table_->start_attempt(storage_, timeout, std::move(handler));
    }
    [[nodiscard]] bool keeps_timeout() const noexcept { return table_->keeps_timeout; }
    [[nodiscard]] bool must_outlive_attempts() const noexcept {
        return table_->must_outlive_attempts;
    }

private:
    struct Table {
        Executor (*executor)(const std::byte*) noexcept;
        void (*start_attempt)(std::byte*, Duration, detail::OwnedAttemptHandler<Executor>&&);
        void (*move)(std::byte* from, std::byte* to) noexcept; // and destroys what it leaves
        void (*destroy)(std::byte*) noexcept;
        bool keeps_timeout;
        bool must_outlive_attempts; // a user's probe may have to stay while it is looked through
    };

    /// Our own probes have an executor and a shared pointer.
    static constexpr std::size_t room =
        std::max(std::size_t{64}, sizeof(Executor) + sizeof(std::shared_ptr<void>));

    template <class P>
    static constexpr bool fits = sizeof(P) <= room && alignof(P) <= alignof(std::max_align_t) &&
                                 std::is_nothrow_move_constructible_v<P>;

    template <class P>
    [[nodiscard]] static P& held(std::byte* storage) noexcept {
        if constexpr (fits<P>)
            return *std::launder(reinterpret_cast<P*>(storage));
        else
            return **std::launder(reinterpret_cast<std::unique_ptr<P>*>(storage));
    }

    template <class P>
    static constexpr Table table{
        .executor = [](const std::byte* storage) noexcept -> Executor {
            return held<P>(const_cast<std::byte*>(storage)).get_executor();
        },
        .start_attempt =
            [](std::byte* storage, Duration timeout,
               detail::OwnedAttemptHandler<Executor>&& handler) {
                detail::start_attempt(held<P>(storage), timeout, std::move(handler));
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
        .keeps_timeout = detail::EnforcesTimeout<P>,
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
                [&](detail::OwnedAttemptHandler<Executor> look) {
                    probe_->start_attempt(timeout, std::move(look));
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
        if (const Table* const held_by = std::exchange(table_, nullptr)) held_by->destroy(storage_);
    }

    alignas(std::max_align_t) std::byte storage_[room];
    const Table* table_ = nullptr;
};

using AnyProbe = BasicAnyProbe<>;

struct ProbeOptions {
    ExecOptions exec = {};
    TcpOptions tcp = {};
    HttpOptions http = {};
};

/// The probe for settings that are known at run time only. Throws ConfigException as the probes'
/// constructors do.
template <class Any = AnyProbe> // only to be compiled where it is called: all of the three probes
// are in it
[[nodiscard]] Any make_probe(const asio::any_io_executor& executor, ProbeAction action,
                             const ProbeOptions& options = {}) {
    struct Make {
        const asio::any_io_executor& executor;
        const ProbeOptions& options;
        Any operator()(ExecAction&& exec) const {
            return ExecProbe{executor, std::move(exec), options.exec};
        }
        Any operator()(HttpGetAction&& http) const {
            return HttpGetProbe{executor, std::move(http), options.http};
        }
        Any operator()(TcpSocketAction&& tcp) const {
            return TcpProbe{executor, std::move(tcp), options.tcp};
        }
    };
    return std::visit(Make{executor, options}, std::move(action));
}

} // namespace probekit::inline PROBEKIT_ABI
