// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <exception>
#include <new>
#include <system_error>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/error.hpp>

// Exceptions of code that is not ours are caught here and nowhere else, as programs may be built
// without exceptions. Then nothing is thrown, and `caught` is compiled but never called.
namespace probekit::inline PROBEKIT_ABI::detail {

/// Stands for a thrown object that is no std::exception.
struct UnknownException {};

/// Calls `work` and returns its result. If `work` throws, calls `caught` in the exception handler
/// and returns that result; the argument is the exception as the first of std::system_error,
/// std::bad_alloc, std::exception and UnknownException that fits.
template <class Work, class Caught>
auto try_call(Work work, [[maybe_unused]] Caught caught) -> decltype(work()) {
#if defined(__cpp_exceptions)
    try {
        return work();
    } catch (const std::system_error& thrown) {
        return caught(thrown);
    } catch (const std::bad_alloc& thrown) {
        return caught(thrown);
    } catch (const std::exception& thrown) { return caught(thrown); } catch (...) {
        return caught(UnknownException{});
    }
#else
    return work();
#endif
}

/// For try_call(): the error of an attempt that could not ask because of an exception.
struct ToErrorCode {
    std::error_code operator()(const std::system_error& thrown) const noexcept {
        return thrown.code() ? to_std(thrown.code()) : make_error_code(Errc::probe_threw);
    }
    std::error_code operator()(const std::bad_alloc&) const noexcept {
        return std::make_error_code(std::errc::not_enough_memory);
    }
    std::error_code operator()(const std::exception&) const noexcept { return Errc::probe_threw; }
    std::error_code operator()(UnknownException) const noexcept { return Errc::probe_threw; }
};

/// Calls `work`. If `work` throws anything, calls `caught` in the exception handler and returns
/// false.
template <class Work, class Caught>
[[nodiscard]] bool succeeds(Work work, [[maybe_unused]] Caught caught) {
#if defined(__cpp_exceptions)
    try {
        work();
    } catch (...) {
        caught();
        return false;
    }
#else
    work();
#endif
    return true;
}

/// Calls `work`; std::errc::not_enough_memory if that throws std::bad_alloc. Other exceptions pass.
template <class Work>
[[nodiscard]] std::error_code try_allocating(Work work) {
#if defined(__cpp_exceptions)
    try {
        work();
    } catch (const std::bad_alloc&) { return std::make_error_code(std::errc::not_enough_memory); }
#else
    work();
#endif
    return {};
}

} // namespace probekit::inline PROBEKIT_ABI::detail
