#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <catch2/catch_test_macros.hpp>

#include <probekit/probekit.hpp>

#include "../tools/forked.hpp"
#include "../tools/loopback.hpp"

// Programs with less than a program usually has: each in a forked child, with a context of its own.
using namespace probekit;
using namespace std::chrono_literals;
using tools::in_child;

namespace {

bool are_closed(int first, int last) {
    for (int fd = first; fd <= last; ++fd)
        if (::fcntl(fd, F_GETFD) != -1) return false;
    return true;
}

/// From now on every call of this number is answered with an error.
bool forbid(std::uint32_t call, std::uint32_t error) {
    sock_filter rules[] = {
        {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, call},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | error},
        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
    };
    const sock_fprog filter{.len = 4, .filter = rules};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

} // namespace

TEST_CASE("nothing takes the numbers of standard streams that a program has closed") {
    CHECK(in_child([] {
        asio::io_context io; // Asio's own descriptors are Asio's
        tools::LoopbackServer server{io, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"};
        Process process{io};
        HttpGetProbe get{io, HttpGetAction{.port = server.port()}};
        TcpProbe tcp{io, TcpSocketAction{.port = server.port()}};
        ExecProbe command{io, ExecAction{.command = {"sh", "-c", "sleep 0.1; echo out"}}};
        for (const int fd : {0, 1, 2}) ::close(fd);

        int passed = 0;
        bool closed = true;
        const auto count = [&](std::error_code, const ProbeResult& result) {
            passed += result.passed() ? 1 : 0;
            closed = closed && are_closed(0, 1);
        };
        get.async_probe(100s, count);
        tcp.async_probe(100s, count);
        command.async_probe(100s, count);
        io.poll(); // sockets, pidfd and pipes are open
        // The server's sockets are the test's own, and Asio's accept() takes what is free.
        const auto error =
            process.start({.command = {"sh", "-c", "ls -l /proc/self/fd/ >&2; echo out"},
                           .output = ProcessOutput::capture});
        std::string output;
        process.async_wait([&](std::error_code, ExitStatus) {
            output = process.output();
            server.stop();
        });
        io.run();
        return !error && passed == 3 && output.find("out\n") != std::string::npos;
    }));
}

TEST_CASE("a process does not inherit what took the number of a closed standard stream") {
    CHECK(in_child([] {
        for (const int fd : {0, 1, 2}) ::close(fd);
        asio::io_context io;
        const asio::steady_timer timer{io}; // now the event loop is number 0, 1 or 2
        if (are_closed(0, 2)) return false;
        Process process{io};
        int code = -1;
        if (process.start(
                {.command = {"sh", "-c",
                             "for fd in 0 1 2; do"
                             " [ $(readlink /proc/$$/fd/$fd) = /dev/null ] || exit 1; done"}}))
            return false;
        process.async_wait([&](std::error_code, ExitStatus status) { code = status.code; });
        io.run();
        return code == 0;
    }));
}

TEST_CASE("a program that may not wait for its children gets an error, and never spins") {
    for (const auto denial : {std::uint32_t{EPERM}, std::uint32_t{EACCES}, std::uint32_t{ENOSYS}}) {
        CAPTURE(denial);
        CHECK(in_child([denial] {
            if (!forbid(SYS_waitid, denial)) return false;
            asio::io_context io;
            Process process{io};
            if (process.start({.command = {"sleep", "1000"}})) return false;
            std::error_code waited;
            std::error_code probed;
            process.async_wait([&](std::error_code error, ExitStatus) { waited = error; });
            ExecProbe command{io, ExecAction{.command = {"true"}}};
            command.async_probe(100s,
                                [&](std::error_code error, const ProbeResult&) { probed = error; });
            const auto end = std::chrono::steady_clock::now() + 90s;
            int steps = 0;
            while (io.run_one_until(end) != 0) ++steps;
            return waited == Errc::status_lost && probed == Errc::status_lost && steps < 20 &&
                   !process.running();
        }));
    }
}
