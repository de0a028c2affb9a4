// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <deque>
#include <utility>

#include <probekit/async/detail/scope_exit.hpp>
#include <probekit/config.hpp>
#include <probekit/runtime/detail/small_function.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Changes that a callback of the user's is to be called with: one after the other, in order, never
/// nested. The callback may replace itself and close() the queue, whose owner stays alive
/// throughout deliver().
template <class Change>
class ChangeQueue {
public:
    void set_callback(SmallFunction<Change>&& callback) noexcept {
        callback_ = std::move(callback);
        replaced_ = true;
    }
    void push(Change change) {
        if (!closed_) pending_.push_back(std::move(change));
    }
    void clear() noexcept { pending_.clear(); }
    /// Nothing is delivered any more.
    void close() noexcept {
        closed_ = true;
        pending_.clear();
    }
    [[nodiscard]] bool empty() const noexcept { return pending_.empty(); }

    /// Calls the callback for what is pending, unless such a call is going on: then that one goes
    /// on with it. `later` arranges for another deliver(): the callback has thrown.
    template <class Later>
    void deliver(Later later) {
        if (delivering_) return;
        delivering_ = true;
        const ScopeExit leave{[&] {
            delivering_ = false;
            if (!closed_ && !pending_.empty()) later();
        }};
        while (!pending_.empty()) {
            const Change change = std::move(pending_.front());
            pending_.pop_front();
            if (!callback_) continue;
            SmallFunction<Change> callback = std::move(callback_);
            replaced_ = false;
            const ScopeExit back{[&] {
                if (!replaced_ && !closed_) callback_ = std::move(callback);
            }};
            callback(change);
        }
    }

private:
    SmallFunction<Change> callback_;
    std::deque<Change> pending_;
    bool replaced_ = false; // by the callback that is running
    bool delivering_ = false;
    bool closed_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
