#include <support/machine.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

bool pin(unsigned core) {
    cpu_set_t allowed;
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
    core %= static_cast<unsigned>(CPU_COUNT(&allowed));
    for (unsigned number = 0; number != CPU_SETSIZE; ++number) {
        if (!CPU_ISSET(number, &allowed) || core-- != 0) continue;
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(number, &one);
        return ::sched_setaffinity(0, sizeof one, &one) == 0;
    }
    return false;
}

unsigned cores() {
    cpu_set_t allowed;
    return ::sched_getaffinity(0, sizeof allowed, &allowed) == 0
               ? static_cast<unsigned>(CPU_COUNT(&allowed))
               : 1;
}

std::size_t resident_bytes() {
    std::ifstream statm{"/proc/self/statm"};
    std::size_t size = 0;
    std::size_t resident = 0;
    statm >> size >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

bool enter_private_network() {
    const uid_t user = ::getuid();
    if (::unshare(CLONE_NEWNET) != 0) {
        if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
        std::ofstream{"/proc/self/setgroups"} << "deny";
        std::ofstream{"/proc/self/uid_map"} << "0 " << user << " 1";
    }
    const int control = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request = {};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    bool done = ::ioctl(control, SIOCSIFFLAGS, &request) == 0;
    // The latter brings all of 10.0.0.0/8 with it.
    for (const auto& [name, dotted] :
         {std::pair{"lo:1", std::string{other_address}}, {"lo:2", address_of_target(1)}}) {
        std::strcpy(request.ifr_name, name);
        const sockaddr_in added = address(dotted, 0);
        std::memcpy(&request.ifr_addr, &added, sizeof added);
        done = done && ::ioctl(control, SIOCSIFADDR, &request) == 0;
    }
    ::close(control);
    if (!done) {
        std::perror("private network");
        std::exit(1);
    }
    return true;
}

std::string address_of_target(std::size_t number) {
    const auto part = [&](unsigned shift) { return std::to_string(number >> shift & 255); };
    return "10." + part(16) + '.' + part(8) + '.' + part(0);
}

sockaddr_in address(const std::string& dotted, unsigned port) {
    sockaddr_in result = {};
    result.sin_family = AF_INET;
    result.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::inet_pton(AF_INET, dotted.c_str(), &result.sin_addr) != 1) {
        std::fprintf(stderr, "not an IPv4 address: %s\n", dotted.c_str());
        std::exit(2);
    }
    return result;
}

pid_t Child::fork_pinned(unsigned core) {
    std::fflush(stdout);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) {
        std::perror("fork");
        std::exit(1);
    }
    if (pid != 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) leave();
    pin(core);
    return 0;
}

void Child::leave() { ::_exit(0); }

Child::~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

void run_in_own_process(void (*work)(void*, void*), void* given, void* out, std::size_t size) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        std::perror("pipe");
        std::exit(1);
    }
    std::fflush(stdout);
    const pid_t pid = ::fork();
    if (pid < 0) {
        std::perror("fork");
        std::exit(1);
    }
    if (pid == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        work(given, out);
        const bool told = ::write(ends[1], out, size) == static_cast<ssize_t>(size);
        std::fflush(stdout);
        ::_exit(told ? 0 : 1);
    }
    ::close(ends[1]);
    const bool heard = ::read(ends[0], out, size) == static_cast<ssize_t>(size);
    ::close(ends[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (heard && status == 0) return;
    std::fprintf(stderr, "a measuring process failed (status %d)\n", status);
    std::exit(1);
}

} // namespace bench
