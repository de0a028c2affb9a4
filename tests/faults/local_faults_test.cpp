// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// What the machine, or the program, lacks for an attempt: system calls fail, one kind at a time.
// The definitions here are taken before those of libc, and do what libc's do until a test says
// otherwise.
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/core/error.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/probes/exec_probe.hpp>
#include <probekit/probes/http_get_probe.hpp>
#include <probekit/probes/tcp_probe.hpp>
#include <probekit/runtime/probe_worker.hpp>
#include <probekit/runtime/startup_gate.hpp>

#include "faulty_server.hpp"

namespace {

enum Call : std::size_t {
    call_socket,
    call_bind,
    call_connect,
    call_quickack,
    call_send,
    call_recv,
    call_epoll_create,
    call_epoll_ctl,
    call_pipe2,
    call_clone,
    call_getaddrinfo,
    call_count
};

/// The error that a call gives instead of doing anything; 0: none. getaddrinfo: EMFILE and ENOMEM
/// mean what it makes of them.
std::array<std::atomic<int>, call_count> errors{};
/// Calls on a socket do not fail for the server on this port, which runs on the same thread.
std::atomic<int> server_port = 0;

bool fails(Call call) {
    const int error = errors[call];
    if (error != 0) errno = error;
    return error != 0;
}

bool fails_for(int socket, Call call) {
    if (errors[call] == 0) return false;
    sockaddr_in own = {};
    socklen_t size = sizeof own;
    const bool is_socket = ::getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size) == 0;
    return is_socket && ntohs(own.sin_port) != server_port && fails(call);
}

// Datagrams have ports of their own.
bool is_stream(int socket) {
    int type = 0;
    socklen_t size = sizeof type;
    return ::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
}

template <class Function>
Function* next(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

} // namespace

extern "C" {

int socket(int domain, int type, int protocol) noexcept {
    static const auto real = next<int(int, int, int)>("socket");
    return fails(call_socket) ? -1 : real(domain, type, protocol);
}

int bind(int fd, const sockaddr* address, socklen_t size) noexcept {
    static const auto real = next<int(int, const sockaddr*, socklen_t)>("bind");
    return fails(call_bind) ? -1 : real(fd, address, size);
}

int connect(int fd, const sockaddr* address, socklen_t size) {
    static const auto real = next<int(int, const sockaddr*, socklen_t)>("connect");
    return is_stream(fd) && fails(call_connect) ? -1 : real(fd, address, size);
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
    static const auto real = next<int(int, int, int, const void*, socklen_t)>("setsockopt");
    const bool is_quickack = level == IPPROTO_TCP && name == TCP_QUICKACK;
    return is_quickack && fails(call_quickack) ? -1 : real(fd, level, name, value, size);
}

ssize_t send(int fd, const void* bytes, std::size_t size, int flags) {
    static const auto real = next<ssize_t(int, const void*, std::size_t, int)>("send");
    return fails_for(fd, call_send) ? -1 : real(fd, bytes, size, flags);
}

ssize_t recv(int fd, void* bytes, std::size_t size, int flags) {
    static const auto real = next<ssize_t(int, void*, std::size_t, int)>("recv");
    return fails_for(fd, call_recv) ? -1 : real(fd, bytes, size, flags);
}

int epoll_create1(int flags) noexcept {
    static const auto real = next<int(int)>("epoll_create1");
    return fails(call_epoll_create) ? -1 : real(flags);
}

int epoll_ctl(int epoll, int operation, int fd, epoll_event* event) noexcept {
    static const auto real = next<int(int, int, int, epoll_event*)>("epoll_ctl");
    return fails_for(fd, call_epoll_ctl) ? -1 : real(epoll, operation, fd, event);
}

int pipe2(int* ends, int flags) noexcept {
    static const auto real = next<int(int*, int)>("pipe2");
    return fails(call_pipe2) ? -1 : real(ends, flags);
}

int __clone(int (*task)(void*), void* stack, int flags, void* argument, ...) noexcept {
    static const auto real = next<int(int (*)(void*), void*, int, void*, ...)>("__clone");
    std::va_list more;
    va_start(more, argument);
    int* const pidfd = va_arg(more, int*);
    va_end(more);
    return fails(call_clone) ? -1 : real(task, stack, flags, argument, pidfd);
}

int getaddrinfo(const char* node, const char* service, const addrinfo* hints, addrinfo** found) {
    static const auto real =
        next<int(const char*, const char*, const addrinfo*, addrinfo**)>("getaddrinfo");
    if (!fails(call_getaddrinfo)) return real(node, service, hints, found);
    return errno == ENOMEM ? EAI_MEMORY : EAI_SYSTEM;
}

} // extern "C"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

