// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
//
// Everything that lives on an execution context, and the context itself, destroyed in every order
// and after any number of its steps, and from inside every callback. (What is wrong shows under a
// sanitizer.)
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/probekit.hpp>

#include "../process/process_tools.hpp"
#include "../tools/printing.hpp"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

ProbeSpec eager() { return {.period = 1ms, .timeout = 20s, .failure_threshold = 1}; }

/// An attempt that never ends by itself.
auto endless(const asio::any_io_executor& executor) {
    return ExecProbe{executor, {.command = {"/bin/sleep", "1000"}}};
}

/// A program with one of each.
struct Everything {
    explicit Everything(bool on_strand) : io(std::make_unique<asio::io_context>(1)) {
        asio::any_io_executor executor = io->get_executor();
        if (on_strand) executor = asio::make_strand(*io);
        gate.emplace(executor);
        limit.emplace(1);
        opener.emplace(FunctionProbe<bool (*)()>{executor, [] { return true; }}, eager());
        opener->opens(*gate);
        opener->limit(*limit);
        waiting.emplace(AnyProbe{endless(executor)}, eager());
        waiting->limit(*limit);
        group.emplace(executor);
        group->startup(FunctionProbe{executor, [] { return true; }}, eager());
        group->readiness(TcpProbe{executor, {.port = 1}}, eager());
        process.emplace(*io);
        static_cast<void>(process->start({.command = {"/bin/sleep", "1000"}}));
        opener->on_verdict([notified = notified](const Verdict&) { ++*notified; });
        group->on_change([notified = notified](const GroupChange&) { ++*notified; });
        const auto wait = [notified = notified](std::error_code, auto&&...) { ++*notified; };
        gate->async_wait(wait);
        opener->async_wait(Health::failing, wait);
        process->async_wait(wait);
        opener->start();
        waiting->start(*gate);
        group->start();
    }

    void destroy(int which) {
        switch (which) {
        case 0: io.reset(); break;
        case 1: gate.reset(); break;
        case 2:
            limit.reset();
            opener.reset();
            break;
        case 3: waiting.reset(); break;
        case 4: group.reset(); break;
        case 5: process.reset(); break;
        }
    }

    std::shared_ptr<int> notified = std::make_shared<int>(0);
    std::unique_ptr<asio::io_context> io;
    std::optional<StartupGate> gate;
    std::optional<AttemptLimit> limit;
    std::optional<ProbeWorker<FunctionProbe<bool (*)()>>> opener;
    std::optional<ProbeWorker<AnyProbe>> waiting;
    std::optional<ProbeGroup<>> group;
    std::optional<Process> process;
};

} // namespace

TEST_CASE(
    "context, gate, workers, group and process go in every order, after any number of steps") {
    const bool on_strand = GENERATE(false, true);
    int order[] = {0, 1, 2, 3, 4, 5};
    int round = 0;
    do {
        const int steps = round++ % 12;
        std::weak_ptr<int> notified;
        {
            Everything all{on_strand};
            notified = all.notified;
            for (int i = 0; i != steps; ++i) all.io->poll_one();
            int notified_before = 0;
            for (const int which : order) {
                all.destroy(which);
                if (!all.io)
                    notified_before = notified_before == 0 ? *all.notified : notified_before;
                if (all.io && round % 2 == 0) all.io->poll_one();
            }
            CHECK((notified_before == 0 ||
                   *all.notified == notified_before)); // a destroyed context calls nothing
        }
        CHECK(notified.expired());
        CHECK(tests::has_no_children());
    } while (std::next_permutation(std::begin(order), std::end(order)));
}

TEST_CASE("a gate and a limit of another context outlive workers whose context has gone") {
    asio::io_context other;
    StartupGate gate{other};
    AttemptLimit limit{1};
    ProbeWorker blocker{endless(other.get_executor()), eager()};
    blocker.limit(limit);
    blocker.start();
    other.poll();
    REQUIRE(limit.in_flight() == 1);
    auto io = std::make_unique<asio::io_context>();
    const bool on_strand = GENERATE(false, true);
    asio::any_io_executor executor = io->get_executor();
    if (on_strand) executor = asio::make_strand(*io);
    ProbeWorker gated{FunctionProbe{executor, [] { return true; }}, eager()};
    gated.start(gate);
    ProbeWorker queued{FunctionProbe{executor, [] { return true; }}, eager()};
    queued.limit(limit);
    queued.start();
    io->poll();
    CHECK(limit.waiting() == 1);
    executor = {};
    io.reset();
    CHECK(limit.waiting() == 0);
    gate.open();    // notifies no listener
    blocker.stop(); // its permit passes to no worker
    other.run();
    CHECK(limit.in_flight() == 0);
}

TEST_CASE("a place under a limit comes back if its attempt goes with its context") {
    AttemptLimit limit{1};
    std::optional<ProbeWorker<AnyProbe>> worker;
    {
        asio::io_context io;
        worker.emplace(AnyProbe{endless(asio::make_strand(io))}, eager());
        worker->limit(limit);
        worker->start();
        io.poll();
        CHECK(limit.in_flight() == 1);
    }
    CHECK(limit.in_flight() == 0);
    CHECK(tests::has_no_children());
}

