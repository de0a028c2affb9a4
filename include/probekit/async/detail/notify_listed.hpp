// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <mutex>

#include <probekit/async/detail/mutex.hpp>
#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Calls `notify` on behalf of an object that is listed under `lock`, with the lock released.
///
/// A reference to the object's owner is taken, under the lock, before `unlist` removes or moves the
/// object in its list: an owner that finds its object unlisted may be destroyed at once.
/// `notify` has to release that reference, whatever happens. The lock stays released.
template <class Listed, class Unlist, class Notify>
[[gnu::always_inline]] inline void notify_listed(std::unique_lock<Mutex>& lock, Listed& listed,
                                                 Unlist unlist, Notify notify) {
    PROBEKIT_ASSERT(lock.owns_lock());
    listed.retain_owner();
    unlist();
    lock.unlock();
    notify();
}

} // namespace probekit::inline PROBEKIT_ABI::detail
