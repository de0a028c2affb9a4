// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/execution_context.hpp>
#include <asio/io_context.hpp>
#include <asio/query.hpp>
#include <asio/strand.hpp>

#include <probekit/config.hpp>

// What constructors accept as "where", and where the inner steps of an attempt run.

namespace probekit::inline PROBEKIT_ABI::detail {

template <class T>
concept ExecutionContext = std::derived_from<std::remove_cvref_t<T>, asio::execution_context> &&
                           requires(T& context) { context.get_executor(); };

/// An executor convertible to Executor, or an execution context whose executor is.
template <class T, class Executor>
concept ExecutorSource = std::convertible_to<T, Executor> ||
                         (ExecutionContext<T> && requires(std::remove_reference_t<T>& context) {
                             { context.get_executor() } -> std::convertible_to<Executor>;
                         });

template <class Executor, class Source>
[[nodiscard]] Executor executor_from(Source&& source) {
    if constexpr (ExecutionContext<Source>)
        return Executor(source.get_executor());
    else
        return Executor(std::forward<Source>(source));
}

[[nodiscard]] inline asio::execution_context& context_of(const auto& executor) {
    return asio::query(executor, asio::execution::context);
}

using IoContextExecutor = asio::io_context::executor_type;

template <class T>
inline constexpr bool is_strand = false;
template <class Inner>
inline constexpr bool is_strand<asio::strand<Inner>> = true;

/// The executor inside a type-erased one if it is of exactly this type, else null. Asio's own
/// target() does not compare types (1.22). Always null in a program without RTTI, which costs time
/// and nothing else.
template <class Target>
[[nodiscard]] const Target* target_of(
    [[maybe_unused]] const asio::any_io_executor& executor) noexcept {
#if defined(ASIO_NO_TYPEID)
    return nullptr;
#else
    return executor.target_type() == typeid(Target) ? executor.template target<Target>() : nullptr;
#endif
}

/// Whether an executor shares state with a service of its context, as a strand does: then its last
/// copy must be destroyed before the context.
template <class Executor>
[[nodiscard]] bool must_not_outlive_context(const Executor& executor) noexcept {
    if constexpr (std::same_as<Executor, asio::any_io_executor>)
        return target_of<IoContextExecutor>(executor) == nullptr;
    else
        return !std::same_as<Executor, IoContextExecutor>;
}

/// Calls `use` with the executor for the inner steps of an attempt. That is the executor below a
/// strand, since the steps come one after the other and lock what they share. An io_context's
/// executor is passed as its own type: Asio's operations then need no type erasure and call their
/// handlers directly.
template <class Executor, class Use>
decltype(auto) with_inner_executor(const Executor& executor, Use&& use) {
    if constexpr (is_strand<Executor>) {
        return with_inner_executor(executor.get_inner_executor(), std::forward<Use>(use));
    } else if constexpr (std::same_as<Executor, asio::any_io_executor>) {
        if (const auto* io = target_of<IoContextExecutor>(executor)) return use(*io);
        if (const auto* on_io = target_of<asio::strand<IoContextExecutor>>(executor))
            return use(on_io->get_inner_executor());
        if (const auto* on_any = target_of<asio::strand<asio::any_io_executor>>(executor))
            return with_inner_executor(on_any->get_inner_executor(), std::forward<Use>(use));
        return use(executor);
    } else if constexpr (std::same_as<Executor, IoContextExecutor>) {
        return use(executor);
    } else {
        return use(asio::any_io_executor(executor));
    }
}

/// Whether a function that has to run on `executor` may be called right here. dispatch() finds that
/// out too, but for a type-erased executor only after it has allocated.
template <class Executor>
[[nodiscard]] bool runs_here(const Executor& executor) noexcept {
    if constexpr (std::same_as<Executor, asio::any_io_executor>) {
        const auto* const io = target_of<IoContextExecutor>(executor);
        return io != nullptr && io->running_in_this_thread();
    } else if constexpr (requires { executor.running_in_this_thread(); }) {
        return executor.running_in_this_thread();
    } else {
        return false;
    }
}

} // namespace probekit::inline PROBEKIT_ABI::detail