/// A worker with a failure threshold of one runs while a call fails, and goes on until the
/// call works again.
struct Seen {
    int errors = 0;
    bool all_right = true; ///< no attempt moved a counter
    std::error_code error = {};
    std::string message = {};
    bool has_failed = false;
    bool has_passed = false;
    bool was_notified = false; ///< of a verdict before an attempt passed
    Health health = Health::unknown;
};

struct Watcher {
    Seen* seen;
    std::atomic<int>* fault;

    void attempt_ended(const AttemptEnded& ended) const {
        if (!ended.error) {
            (ended.result.passed() ? seen->has_passed : seen->has_failed) = true;
            return;
        }
        ++seen->errors;
        seen->error = ended.error;
        seen->message = ended.result.message();
        seen->all_right =
            seen->all_right && !ended.counted && ended.result.outcome == Outcome::unknown;
        // A check makes three attempts in a row: by now there has been another check.
        if (seen->errors == 4) *fault = 0;
    }
};

template <class P>
Seen attempt_without(asio::io_context& io, P probe, Call call, int error) {
    Seen seen;
    ProbeWorker worker{
        std::move(probe),
        ProbeSpec{
            .kind = ProbeKind::liveness, .period = 1ms, .timeout = 20s, .failure_threshold = 1},
        Watcher{&seen, &errors[call]}};
    worker.on_verdict([&](const Verdict&) { seen.was_notified = !seen.has_passed; });
    worker.start();
    io.restart();
    errors[call] = error;
    while (!seen.has_passed && !seen.has_failed) io.run_one_for(60s);
    errors[call] = 0;
    seen.health = worker.health();
    return seen;
}

void check(const Seen& seen, int error, const std::string& message = {}) {
    CHECK(seen.errors == 4);
    CHECK(seen.all_right);
    CHECK(seen.error == std::error_code{error, std::system_category()});
    CHECK(is_local_fault(seen.error));
    CHECK_FALSE(seen.has_failed);
    CHECK_FALSE(seen.was_notified);
    CHECK(seen.has_passed);
    CHECK(seen.health == Health::passing);
    CHECK(seen.message.ends_with(message));
}

const Fault good{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Fault::Then::closes};

} // namespace

TEST_CASE("a system that refuses TCP_QUICKACK resets a silent connection, and nothing fails") {
    asio::io_context io;
    const FaultyServer server{io, {"", Fault::Then::waits}};
    const Seen seen =
        attempt_without(io, TcpProbe{io, {.port = server.port()}}, call_quickack, ENOPROTOOPT);
    CHECK(seen.has_passed);
    CHECK(seen.errors == 0);
}

TEST_CASE(
    "what is lacking for a connection is an error that moves no counter, and passes by itself") {
    const auto [what, call, error, message] = GENERATE(table<std::string, Call, int, std::string>({
        {"no descriptor in this program", call_socket, EMFILE, "socket: too many open files"},
        {"no file in the whole system", call_socket, ENFILE,
         "socket: too many open files in system"},
        {"no buffer for a socket", call_socket, ENOBUFS, "socket: no buffer space available"},
        {"no memory for a socket", call_socket, ENOMEM, "socket: cannot allocate memory"},
        {"no port for a connection", call_connect, EADDRNOTAVAIL,
         "connect: cannot assign requested address"},
        {"no buffer for a connection", call_connect, ENOBUFS, "no buffer space available"},
        {"no memory for a connection", call_connect, ENOMEM, "cannot allocate memory"},
        {"no route to be had for a connection", call_connect, EAGAIN,
         "connect: resource temporarily unavailable"},
    }));
    INFO(what);
    asio::io_context io;
    const FaultyServer server{io, good};
    check(attempt_without(io, TcpProbe{io, {.port = server.port()}}, call, error), error, message);
    check(attempt_without(io, HttpGetProbe{io, {.port = server.port()}}, call, error), error,
          message);
}

TEST_CASE("without a free port at the source address it is a prober error") {
    const int error = GENERATE(EADDRINUSE, ENOBUFS);
    // bind() reports an address without a free port as one in use, and one that is not this
    // machine's as not available, which tests/probes/tcp_probe_test.cpp has.
    const int reported = error == EADDRINUSE ? EADDRNOTAVAIL : error;
    asio::io_context io;
    const FaultyServer server{io, good};
    check(attempt_without(io,
                          TcpProbe{io, {.port = server.port()}, {.source_address = "127.0.0.1"}},
                          call_bind, error),
          reported);
    check(attempt_without(
              io, HttpGetProbe{io, {.port = server.port()}, {.source_address = "127.0.0.1"}},
              call_bind, error),
          reported);
}

