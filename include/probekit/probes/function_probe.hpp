// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <memory>
#include <type_traits>
#include <utility>

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>

#include <probekit/async/detail/executors.hpp>
#include <probekit/config.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/probes/detail/builtin_probe.hpp>
#include <probekit/probes/detail/function_attempt.hpp>
#include <probekit/probes/probe.hpp>

namespace probekit::inline PROBEKIT_ABI {

/// Makes a probe of a callable.
/// \code
/// std::vector<int> queue;
/// FunctionProbe probe{io, [&queue] { return queue.size() < 1000; }};
/// probe.async_probe(1s, [](std::error_code error, const ProbeResult& result) {
///     std::puts(!error && result.passed() ? "short" : "long");
/// });
/// \endcode
/// The callable is called without an argument or with the timeout, and returns bool, Outcome,
/// ProbeResult, or an asio::awaitable of one of these.
///
/// The callable runs on the probe's executor. A plain function blocks that executor, and its
/// timeout is checked only afterwards. A coroutine is cancelled (`terminal`) at the timeout, and
/// has left its frame before the attempt completes. The callable lives until then, even if probe
/// and worker have been destroyed.
///
/// An exception is a failure: the code of a std::system_error is the cause, what() of another
/// std::exception is the output. But local faults (is_local_fault) and std::bad_alloc are prober
/// errors, and so is an exception that is not derived from std::exception (Errc::probe_threw).
template <class F, class Executor = asio::any_io_executor>
    requires(detail::ProbeFunction<F>)
class FunctionProbe : public detail::BuiltinProbe<FunctionProbe<F, Executor>, Executor> {
    using Base = detail::BuiltinProbe<FunctionProbe, Executor>;

public:
    template <class Other>
    struct rebind_executor {
        using other = FunctionProbe<F, Other>;
    };

    /// `where`: an executor or an execution context.
    template <detail::ExecutorSource<Executor> Where>
    explicit FunctionProbe(Where&& where, F function)
        : Base(std::forward<Where>(where)), target_(std::make_shared<F>(std::move(function))) {}

    /// A copy has a copy of the callable.
    FunctionProbe(const FunctionProbe& other)
        requires(std::copy_constructible<F>)
        : Base(static_cast<const Base&>(other)), target_(std::make_shared<F>(*other.target_)) {}
    FunctionProbe& operator=(const FunctionProbe& other)
        requires(std::copy_constructible<F>)
    {
        return *this = FunctionProbe{other};
    }
    FunctionProbe(FunctionProbe&&) noexcept = default;
    FunctionProbe& operator=(FunctionProbe&&) noexcept = default;
    ~FunctionProbe() = default;

private:
    friend Base;

    template <class Handler, class IoExecutor>
    using Attempt = detail::FunctionAttempt<F, Handler, Executor>;

    std::shared_ptr<F> target_;
};

template <class Where, class F>
FunctionProbe(Where&&, F) -> FunctionProbe<F>;

} // namespace probekit::inline PROBEKIT_ABI
