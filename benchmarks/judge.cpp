// What does it cost to judge one result? Beside the barest thing that could: a counter with two
// thresholds.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <probekit/core/policy.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/worker_fsm.hpp>

#include <support/machine.hpp>
#include <support/options.hpp>
#include <support/statistics.hpp>
#include <support/table.hpp>

using namespace bench;

namespace {

struct BareCounter {
    int run = 0;
    bool last = true;

    // 1: passing, -1: failing, 0: no news.
    int judge(bool passed, int success_threshold, int failure_threshold) {
        if (passed != last) {
            last = passed;
            run = 1;
        } else {
            ++run;
        }
        if (run < (passed ? success_threshold : failure_threshold)) return 0;
        return passed ? 1 : -1;
    }
};

// The compiler must believe that the value is used.
template <class T>
void keep(const T& value) {
    asm volatile("" : : "g"(&value) : "memory");
}

constexpr std::size_t rounds = 40;

template <class Judge>
double ns_each(const std::vector<bool>& passed, Judge judge) {
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t round = 0; round != rounds; ++round)
        for (const bool one : passed) judge(one);
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    return took.count() / static_cast<double>(rounds * passed.size());
}

} // namespace

int main(int argc, char** argv) {
    const Options options{argc, argv, "[--pairs=N] [--json] [--columns]"};
    pin(0);
    const probekit::ProbeSpec spec{.success_threshold = 2, .failure_threshold = 3};
    const probekit::ProbeResult good = probekit::ProbeResult::success();
    const probekit::ProbeResult bad = probekit::ProbeResult::failure(std::string{});

    Table table{{"input", "ratio", "ratio, middle half", "bare counter ns", "KubeletPolicy ns",
                 "WorkerFsm, due and result ns"}};
    for (const bool random : {false, true}) {
        std::mt19937 generator{1};
        std::vector<bool> passed(100'000);
        for (std::size_t i = 0; i != passed.size(); ++i)
            passed[i] = random ? generator() % 2 == 0 : i % 1000 > 2;
        std::vector<double> bare, policy, machine, ratio;
        for (std::uint64_t pair = 0; pair != options.number("pairs", 15); ++pair) {
            BareCounter counter;
            bare.push_back(ns_each(passed, [&](bool one) { keep(counter.judge(one, 2, 3)); }));
            probekit::KubeletPolicy judging;
            policy.push_back(
                ns_each(passed, [&](bool one) { keep(judging.judge(one ? good : bad, spec)); }));
            probekit::WorkerFsm<> fsm{spec};
            probekit::TimePoint now{std::chrono::hours{1}};
            keep(fsm.step(probekit::event::Started{now}, now));
            keep(fsm.step(probekit::event::Result{good}, now));
            machine.push_back(ns_each(passed, [&](bool one) {
                now += spec.period;
                keep(fsm.step(probekit::event::Due{}, now));
                keep(fsm.step(probekit::event::Result{one ? good : bad}, now));
            }));
            ratio.push_back(policy.back() / bare.back());
        }
        char spread[64];
        std::snprintf(spread, sizeof spread, "%.2f-%.2f", quantile(ratio, 0.25),
                      quantile(ratio, 0.75));
        table.add({random ? "random" : "predictable", Cell(median(ratio)), spread,
                   Cell(median(bare)), Cell(median(policy)), Cell(median(machine), 1)});
    }
    table.print(options);
}
