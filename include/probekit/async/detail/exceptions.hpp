// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <exception>
#include <new>
#include <system_error>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/error.hpp>

// Exceptions of other people's code are caught here and nowhere else, as programs may be built
// without any. Then nothing is thrown, and what stands in `caught` is compiled but never called.
namespace probekit::inline PROBEKIT_ABI::detail {

/// Something was thrown that is no std::exception.
struct UnknownException {};

/// Calls `work`. Of what it throws the nearest of std::system_error, std::bad_alloc, std::exception
/// and UnknownException is given to `caught`, while it is being handled; what that returns counts
/// instead.
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

/// What it means for a look that it could not be made because of an exception.
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

/// Calls `work`. False if it throws anything: then `caught` has been called while that was being
/// handled.
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

/// Calls `work`, which may need memory. False if it is not there; other exceptions pass.
template <class Work>
[[nodiscard]] bool had_memory_for(Work work) {
#if defined(__cpp_exceptions)
    try {
        work();
    } catch (const std::bad_alloc&) { return false; }
#else
    work();
#endif
    return true;
}

/// The same, as std::errc::not_enough_memory.
template <class Work>
[[nodiscard]] std::error_code try_allocating(Work work) {
    const bool had_memory = had_memory_for(std::move(work));
    return had_memory ? std::error_code{} : std::make_error_code(std::errc::not_enough_memory);
}

} // namespace probekit::inline PROBEKIT_ABI::detail
