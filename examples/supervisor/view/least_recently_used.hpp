// A map of bounded size that forgets what was not used for longest.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace supervisor {

template <class Value>
class LeastRecentlyUsed {
public:
    explicit LeastRecentlyUsed(std::size_t capacity) : capacity_(capacity) {}

    /// The value of `key`, made by default if there is none. Stays valid until the next call.
    Value& operator[](std::string_view key) {
        if (const auto found = index_.find(key); found != index_.end()) {
            order_.splice(order_.begin(), order_, found->second);
        } else {
            if (order_.size() == capacity_) {
                index_.erase(order_.back().first);
                order_.pop_back();
            }
            order_.emplace_front(key, Value{});
            // The index refers to the list's own copy of the key, which never moves.
            index_.emplace(order_.front().first, order_.begin());
        }
        return order_.front().second;
    }

    [[nodiscard]] std::size_t size() const noexcept { return order_.size(); }

private:
    using Order = std::list<std::pair<std::string, Value>>;

    std::size_t capacity_;
    Order order_; // the latest first
    std::unordered_map<std::string_view, typename Order::iterator> index_;
};

} // namespace supervisor
