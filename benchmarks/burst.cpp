// What happens when very many targets are created at once? Spread over their period they make no
// burst. Where they must not be spread, a limit keeps checks back: first due, first served.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>

#include <probekit/core/observer.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/probes/tcp_probe.hpp>
#include <probekit/runtime/attempt_limit.hpp>
#include <probekit/runtime/probe_worker.hpp>
#include <probekit/testing/manual_clock.hpp>

#include <support/instant_probe.hpp>
#include <support/machine.hpp>
#include <support/options.hpp>
#include <support/server.hpp>
#include <support/statistics.hpp>
#include <support/table.hpp>

using namespace bench;
using namespace std::chrono_literals;

namespace {

// How many of the checks in the first period came in its busiest tenth of a second.
std::size_t busiest_tenth(std::size_t count, probekit::Duration spread) {
    asio::io_context io{1};
    probekit::testing::ManualClock clock{io};
    using Worker = probekit::ProbeWorker<InstantProbe, probekit::KubeletPolicy,
                                         probekit::NoObserver, probekit::testing::ManualClock>;
    const probekit::ProbeSpec spec{.period = 10s, .pacing = {.spread = spread}};
    std::vector<Worker> workers;
    workers.reserve(count);
    for (std::size_t i = 0; i != count; ++i)
        workers.emplace_back(clock, InstantProbe{io}, spec).start();
    std::size_t busiest = 0;
    std::uint64_t before = 0;
    for (int tenth = 0; tenth != 100; ++tenth) {
        clock.advance(tenth == 99 ? 100ms - 1ns : 100ms);
        std::uint64_t attempts = 0;
        for (const Worker& worker : workers) attempts += worker.snapshot().attempts;
        busiest = std::max(busiest, static_cast<std::size_t>(attempts - before));
        before = attempts;
    }
    return busiest;
}

struct Limited {
    double median_ms = 0;
    double p99_ms = 0;
    double max_ms = 0;
    std::size_t most_in_flight = 0;
    std::size_t out_of_order = 0;
    std::size_t failures = 0;
};

struct Watching {
    void attempt_begun(const probekit::AttemptBegun& begun) {
        late.push_back(std::chrono::duration<double, std::milli>(begun.late).count());
        most = std::max(most, limit.in_flight());
        const probekit::TimePoint due = begun.at - begun.late;
        out_of_order += due < last_due ? 1 : 0;
        last_due = due;
    }
    void attempt_ended(const probekit::AttemptEnded& ended) {
        failures += ended.error || !ended.result.passed() ? 1 : 0;
        if (++ended_count == expected) io.stop();
    }
    probekit::AttemptLimit& limit;
    asio::io_context& io;
    std::size_t expected;
    std::vector<double> late = {};
    std::size_t most = 0;
    std::size_t out_of_order = 0; // began before one that was due earlier
    probekit::TimePoint last_due = {};
    std::size_t ended_count = 0;
    std::size_t failures = 0;
};

// All are due at once, at the real clock.
Limited limited(std::size_t count, std::size_t permits, const sockaddr_in& server) {
    asio::io_context io{1};
    probekit::AttemptLimit limit{permits};
    Watching watching{limit, io, count};
    using Worker = probekit::ProbeWorker<probekit::TcpProbe, probekit::KubeletPolicy,
                                         std::reference_wrapper<Watching>>;
    const probekit::ProbeSpec spec{.period = 1h, .timeout = 10s};
    std::vector<Worker> workers;
    workers.reserve(count);
    for (std::size_t i = 0; i != count; ++i) {
        workers.emplace_back(
            probekit::TcpProbe{io, {.host = other_address, .port = ntohs(server.sin_port)}}, spec,
            std::ref(watching));
        workers.back().limit(limit);
        workers.back().start();
    }
    io.run();
    return {median(watching.late), quantile(watching.late, 0.99), quantile(watching.late, 1),
            watching.most,         watching.out_of_order,         watching.failures};
}

} // namespace

int main(int argc, char** argv) {
    const Options options{argc, argv, "[--json] [--columns]"};
    constexpr std::size_t many = 100'000;
    Table spread{{"100,000 targets created at once, period 10 s", "checks in the busiest 100 ms",
                  "of the average"}};
    for (const auto& [name, over] :
         {std::pair{"not spread", 0s}, std::pair{"spread over the period", 10s}}) {
        const std::size_t busiest =
            in_own_process([over = over] { return busiest_tenth(many, over); });
        spread.add({name, Cell(static_cast<double>(busiest), 0),
                    Cell(static_cast<double>(busiest) / (many / 100))});
    }
    spread.print(options);

    if (!enter_private_network()) return 0;
    sockaddr_in where = address("0.0.0.0", 0);
    const int listener = listen_at(where);
    const Child server{cores() - 1, [&] { serve_tcp(listener); }};
    Table limits{{"5,000 TCP probes due at once", "most in flight", "late ms p50", "late ms p99",
                  "late ms max", "out of order", "failed"}};
    for (const std::size_t permits : {16U, 64U, 512U}) {
        const Limited one = in_own_process([&] {
            pin(0);
            return limited(5000, permits, where);
        });
        limits.add({"limit of " + std::to_string(permits),
                    Cell(static_cast<double>(one.most_in_flight), 0), Cell(one.median_ms, 1),
                    Cell(one.p99_ms, 1), Cell(one.max_ms, 1),
                    Cell(static_cast<double>(one.out_of_order), 0),
                    Cell(static_cast<double>(one.failures), 0)});
    }
    if (!options.has("json") && !options.has("columns")) std::puts("");
    limits.print(options);
}