TEST_CASE("a place under a limit comes back if its worker's context goes before it hears of it") {
    asio::io_context other;
    AttemptLimit limit{1};
    ProbeWorker blocker{endless(other.get_executor()), eager()};
    blocker.limit(limit);
    blocker.start();
    other.poll();
    const bool worker_first = GENERATE(false, true);
    {
        std::optional<ProbeWorker<AnyProbe>> queued;
        asio::io_context io;
        queued.emplace(AnyProbe{endless(io.get_executor())}, eager());
        queued->limit(limit);
        queued->start();
        io.poll();
        REQUIRE(limit.waiting() == 1);
        blocker.stop();
        other.restart();
        other.run();
        CHECK(limit.waiting() == 0);
        CHECK(limit.in_flight() == 1); // the queued worker's, which has not been called
        if (worker_first) queued.reset();
    }
    CHECK(limit.in_flight() == 0);
    CHECK(tests::has_no_children());
}

TEST_CASE("a place that comes after its worker has got another limit goes back to its own") {
    asio::io_context io;
    AttemptLimit first{1};
    AttemptLimit second{1};
    ProbeWorker blocker{endless(io.get_executor()), eager()};
    blocker.limit(first);
    blocker.start();
    io.poll();
    ProbeWorker queued{endless(io.get_executor()), eager()};
    queued.limit(first);
    queued.start();
    io.poll();
    REQUIRE(first.waiting() == 1);
    blocker.stop();
    while (first.waiting() != 0) io.run_one();
    queued.stop(); // it has not heard that its place is there
    queued.limit(second);
    CHECK(first.in_flight() == 0);
    io.run();
    CHECK(first.in_flight() == 0);
    CHECK(second.in_flight() == 0);
}

TEST_CASE("a listener may destroy any of the parts") {
    asio::io_context io;
    const auto executor = io.get_executor();
    std::optional<StartupGate> gate{std::in_place, io};
    std::optional<ProbeGroup<>> group{std::in_place, io};
    std::optional<Process> process{std::in_place, io};
    struct Hooks {
        std::function<void()> call = [] {};
        void attempt_begun(const AttemptBegun&) { hook(0); }
        void attempt_ended(const AttemptEnded&) { hook(1); }
        void verdict_changed(const Verdict&) { hook(2); }
        void state_changed(const StateChanged&) { hook(3); }
        void hook(int number) {
            if (number == which) call();
        }
        int which = -1;
    };
    Hooks hooks;
    hooks.which = GENERATE(0, 1, 2, 3, 4, 5, 6, 7);
    using Worker =
        ProbeWorker<FunctionProbe<bool (*)()>, KubeletPolicy, std::reference_wrapper<Hooks>>;
    std::optional<Worker> worker{std::in_place,
                                 FunctionProbe<bool (*)()>{executor, [] { return true; }}, eager(),
                                 std::ref(hooks)};
    int destroyed = 0;
    hooks.call = [&] {
        ++destroyed;
        worker.reset();
        gate.reset();
        group.reset();
        process.reset();
    };
    REQUIRE(!process->start({.command = {"/bin/sleep", "1000"}}));
    worker->opens(*gate);
    group->startup(FunctionProbe{executor, [] { return true; }}, eager());
    if (hooks.which == 4) worker->on_verdict([&](const Verdict&) { hooks.call(); });
    if (hooks.which == 5) group->on_change([&](const GroupChange&) { hooks.call(); });
    const auto wait = [&](int number) {
        return [&, number](std::error_code error, auto&&...) {
            if (hooks.which == number && !error) hooks.call();
        };
    };
    gate->async_wait(wait(6));
    worker->async_wait(Health::passing, wait(7));
    worker->start();
    group->start();
    io.run(); // nothing keeps it going any more
    CHECK(destroyed == 1);
    CHECK(tests::has_no_children());
}

TEST_CASE("whatever a callback throws comes out of run(), and everything goes on") {
    asio::io_context io;
    struct Throwing {
        int which = -1;
        int thrown = 0;
        void attempt_begun(const AttemptBegun&) { hook(0); }
        void attempt_ended(const AttemptEnded&) { hook(1); }
        void verdict_changed(const Verdict&) { hook(2); }
        void state_changed(const StateChanged&) { hook(3); }
        void hook(int number) {
            if (number == which && thrown++ == 0) throw std::runtime_error{"thrown"};
        }
    };
    Throwing throwing{.which = GENERATE(0, 1, 2, 3, 4, 5, 6)};
    const bool on_strand = GENERATE(false, true);
    asio::any_io_executor executor = io.get_executor();
    if (on_strand) executor = asio::make_strand(io);
    ProbeWorker worker{FunctionProbe{executor, [] { return true; }}, eager(), std::ref(throwing)};
    ProbeGroup<> group{executor};
    group.readiness(FunctionProbe{executor, [] { return true; }}, eager());
    worker.on_verdict([&](const Verdict&) { throwing.hook(4); });
    group.on_change([&](const GroupChange&) { throwing.hook(5); });
    worker.async_wait(Health::passing, [&](std::error_code, const Verdict&) { throwing.hook(6); });
    worker.start();
    group.start();
    int caught = 0;
    while (worker.snapshot().attempts < 10 || !group.ready()) {
        try {
            if (io.run_one_for(20s) == 0) break;
        } catch (const std::runtime_error&) { ++caught; }
    }
    CHECK(caught == 1);
    CHECK(worker.passing());
    CHECK(group.snapshot(ProbeKind::readiness)->attempts > 0);
    worker.stop();
    group.stop();
    io.run();
}