TEST_CASE("what is lacking on a connection that is there is an error that moves no counter, and "
          "passes by itself") {
    const auto [what, call, error, message] = GENERATE(table<std::string, Call, int, std::string>({
        {"no buffer to send from", call_send, ENOBUFS, "write: no buffer space available"},
        {"no memory to send from", call_send, ENOMEM, "write: cannot allocate memory"},
        {"no buffer to receive into", call_recv, ENOBUFS, "read: no buffer space available"},
        {"no memory to receive into", call_recv, ENOMEM, "read: cannot allocate memory"},
        {"no memory to wait with", call_epoll_ctl, ENOMEM, ""},
    }));
    INFO(what);
    asio::io_context io;
    const FaultyServer server{io, good};
    server_port = server.port();
    check(attempt_without(io, HttpGetProbe{io, {.port = server.port()}}, call, error), error,
          message);
}

TEST_CASE("the constructor throws if the event loop cannot be opened") {
    asio::io_context io;
    errors[call_epoll_create] = EMFILE;
    CHECK_THROWS_AS((TcpProbe{io, {.port = 1}}), std::system_error);
    CHECK_THROWS_AS((StartupGate{io}), std::system_error);
    errors[call_epoll_create] = 0;
    TcpProbe probe{io, {.port = 1}};
    ProbeWorker worker{std::move(probe),
                       ProbeSpec{.period = 1ms, .timeout = 20s, .failure_threshold = 1}};
    worker.start();
    while (!worker.snapshot().judged) io.run_one_for(60s);
    CHECK(worker.health() == Health::failing);
}

TEST_CASE("an event loop that takes no more descriptors is an error that moves no counter, and "
          "passes by itself") {
    asio::io_context io;
    const FaultyServer server{io, good};
    server_port = server.port();
    const Seen seen =
        attempt_without(io, HttpGetProbe{io, {.port = server.port()}}, call_epoll_ctl, ENOSPC);
    CHECK(seen.errors == 4);
    CHECK(seen.all_right);
    CHECK(seen.error == std::errc::no_buffer_space);
    CHECK(is_local_fault(seen.error));
    CHECK_FALSE(seen.was_notified);
    CHECK(seen.has_passed);
}

TEST_CASE(
    "a lack of resources for a command is an error that moves no counter, and ends by itself") {
    const auto [what, call, error] = GENERATE(table<std::string, Call, int>({
        {"no descriptor for its output", call_pipe2, EMFILE},
        {"no file in the system for its output", call_pipe2, ENFILE},
        {"no room for another process", call_clone, EAGAIN},
        {"no memory for another process", call_clone, ENOMEM},
        {"no file in the system for its pidfd", call_clone, ENFILE},
    }));
    INFO(what);
    asio::io_context io;
    check(attempt_without(io, ExecProbe{io, {.command = {"/bin/true"}}}, call, error), error);
}

TEST_CASE(
    "what is lacking to resolve a name is an error that moves no counter, and passes by itself") {
    const auto [what, error, message] = GENERATE(table<std::string, int, std::string>({
        {"no descriptor to resolve with", EMFILE, "lookup localhost: too many open files"},
        {"no file in the system to resolve with", ENFILE,
         "lookup localhost: too many open files in system"},
        {"no memory to resolve with", ENOMEM, "lookup localhost: cannot allocate memory"},
    }));
    INFO(what);
    asio::io_context io;
    const FaultyServer server{io, good};
    TcpProbe probe{io, {.host = "localhost", .port = server.port()}};
    check(attempt_without(io, std::move(probe), call_getaddrinfo, error), error, message);
}

TEST_CASE("without a thread to resolve a name it is a prober error, which ends by itself") {
    if (::geteuid() != 0) SKIP("needs root to become a user without other processes");
    // RLIMIT_NPROC does not bind root: run as another user, in a process of its own.
    const pid_t tester = ::fork();
    if (tester == 0) {
        rlimit threads = {};
        if (::getrlimit(RLIMIT_NPROC, &threads) != 0 || ::setgid(65534) != 0 ||
            ::setuid(65534) != 0)
            ::_exit(2);
        const rlim_t before = std::exchange(threads.rlim_cur, 0);
        asio::io_context io;
        const FaultyServer server{io, good};
        TcpProbe probe{io, {.host = "localhost", .port = server.port()}};
        int times_told = 0;
        std::optional<std::error_code> reported;
        const auto error_of_attempt = [&] {
            reported.reset();
            probe.async_probe(20s, [&](std::error_code error, const ProbeResult& result) {
                ++times_told;
                reported = error || result.passed() ? error : result.cause;
            });
            while (!reported) io.run_one_for(60s);
            return *reported;
        };
        ::setrlimit(RLIMIT_NPROC, &threads);
        const bool was_seen = error_of_attempt() == std::error_code{EAGAIN, std::system_category()};
        threads.rlim_cur = before;
        ::setrlimit(RLIMIT_NPROC, &threads);
        const bool has_passed = !error_of_attempt();
        ::_exit(was_seen && has_passed && times_told == 2 ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(tester, &status, 0) == tester);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}
