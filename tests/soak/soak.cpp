// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// Very many attempts under faults that come at random, and whether anything grows: memory,
// descriptors, threads, children.
//   soak TCP HTTP EXEC [SEED]       so many attempts of each kind
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/steady_timer.hpp>

#include <probekit/probekit.hpp>

#include "../faults/faulty_server.hpp"
#include "../tools/loopback.hpp"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

using enum Fault::Then;

const std::string ok = "HTTP/1.1 200 OK\r\n";

/// One server each. The first answers well.
std::vector<Fault> all_faults() {
    return {
        {ok + "Content-Length: 2\r\n\r\nok", closes},
        {ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", waits},
        {"HTTP/1.1 503 No\r\nContent-Length: 7\r\n\r\nnot yet", closes},
        {"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", closes},
        {"SSH-2.0-OpenSSH_9.2\r\n", closes},
        {"", closes, "", true},
        {"", resets, "", true},
        {"", resets},
        {"", closes},
        {"HTTP/1.1 20", closes},
        {"HTTP/1.1 20", resets},
        {ok + "Content-Le", resets},
        {ok + "Content-Length: 10\r\n\r\nshort", closes},
        {ok + "Content-Length: 10\r\n\r\nshort", resets},
        {ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", closes},
        {"", waits},
        {ok + "Content-Length: 10\r\n\r\n", waits},
        {ok, drips, "X-A: b\r\n"},
        {ok + "Content-Length: 1000000\r\n\r\n", drips, "x"},
        {ok + "Content-Length: 100000000\r\n\r\n", repeats, std::string(8192, 'b')},
    };
}

/// The servers, in a process of their own, so that what they take is not counted. It ends with us.
std::vector<std::uint16_t> start_servers() {
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) throw std::system_error{errno, std::generic_category()};
    const std::vector<Fault> faults = all_faults();
    std::vector<std::uint16_t> ports(faults.size() + 2);
    const std::size_t size = ports.size() * sizeof ports[0];
    if (::fork() == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        asio::io_context io;
        std::vector<std::unique_ptr<FaultyServer>> servers;
        std::size_t at = 0;
        for (const Fault& fault : faults) {
            servers.push_back(std::make_unique<FaultyServer>(io, fault));
            ports[at++] = servers.back()->port();
        }
        const tools::BoundPort closed;
        const tools::FullBacklog full{io};
        ports[at++] = closed.number();
        ports[at++] = full.port();
        if (::write(pipe[1], ports.data(), size) != static_cast<ssize_t>(size)) ::_exit(1);
        io.run();
        ::_exit(0);
    }
    ::close(pipe[1]);
    if (::read(pipe[0], ports.data(), size) != static_cast<ssize_t>(size))
        throw std::runtime_error{"no servers"};
    ::close(pipe[0]);
    return ports;
}

struct Figures {
    long memory_kb = 0;
    long descriptors = 0;
    long threads = 0;
    long children = 0; // running, or dead and not reaped
};

Figures measure() {
    ::malloc_trim(0);
    Figures figures;
    std::ifstream status{"/proc/self/status"};
    for (std::string word; status >> word;) {
        if (word == "VmRSS:") status >> figures.memory_kb;
        if (word == "Threads:") status >> figures.threads;
    }
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"})
        ++figures.descriptors;
    std::ifstream children{"/proc/self/task/" + std::to_string(::getpid()) + "/children"};
    for (long pid = 0; children >> pid;) ++figures.children;
    return figures;
}

struct Tally {
    std::uint64_t attempts =
        0; ///< that were made to their end: not those cancelled, nor those there
           ///< was no descriptor for
    std::uint64_t passed = 0;
    std::uint64_t failed = 0;
    std::uint64_t errors = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t local_faults = 0;

    void attempt_ended(const AttemptEnded& ended) { count(ended.error, ended.result); }

    void count(const std::error_code& error, const ProbeResult& result) {
        if (error == asio::error::operation_aborted)
            ++cancelled;
        else if (is_local_fault(error))
            ++local_faults;
        else {
            ++attempts;
            ++(error ? errors : result.passed() ? passed : failed);
        }
    }
};

/// Makes some target for a worker, good ones more often.
using MakeAction = std::function<ProbeAction(std::mt19937&)>;

class Soak {
public:
    Soak(std::size_t workers, Duration timeout, MakeAction make_action, unsigned seed)
        : workers_(workers),
          timeout_(timeout),
          make_action_(std::move(make_action)),
          random_(seed) {}

    /// Asio's thread for names stays once there has been a name.
    void resolve_a_name() {
        TcpProbe{io_, {.host = "localhost", .port = 1}}.async_probe(20s, asio::detached);
        io_.run();
    }

    /// Probes until so many attempts have ended in all, then leaves nothing behind.
    void run(std::uint64_t attempts) {
        wanted_ = attempts;
        turn_ = 0;
        for (auto& worker : workers_) employ(worker);
        make_mischief();
        io_.restart();
        io_.run();
        restore_descriptors();
    }

    [[nodiscard]] const Tally& tally() const noexcept { return tally_; }

private:
    using Worker = ProbeWorker<AnyProbe, KubeletPolicy, std::reference_wrapper<Tally>>;

    unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

    AnyProbe some_probe() {
        ProbeOptions options;
        options.exec.kill_grace = below(2) == 0 ? 0ms : 3ms;
        options.http.keep_output = below(2) == 0;
        options.http.max_requests = 3;
        options.tcp.close = static_cast<TcpClose>(below(3)); // no linger: close() may wait
        return make_probe(io_.get_executor(), make_action_(random_), options);
    }

    void employ(std::optional<Worker>& place) {
        const auto kind = static_cast<ProbeKind>(below(3));
        place.emplace(some_probe(),
                      ProbeSpec{.kind = kind,
                                .period = 1ms,
                                .timeout = timeout_,
                                .success_threshold = kind == ProbeKind::readiness ? 2 : 1,
                                .failure_threshold = 1 + static_cast<int>(below(3))},
                      std::ref(tally_));
        place->start();
    }

    /// A few times in each timeout something is done to some worker.
    void make_mischief() {
        if (tally_.attempts >= wanted_) {
            for (auto& worker : workers_) worker.reset();
            by_hand_.clear();
            return;
        }
        timer_.expires_after(timeout_ / 20);
        timer_.async_wait([this](std::error_code) {
            if (squeezed_ && --squeezed_ == 0) restore_descriptors();
            for (auto& worker : workers_) // those on hold or ended would probe no more
                if (worker->snapshot().state >= WorkerState::on_hold && below(4) == 0)
                    worker->target_replaced(some_probe());
            std::optional<Worker>& some = workers_[below(static_cast<unsigned>(workers_.size()))];
            // Each once, so that none is left to chance, and then at random.
            switch (turn_ < kinds_of_mischief ? turn_++ : below(40)) {
            case 0: employ(some); break;
            case 1:
                some->stop();
                some->start();
                break;
            case 2:
                some->async_stop(asio::detached);
                some->start();
                break;
            case 3:
                some->pause();
                some->resume();
                break;
            case 4: static_cast<void>(some->probe_now()); break;
            case 5:
                some->target_gone();
                some->target_back();
                break;
            case 6: some->target_terminating(); break;
            case 7: look_by_hand(); break;
            case 8: by_hand_.clear(); break;
            case 9: squeeze_descriptors(); break;
            default: some->target_replaced(some_probe()); break;
            }
            make_mischief();
        });
    }

    /// An attempt that is cancelled sooner or later, if it has not ended by then.
    void look_by_hand() {
        struct CancelledAttempt {
            asio::cancellation_signal signal;
            ~CancelledAttempt() { signal.emit(asio::cancellation_type::terminal); }
        };
        auto attempt = std::make_shared<CancelledAttempt>();
        some_probe().async_probe(
            timeout_,
            asio::bind_cancellation_slot(attempt->signal.slot(),
                                         [this](std::error_code error, const ProbeResult& result) {
                                             tally_.count(error, result);
                                         }));
        by_hand_.push_back(std::move(attempt));
        if (by_hand_.size() > 16) by_hand_.erase(by_hand_.begin());
    }

    /// For a few milliseconds there is next to no descriptor to be had.
    void squeeze_descriptors() {
        squeezed_ = 2;
        const int lowest_free = ::dup(0);
        ::close(lowest_free);
        rlimit few = limit_;
        few.rlim_cur = static_cast<rlim_t>(lowest_free) + below(4);
        ::setrlimit(RLIMIT_NOFILE, &few);
    }
    void restore_descriptors() {
        squeezed_ = 0;
        ::setrlimit(RLIMIT_NOFILE, &limit_);
    }

    static rlimit limit_of_descriptors() {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        return limit;
    }

    static constexpr unsigned kinds_of_mischief = 10;

    asio::io_context io_;
    asio::steady_timer timer_{io_};
    const rlimit limit_ = limit_of_descriptors();
    int squeezed_ = 0;
    std::vector<std::optional<Worker>> workers_;
    std::vector<std::shared_ptr<void>> by_hand_;
    Duration timeout_;
    MakeAction make_action_;
    std::mt19937 random_;
    std::uint64_t wanted_ = 0;
    unsigned turn_ = 0;
    Tally tally_;
};

void print(std::string_view when, const Figures& figures) {
    std::printf("  %-16.*s memory %6ld KB, descriptors %3ld, threads %2ld, children %2ld\n",
                static_cast<int>(when.size()), when.data(), figures.memory_kb, figures.descriptors,
                figures.threads, figures.children);
    std::fflush(stdout);
}

/// True if nothing has grown from a tenth of the attempts to all of them.
bool soak(const char* what, std::uint64_t attempts, Soak&& soak) {
    if (attempts == 0) return true;
    constexpr long most_memory_kb = 1024; // more than a page here and there
    std::printf("%s: %llu attempts\n", what, static_cast<unsigned long long>(attempts));
    const auto began = std::chrono::steady_clock::now();
    soak.resolve_a_name();
    soak.run(attempts / 10);
    const Figures before = measure();
    print("after a tenth", before);
    soak.run(attempts / 2);
    print("after half", measure());
    soak.run(attempts);
    const Figures after = measure();
    print("after all", after);
    const Tally& tally = soak.tally();
    const auto seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    std::printf(
        "  %llu attempts in %.0f s: %llu passed, %llu failed, %llu prober errors, %llu local "
        "faults, %llu cancelled\n",
        static_cast<unsigned long long>(tally.attempts), seconds,
        static_cast<unsigned long long>(tally.passed),
        static_cast<unsigned long long>(tally.failed),
        static_cast<unsigned long long>(tally.errors),
        static_cast<unsigned long long>(tally.local_faults),
        static_cast<unsigned long long>(tally.cancelled));
    const bool all_happened =
        tally.passed != 0 && tally.failed != 0 && tally.local_faults != 0 && tally.cancelled != 0;
    const bool same = after.memory_kb <= before.memory_kb + most_memory_kb &&
                      after.descriptors == before.descriptors && after.threads == before.threads &&
                      after.children == before.children;
    if (!same) std::printf("  FAILED: something has grown\n");
    if (!all_happened) std::printf("  FAILED: some faults have not happened\n");
    return same && all_happened;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        std::fprintf(stderr, "usage: soak TCP HTTP EXEC [SEED]\n");
        return 2;
    }
    const auto number = [&](int at) { return std::strtoull(argv[at], nullptr, 10); };
    const unsigned seed = argc > 4 ? static_cast<unsigned>(number(4)) : std::random_device{}();
    std::printf("seed %u\n", seed);
    const std::vector<std::uint16_t> ports = start_servers();
    const auto some_port = [&](std::mt19937& random) {
        return ports[random() % 4 != 0 ? random() % 2 : random() % ports.size()];
    };
    const auto some_host = [](std::mt19937& random) {
        return random() % 50 == 0 ? "localhost" : "127.0.0.1";
    };
    const auto some_command = [](std::mt19937& random) -> std::vector<std::string> {
        const auto shell = [](const char* script) -> std::vector<std::string> {
            return {"/bin/sh", "-c", script};
        };
        switch (random() % 60) {
        case 0: return shell("kill -KILL $$");
        case 1: return shell("trap '' TERM; while :; do sleep 1; done");
        case 2: return shell("head -c 300000 /dev/zero; exit 1");
        case 3: return shell("exec yes");
        case 4: return shell("exec >&- 2>&-; sleep 1");
        case 5: return shell("sleep 0.1 & exit 1");
        case 6: return shell("(setsid sleep 0.1 &) ; exit 0");
        case 7: return {"/no/such/program"};
        case 8: return {"/etc/passwd"};
        case 9: return shell("kill -STOP $$");
        case 10: return shell("echo to stdout; echo to stderr >&2; exit 3");
        case 11: return {"/bin/sleep", "1"};
        case 12:
        case 13: return {"/bin/false"};
        default: return {"/bin/true"};
        }
    };

    bool good = soak(
        "tcp", number(1),
        Soak{
            64, 20ms,
            [&](std::mt19937& random) -> ProbeAction {
                // Only an attempt that hangs can be cancelled: on loopback others are decided at
                // once.
                const bool hangs = random() % 8 == 0;
                return TcpSocketAction{some_host(random), hangs ? ports.back() : some_port(random)};
            },
            seed});
    good &= soak("http", number(2),
                 Soak{64, 20ms,
                      [&](std::mt19937& random) -> ProbeAction {
                          HttpGetAction action;
                          action.host = some_host(random);
                          action.port = some_port(random);
                          return action;
                      },
                      seed + 1});
    good &= soak("exec", number(3),
                 Soak{4, 60ms,
                      [&](std::mt19937& random) -> ProbeAction {
                          return ExecAction{.command = some_command(random)};
                      },
                      seed + 2});
    std::printf(good ? "nothing has grown\n" : "FAILED\n");
    return good ? 0 : 1;
}
