// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// What hostile hosts have in common: a program of their own, the work that the library does in it,
// and what must be true afterwards.
#pragma once

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/interfaces/catch_interfaces_capture.hpp>

#include <probekit/probekit.hpp>

#include "../tools/contents.hpp"
#include "../tools/loopback.hpp"

namespace probekit::tests {

using Steady = std::chrono::steady_clock;

/// Executes this program again, for the current test case only, as the host of that name.
inline void execute_as_host(const std::string& name) {
    std::string test;
    for (const char c : Catch::getResultCapture().getCurrentTestName())
        test.append(c == ',' ? "\\," : std::string(1, c)); // a comma means "or"
    const int output = ::memfd_create("output", MFD_CLOEXEC);
    const pid_t host = ::fork();
    REQUIRE(host >= 0);
    if (host == 0) {
        ::dup2(output, 1);
        ::dup2(output, 2);
        ::setenv("PROBEKIT_HOST", name.c_str(), 1);
        ::alarm(110); // if it hangs
        ::execl("/proc/self/exe", "host", test.c_str(), "--warn", "NoAssertions", nullptr);
        ::_exit(127);
    }
    int status = 0;
    REQUIRE(::waitpid(host, &status, 0) == host);
    std::string text(static_cast<std::size_t>(::lseek(output, 0, SEEK_END)), '\0');
    REQUIRE(::pread(output, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    ::close(output);
    INFO("in the host \"" << name << "\":\n" << text);
    CHECK(status == 0);
}

/// Runs `body` in a program of its own, which it may spoil as it likes.
template <class Body>
void as_host(const std::string& name, Body body) {
    const char* const running = std::getenv("PROBEKIT_HOST");
    if (running == nullptr) return execute_as_host(name);
    if (running != name) return;
    std::thread{[] {}}.join(); // with the first one the thread sanitizer starts one of its own
    body();
}

/// Calls `use(entry, path)` for each number that names an entry of a directory.
template <class Use>
void for_each_number(const char* directory, Use use) {
    DIR* const listed = ::opendir(directory);
    REQUIRE(listed != nullptr);
    while (const dirent* const entry = ::readdir(listed)) {
        const int number = std::atoi(entry->d_name); // "." and "..": 0
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || number == ::dirfd(listed)) continue;
        use(number, std::string{directory} + "/" + entry->d_name);
    }
    ::closedir(listed);
}

/// What is the program's own, as lines of text: its descriptors, threads and children (zombies,
/// too), what it does about signals.
using Standing = std::set<std::string>;

inline Standing standing() {
    Standing lines;
    for_each_number("/proc/self/fd", [&](int number, const std::string& path) {
        char target[256] = {};
        if (::readlink(path.c_str(), target, sizeof target - 1) > 0)
            lines.insert("descriptor " + std::to_string(number) + " " + target);
    });
    int threads = 0;
    for_each_number("/proc/self/task", [&](int, const std::string&) { ++threads; });
    lines.insert("threads: " + std::to_string(threads));
    for_each_number("/proc", [&](int number, const std::string& path) {
        const std::string stat = tools::contents(path + "/stat"); // empty: it has just ended
        const std::size_t name_end = stat.rfind(')');
        if (name_end == std::string::npos) return;
        if (std::atoi(stat.c_str() + name_end + 4) == ::getpid()) // after ") S "
            lines.insert("child " + std::to_string(number));
    });
    sigset_t blocked;
    ::pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
    for (int signal = 1; signal != NSIG; ++signal) {
        struct sigaction action = {};
        if (::sigaction(signal, nullptr, &action) != 0) continue;
        std::ostringstream line;
        line << "signal " << signal << (::sigismember(&blocked, signal) == 1 ? ", blocked" : "")
             << ", action " << reinterpret_cast<std::uintptr_t>(action.sa_handler) << ", flags "
             << action.sa_flags;
        lines.insert(line.str());
    }
    return lines;
}

/// What must be true in the end. What has been joined or killed may take a moment to go.
inline void check_standing(const Standing& before) {
    const auto end = Steady::now() + std::chrono::seconds{20};
    Standing now = standing();
    while (now != before && Steady::now() < end) {
        ::sched_yield();
        now = standing();
    }
    Standing changed;
    std::set_symmetric_difference(before.begin(), before.end(), now.begin(), now.end(),
                                  std::inserter(changed, changed.end()));
    CHECK(changed == Standing{});
}

/// A child of the host's own, which the library knows nothing of. It serves a page: that it goes on
/// shows that nobody has ended it, and that the host can wait for it, that nobody has stolen it.
class OwnChild {
public:
    OwnChild() {
        tools::BoundPort port;
        port.listen();
        port_ = port.number();
        pid_ = ::fork();
        REQUIRE(pid_ >= 0);
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(port.descriptor());
    }
    OwnChild(const OwnChild&) = delete;
    OwnChild& operator=(const OwnChild&) = delete;
    ~OwnChild() {
        if (maker_ != ::getpid()) return;              // the host has forked
        CHECK(::waitpid(pid_, nullptr, WNOHANG) == 0); // it is there
        ::kill(pid_, SIGKILL);
        CHECK(::waitpid(pid_, nullptr, 0) == pid_);
    }

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

private:
    [[noreturn]] static void serve(int listener) {
        for (;;) {
            const int client = ::accept(listener, nullptr, nullptr);
            char request[4096];
            const ssize_t size = ::recv(client, request, sizeof request, 0);
            const std::string_view text{request, static_cast<std::size_t>(size > 0 ? size : 0)};
            const std::string_view answer = text.find("/bad") == std::string_view::npos
                                                ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                                                : "HTTP/1.1 500 Bad\r\nContent-Length: 0\r\n\r\n";
            if (size > 0) ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
            ::close(client);
        }
    }

    std::uint16_t port_ = 0;
    pid_t maker_ = ::getpid();
    pid_t pid_ = -1;
};

/// A target, the truth about it, and what attempts have found.
struct Watched {
    std::error_code truth; ///< the cause of its failures; none: it passes
    int right = 0;
    int wrong = 0;
    int errors = 0;
    std::error_code last_wrong = {};
    std::error_code last_error = {};

    [[nodiscard]] int attempts() const { return right + wrong + errors; }
};

struct Watcher {
    Watched* watched;
    void attempt_ended(const AttemptEnded& ended) const {
        if (ended.error) {
            ++watched->errors;
            watched->last_error = ended.error;
        } else if (ended.result.cause == watched->truth) {
            ++watched->right;
        } else {
            ++watched->wrong;
            watched->last_wrong = ended.result.cause;
        }
    }
};

/// What the library does in a host: workers with each kind of probe, at targets that pass and at
/// targets that fail, on a context of their own.
class Household {
    using Worker = ProbeWorker<AnyProbe, KubeletPolicy, Watcher>;

public:
    explicit Household(const OwnChild& server) : port_(server.port()) {
        add({}, ExecProbe{io, {.command = {"/bin/true"}}});
        add(Errc::exit_status, ExecProbe{io, {.command = {"/bin/sh", "-c", "echo said; exit 3"}}});
        add({}, TcpProbe{io, {.port = port_}});
        add({ECONNREFUSED, std::system_category()}, TcpProbe{io, {.port = closed_.number()}});
        add({}, HttpGetProbe{io, {.port = port_}});
        add(Errc::http_status, HttpGetProbe{io, {.port = port_, .path = "/bad"}});
        for (Worker& worker : workers_) worker.start();
    }

    asio::io_context io{1};

    /// Runs so many attempts of each worker, and checks nothing yet, which takes memory. An event
    /// loop that spins is found by its turns: each attempt needs a few, and waiting without pidfds
    /// one every few milliseconds.
    void run(int attempts) {
        for (Watched& each : watched_) each = {.truth = each.truth};
        const auto begin = Steady::now();
        const auto passed = [&] { return Steady::now() - begin; };
        long turns = 0;
        const auto done = [&] {
            return std::all_of(watched_.begin(), watched_.end(),
                               [&](const Watched& each) { return each.attempts() >= attempts; });
        };
        while (!done() && passed() < std::chrono::seconds{90}) {
            io.run_one_for(std::chrono::seconds{90});
            ++turns;
        }
        long all = 0;
        for (const Watched& each : watched_) all += each.attempts();
        finished_ = done();
        spun_ = turns > 100 * all + 4 * (passed() / std::chrono::milliseconds{1});
    }

    /// What run() has found is right. `errors`: of attempts that could not ask, where that may be.
    void check_verdicts(const std::vector<std::error_code>& errors = {}) const {
        CHECK(finished_);
        CHECK_FALSE(spun_);
        for (const Watched& each : watched_) {
            INFO("target: " << (each.truth ? each.truth.message() : "good")
                            << ", wrong: " << each.last_wrong.message()
                            << ", error: " << each.last_error.message());
            CHECK(each.wrong == 0);
            const auto is_last = [&](const std::error_code& one) {
                return each.last_error == one.default_error_condition();
            };
            CHECK((each.errors == 0 || std::any_of(errors.begin(), errors.end(), is_last)));
            if (errors.empty()) CHECK(each.right >= 1);
        }
    }

    /// A process ends by itself, and another one is supervised, gets ready and is stopped.
    void check_processes(ProcessSpec spec = {}) {
        spec.command = {"/bin/sh", "-c", "echo said; exit 7"};
        spec.output = ProcessOutput::capture;
        Process process{io};
        CHECK_FALSE(process.start(spec));
        std::optional<ExitStatus> end;
        process.async_wait([&](std::error_code error, ExitStatus status) {
            CHECK_FALSE(error);
            end = status;
        });
        spec.command = {"/bin/sleep", "1000"};
        SupervisedProcess supervised{io, spec};
        supervised.probe(ProbeKind::readiness, TcpProbe{io, {.port = port_}},
                         {.period = std::chrono::milliseconds{1}});
        bool was_ready = false;
        std::optional<ExitStatus> stopped;
        supervised.on_change([&](const SupervisionChange& change) {
            if (change.event != SupervisionChange::Event::ready) return;
            was_ready = true;
            supervised.async_stop([&](std::error_code, ExitStatus status) { stopped = status; });
        });
        supervised.start();
        const auto limit = Steady::now() + std::chrono::seconds{90};
        while ((!end || !stopped) && Steady::now() < limit)
            io.run_one_for(std::chrono::seconds{90});
        CHECK(end == ExitStatus{.code = 7});
        CHECK(process.output() == "said\n");
        CHECK(was_ready);
        CHECK(stopped == ExitStatus{.signal = SIGTERM});
        CHECK(supervised.snapshot().starts == 1);
    }

    /// How many attempts of the last run() could not ask.
    [[nodiscard]] int errors() const noexcept {
        int all = 0;
        for (const Watched& each : watched_) all += each.errors;
        return all;
    }

private:
    void add(std::error_code truth, AnyProbe probe) {
        watched_.push_back({.truth = truth});
        workers_.emplace_back(
            std::move(probe),
            ProbeSpec{.period = std::chrono::milliseconds{1}, .timeout = std::chrono::seconds{90}},
            Watcher{&watched_.back()});
    }

    std::uint16_t port_;
    tools::BoundPort closed_; // refuses
    bool finished_ = false;
    bool spun_ = false;
    std::deque<Watched> watched_;
    std::deque<Worker> workers_;
};

} // namespace probekit::tests
