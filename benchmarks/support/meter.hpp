// Measures what happens between the end of the warm-up and the end of the load.
#pragma once

#include <cstdint>

#include <support/load.hpp>

namespace bench {

// Allocations made by this program so far: operator new of all kinds.
[[nodiscard]] std::uint64_t allocations() noexcept;

// How long this program has stood in epoll_wait().
[[nodiscard]] double waited_us() noexcept;

// A reading of all that Cost says, since the process began.
[[nodiscard]] Cost reading() noexcept;

class Meter {
public:
    explicit Meter(const Load& load) : load_(load) {
        if (load_.warm_up == 0) start_ = reading();
    }

    // One probe has ended. True: that was the last one.
    bool count(bool passed) noexcept {
        if (done_) return true;
        failures_ += passed ? 0 : 1;
        if (++ended_ == load_.warm_up) {
            failures_ = 0;
            start_ = reading();
        }
        if (ended_ != load_.warm_up + load_.count) return false;
        finish();
        return true;
    }

    [[nodiscard]] const Cost& cost() const noexcept { return cost_; }

private:
    void finish() noexcept {
        done_ = true;
        cost_ = reading();
        cost_.probes = load_.count;
        cost_.failures = failures_;
        cost_.allocations -= start_.allocations;
        cost_.user_us -= start_.user_us;
        cost_.system_us -= start_.system_us;
        cost_.wall_us -= start_.wall_us;
        cost_.waiting_us -= start_.waiting_us;
        cost_.children_us -= start_.children_us;
    }

    Load load_;
    std::uint64_t ended_ = 0;
    std::uint64_t failures_ = 0;
    bool done_ = false;
    Cost start_;
    Cost cost_;
};

} // namespace bench
