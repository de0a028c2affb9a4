#include <support/meter.hpp>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <new>

#include <sys/epoll.h>
#include <sys/resource.h>

namespace {

std::atomic<std::uint64_t> allocation_count{0};
double waiting_us = 0;

double now_us() noexcept {
    timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

double in_us(const timeval& time) noexcept {
    return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_usec);
}

} // namespace

namespace bench {

std::uint64_t allocations() noexcept { return allocation_count.load(std::memory_order_relaxed); }

double waited_us() noexcept { return waiting_us; }

Cost reading() noexcept {
    rusage own;
    rusage children;
    ::getrusage(RUSAGE_SELF, &own);
    ::getrusage(RUSAGE_CHILDREN, &children);
    Cost cost;
    cost.allocations = allocations();
    cost.user_us = in_us(own.ru_utime);
    cost.system_us = in_us(own.ru_stime);
    cost.wall_us = now_us();
    cost.waiting_us = waiting_us;
    cost.children_us = in_us(children.ru_utime) + in_us(children.ru_stime);
    return cost;
}

} // namespace bench

// Stands before the C library's, for Asio and the floors alike.
extern "C" int epoll_wait(int epoll, epoll_event* events, int most, int timeout) {
    const double before = now_us();
    const int ready = ::epoll_pwait(epoll, events, most, timeout, nullptr);
    waiting_us += now_us() - before;
    return ready;
}

void* operator new(std::size_t size) {
    allocation_count.fetch_add(1, std::memory_order_relaxed);
    if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc{};
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    allocation_count.fetch_add(1, std::memory_order_relaxed);
    return std::malloc(size == 0 ? 1 : size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    allocation_count.fetch_add(1, std::memory_order_relaxed);
    const std::size_t unit = static_cast<std::size_t>(alignment);
    if (void* const memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit))
        return memory;
    throw std::bad_alloc{};
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
