// The machine as the benchmarks use it: cores, memory, a network of their own, processes.
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>

#include <netinet/in.h>
#include <sys/types.h>

namespace bench {

// Ties this process to one core, counted from 0 and over those there are; false: the system does
// not let us.
bool pin(unsigned core);
[[nodiscard]] unsigned cores();

// Resident memory of this process in bytes.
[[nodiscard]] std::size_t resident_bytes();

// Moves this process and its children to a network of their own, with loopback and other addresses,
// which are reached over loopback but do not look like it. False: the system does not let us, and
// nothing has changed.
inline constexpr const char* other_address = "192.0.2.1";
bool enter_private_network();

// Where there are many targets, each has an address of its own, as real ones have. The private
// network has them, from 1 on.
[[nodiscard]] std::string address_of_target(std::size_t number);

[[nodiscard]] sockaddr_in address(const std::string& dotted, unsigned port);

// A child of ours on a core of its own. Ended with its owner.
class Child {
public:
    template <class Work>
    Child(unsigned core, Work work) {
        pid_ = fork_pinned(core);
        if (pid_ != 0) return;
        work();
        leave();
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child();

private:
    static pid_t fork_pinned(unsigned core); // 0 in the child
    [[noreturn]] static void leave();

    pid_t pid_;
};

void run_in_own_process(void (*work)(void* given, void* out), void* given, void* out,
                        std::size_t size);

// Calls `work` in a process of its own and hands over what it returns: each run begins with a fresh
// heap and its own times.
template <class Work>
auto in_own_process(Work work) {
    using Result = decltype(work());
    static_assert(std::is_trivially_copyable_v<Result>);
    Result result = {};
    run_in_own_process(
        [](void* given, void* out) { *static_cast<Result*>(out) = (*static_cast<Work*>(given))(); },
        &work, &result, sizeof result);
    return result;
}

} // namespace bench
