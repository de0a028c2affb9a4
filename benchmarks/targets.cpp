// What does a target cost while nothing happens, and what does it cost to begin a check when it is
// due? From a thousand to a million targets, on the real clock and on a virtual one, each
// measurement in a process of its own.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <sys/resource.h>

#include <asio/any_io_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>

#include <probekit/core/observer.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/probes/tcp_probe.hpp>
#include <probekit/runtime/probe_worker.hpp>
#include <probekit/testing/manual_clock.hpp>

#include <support/instant_probe.hpp>
#include <support/machine.hpp>
#include <support/meter.hpp>
#include <support/options.hpp>
#include <support/statistics.hpp>
#include <support/table.hpp>

using namespace bench;
using namespace std::chrono_literals;

namespace {

constexpr const char* usage =
    "[--targets=N,N...] [--seconds=N] [--bytes-only] [--json] [--columns]";

const probekit::ProbeSpec spec{.period = 10s, .timeout = 1s, .pacing = {.spread = 10s}};

// Bytes of a started worker with its probe and its handle; checks would begin once the loop runs.
template <class Executor>
double bytes_per_target(std::size_t count) {
    using Probe = probekit::BasicTcpProbe<Executor>;
    asio::io_context io{1};
    std::vector<probekit::ProbeWorker<Probe>> workers;
    const std::size_t before = resident_bytes();
    workers.reserve(count);
    for (std::size_t i = 0; i != count; ++i) {
        workers.emplace_back(Probe{io, {.host = address_of_target(i + 1), .port = 80}}, spec);
        workers.back().start();
    }
    return static_cast<double>(resident_bytes() - before) / static_cast<double>(count);
}

template <class Workers>
std::uint64_t attempts_of(const Workers& workers) {
    std::uint64_t sum = 0;
    for (const auto& worker : workers) sum += worker.snapshot().attempts;
    return sum;
}

struct Firing {
    double cpu_us = 0; // each
    double rate = 0;   // a second
};

double cpu_us() {
    const Cost now = reading();
    return now.user_us + now.system_us;
}

// The loop's own cost is in it, as it is in a program's.
Firing fire_really(std::size_t count, std::chrono::seconds window) {
    asio::io_context io{1};
    std::vector<probekit::ProbeWorker<InstantProbe>> workers;
    workers.reserve(count);
    for (std::size_t i = 0; i != count; ++i) workers.emplace_back(InstantProbe{io}, spec).start();
    asio::steady_timer timer{io};
    const auto run_for = [&](auto span) {
        timer.expires_after(span);
        timer.async_wait([&](const std::error_code&) { io.stop(); });
        io.restart();
        io.run();
    };
    run_for(2s); // what has fallen due while they were made is behind us then
    const std::uint64_t attempts = attempts_of(workers);
    const double cpu = cpu_us();
    run_for(window);
    const double used = cpu_us() - cpu;
    const auto fired = static_cast<double>(attempts_of(workers) - attempts);
    return {used / fired, fired / static_cast<double>(window.count())};
}

struct Lateness {
    double median_us = 0;
    double p99_us = 0;
    double max_us = 0;
};

struct Recording {
    void attempt_begun(const probekit::AttemptBegun& begun) {
        if (on) late.push_back(std::chrono::duration<double, std::micro>(begun.late).count());
    }
    std::vector<double> late = {};
    bool on = false;
};

Lateness lateness(std::size_t count, std::chrono::seconds window) {
    asio::io_context io{1};
    Recording recording;
    recording.late.reserve(count * static_cast<std::size_t>(window.count()) / 8);
    std::vector<probekit::ProbeWorker<InstantProbe, probekit::KubeletPolicy,
                                      std::reference_wrapper<Recording>>>
        workers;
    workers.reserve(count);
    for (std::size_t i = 0; i != count; ++i)
        workers.emplace_back(InstantProbe{io}, spec, std::ref(recording)).start();
    asio::steady_timer begin{io, 2s};
    begin.async_wait([&](const std::error_code&) { recording.on = true; });
    asio::steady_timer end{io, 2s + window};
    end.async_wait([&](const std::error_code&) { io.stop(); });
    io.run();
    return {median(recording.late), quantile(recording.late, 0.99), quantile(recording.late, 1)};
}

double fire_virtually(std::size_t count) {
    asio::io_context io{1};
    probekit::testing::ManualClock clock{io};
    using Worker = probekit::ProbeWorker<InstantProbe, probekit::KubeletPolicy,
                                         probekit::NoObserver, probekit::testing::ManualClock>;
    std::vector<Worker> workers;
    workers.reserve(count);
    for (std::size_t i = 0; i != count; ++i)
        workers.emplace_back(clock, InstantProbe{io}, spec).start();
    clock.advance(10s);
    const std::uint64_t attempts = attempts_of(workers);
    const double cpu = cpu_us();
    clock.advance(10s * std::max<std::size_t>(1, 200'000 / count));
    const double used = cpu_us() - cpu;
    return used / static_cast<double>(attempts_of(workers) - attempts);
}

// How often a loop wakes that has a thousand targets and nothing to do: the timer that ends it is
// one.
long idle_wake_ups() {
    asio::io_context io{1};
    const probekit::ProbeSpec uncommon{.period = 1h};
    std::vector<probekit::ProbeWorker<InstantProbe>> workers;
    for (int i = 0; i != 1000; ++i) workers.emplace_back(InstantProbe{io}, uncommon).start();
    io.run_for(100ms);
    rusage before;
    ::getrusage(RUSAGE_SELF, &before);
    asio::steady_timer timer{io, 3s};
    timer.async_wait([&](const std::error_code&) { io.stop(); });
    io.run();
    rusage after;
    ::getrusage(RUSAGE_SELF, &after);
    return after.ru_nvcsw - before.ru_nvcsw;
}

} // namespace

int main(int argc, char** argv) {
    const Options options{argc, argv, usage};
    const std::chrono::seconds window{options.number("seconds", 6)};
    const std::string list = options.text("targets", "1000,10000,100000,1000000");
    std::vector<std::string> columns{"targets", "bytes per target", "bytes, any_io_executor"};
    const bool bytes_only = options.has("bytes-only");
    if (!bytes_only) {
        for (const char* name : {"CPU us per firing, real clock", "firings per s", "late us p50",
                                 "late us p99", "late us max", "CPU us per firing, virtual clock"})
            columns.emplace_back(name);
    }
    Table table{columns};
    for (std::size_t at = 0; at < list.size();) {
        const std::size_t comma = std::min(list.find(',', at), list.size());
        const std::size_t count = std::stoul(list.substr(at, comma - at));
        at = comma + 1;
        std::vector<Cell> row{
            Cell(static_cast<double>(count), 0),
            Cell(in_own_process(
                     [&] { return bytes_per_target<asio::io_context::executor_type>(count); }),
                 0),
            Cell(in_own_process([&] { return bytes_per_target<asio::any_io_executor>(count); }),
                 0)};
        if (!bytes_only) {
            const Firing firing = in_own_process([&] { return fire_really(count, window); });
            const Lateness late = in_own_process([&] { return lateness(count, window); });
            row.emplace_back(firing.cpu_us);
            row.emplace_back(firing.rate, 0);
            row.emplace_back(late.median_us, 0);
            row.emplace_back(late.p99_us, 0);
            row.emplace_back(late.max_us, 0);
            row.emplace_back(in_own_process([&] { return fire_virtually(count); }));
        }
        table.add(std::move(row));
    }
    table.print(options);
    if (bytes_only) return 0;
    // The timer that ends the measurement is one of them.
    Table idle{{"idle targets", "seconds", "times the loop woke"}};
    idle.add(
        {Cell(1000, 0), Cell(3, 0), Cell(static_cast<double>(in_own_process(idle_wake_ups)), 0)});
    if (!options.has("json") && !options.has("columns")) std::puts("");
    idle.print(options);
}
