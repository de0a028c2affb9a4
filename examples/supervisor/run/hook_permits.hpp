// How many hooks may run at once.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <utility>

namespace supervisor {

class HookPermits {
public:
    /// False: it does not want to begin any more.
    using Begin = std::function<bool()>;

    explicit HookPermits(std::size_t count) noexcept : free_(count) {}

    /// Calls `begin` now, or when somebody has given a permit back: whoever waits longest is the
    /// next.
    void acquire(Begin begin) {
        waiting_.push_back(std::move(begin));
        serve();
    }
    void release() {
        ++free_;
        serve();
    }

private:
    void serve() {
        while (free_ != 0 && !waiting_.empty()) {
            const Begin begin = std::move(waiting_.front());
            waiting_.pop_front();
            if (begin()) --free_;
        }
    }

    std::size_t free_;
    std::deque<Begin> waiting_;
};

} // namespace supervisor
