// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// What the rooms runtime, system and testing promise, written as a user writes it.
#include <chrono>
#include <csignal>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include <asio/any_io_executor.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>

#include <catch2/catch_test_macros.hpp>

#include <probekit/probekit.hpp>
#include <probekit/testing/manual_clock.hpp>
#include <probekit/testing/scripted_probe.hpp>

#include "tools.hpp"

using namespace probekit;
using namespace std::chrono_literals;
using probekit::testing::ManualClock;
using probekit::testing::ScriptedProbe;
using probekit::testing::Step;

namespace {

struct Once {
    std::optional<Health> judge(const ProbeResult& result, const ProbeSpec&) noexcept {
        return result.passed() ? Health::passing : Health::failing;
    }
};
struct Configured { // no default constructor
    int needed;
    explicit Configured(int count) : needed(count) {}
    Configured(Configured&&) = default;
    std::optional<Health> judge(const ProbeResult&, const ProbeSpec&) noexcept {
        return Health::passing;
    }
    int run() const noexcept { return needed; }
};
struct Metrics {
    int verdicts = 0;
    void verdict_changed(const Verdict&) { ++verdicts; }
};
struct MoveOnly {
    std::unique_ptr<int> label;
    void attempt_ended(const AttemptEnded&) {}
};
struct OwnClock {
    TimePoint at{};
    TimePoint now() const { return at; }
};
struct NoClock {};

static_assert(Clock<ManualClock> && Clock<OwnClock> && Clock<std::chrono::steady_clock> &&
              !Clock<NoClock>);

using P = TcpProbe;
using Worker = ProbeWorker<P>;
static_assert(
    std::is_same_v<Worker, ProbeWorker<P, KubeletPolicy, NoObserver, std::chrono::steady_clock>>);
static_assert(std::is_same_v<Worker::executor_type, asio::any_io_executor>);
static_assert(std::is_nothrow_move_constructible_v<Worker> &&
              std::is_nothrow_move_assignable_v<Worker> && std::is_nothrow_destructible_v<Worker> &&
              !std::is_copy_constructible_v<Worker>);
static_assert(sizeof(Worker) == sizeof(void*)); // a handle

// Deduction: all four forms, with and without a clock.
template <class... Args>
using Deduced = decltype(ProbeWorker{std::declval<Args>()...});
static_assert(std::is_same_v<Deduced<P, ProbeSpec>, ProbeWorker<P>>);
static_assert(std::is_same_v<Deduced<P, const ProbeSpec&>, ProbeWorker<P>>);
static_assert(std::is_same_v<Deduced<P, ProbeSpec, Once>, ProbeWorker<P, Once>>);
static_assert(std::is_same_v<Deduced<P, ProbeSpec, Configured>, ProbeWorker<P, Configured>>);
static_assert(
    std::is_same_v<Deduced<P, ProbeSpec, Metrics>, ProbeWorker<P, KubeletPolicy, Metrics>>);
static_assert(
    std::is_same_v<Deduced<P, ProbeSpec, const Metrics&>, ProbeWorker<P, KubeletPolicy, Metrics>>);
static_assert(
    std::is_same_v<Deduced<P, ProbeSpec, MoveOnly>, ProbeWorker<P, KubeletPolicy, MoveOnly>>);
static_assert(std::is_same_v<Deduced<P, ProbeSpec, NoObserver>, ProbeWorker<P>>);
static_assert(std::is_same_v<Deduced<P, ProbeSpec, KubeletPolicy>, ProbeWorker<P>>);
static_assert(std::is_same_v<Deduced<P, ProbeSpec, std::reference_wrapper<Metrics>>,
                             ProbeWorker<P, KubeletPolicy, std::reference_wrapper<Metrics>>>);
static_assert(std::is_same_v<Deduced<P, ProbeSpec, Once, Metrics>, ProbeWorker<P, Once, Metrics>>);
static_assert(std::is_same_v<Deduced<P, ProbeSpec, Observers<Metrics, MoveOnly>>,
                             ProbeWorker<P, KubeletPolicy, Observers<Metrics, MoveOnly>>>);
static_assert(std::is_same_v<Deduced<ManualClock&, P, ProbeSpec>,
                             ProbeWorker<P, KubeletPolicy, NoObserver, ManualClock>>);
static_assert(std::is_same_v<Deduced<ManualClock&, P, ProbeSpec, Once>,
                             ProbeWorker<P, Once, NoObserver, ManualClock>>);
static_assert(std::is_same_v<Deduced<ManualClock&, P, ProbeSpec, Metrics>,
                             ProbeWorker<P, KubeletPolicy, Metrics, ManualClock>>);
static_assert(std::is_same_v<Deduced<ManualClock&, P, ProbeSpec, Once, Metrics>,
                             ProbeWorker<P, Once, Metrics, ManualClock>>);
static_assert(std::is_same_v<Deduced<AnyProbe, ProbeSpec>, ProbeWorker<AnyProbe>>);
static_assert(std::is_same_v<Deduced<ExecProbe, ProbeSpec>, ProbeWorker<ExecProbe>>);

// A worker is bound to its executor's type.
static_assert(
    std::is_same_v<ProbeWorker<BasicTcpProbe<asio::io_context::executor_type>>::executor_type,
                   asio::io_context::executor_type>);

// What may not throw is noexcept.
static_assert(noexcept(std::declval<Worker&>().stop()));
static_assert(noexcept(std::declval<Worker&>().probe_now()));
static_assert(noexcept(std::declval<Worker&>().pause()));
static_assert(noexcept(std::declval<Worker&>().resume()));
static_assert(noexcept(std::declval<Worker&>().target_replaced()));
static_assert(noexcept(std::declval<Worker&>().target_gone()));
static_assert(noexcept(std::declval<Worker&>().target_back()));
static_assert(noexcept(std::declval<Worker&>().target_terminating()));
static_assert(noexcept(std::declval<const Worker&>().spec()));
static_assert(noexcept(std::declval<const Worker&>().snapshot()));
static_assert(noexcept(std::declval<const Worker&>().health()));
static_assert(noexcept(std::declval<const Worker&>().passing()));
static_assert(noexcept(std::declval<const Worker&>().policy()));
static_assert(noexcept(std::declval<Worker&>().observer()));
static_assert(noexcept(std::declval<const Worker&>().get_executor()));
static_assert(std::is_same_v<decltype(std::declval<Worker&>().probe_now()), bool>);
static_assert(std::is_same_v<decltype(std::declval<Worker&>().update(ProbeSpec{})), ConfigErrors>);
static_assert(std::is_same_v<decltype(std::declval<const Worker&>().spec()), ProbeSpec>);
static_assert(std::is_same_v<decltype(std::declval<const Worker&>().snapshot()), WorkerSnapshot>);
static_assert(
    std::is_same_v<decltype(std::declval<const Worker&>().policy()), const KubeletPolicy&>);
static_assert(
    std::is_same_v<
        decltype(std::declval<ProbeWorker<P, KubeletPolicy, std::reference_wrapper<Metrics>>&>()
                     .observer()),
        Metrics&>);
static_assert(
    std::is_same_v<decltype(std::declval<ProbeWorker<P, KubeletPolicy, Metrics>&>().observer()),
                   Metrics&>);

static_assert(std::is_constructible_v<StartupGate, asio::io_context&> &&
              std::is_constructible_v<StartupGate, asio::thread_pool&> &&
              std::is_constructible_v<StartupGate, asio::strand<asio::io_context::executor_type>> &&
              !std::is_convertible_v<asio::io_context&, StartupGate>);
static_assert(std::is_nothrow_move_constructible_v<StartupGate> &&
              std::is_nothrow_move_assignable_v<StartupGate> &&
              !std::is_copy_constructible_v<StartupGate>);
static_assert(noexcept(std::declval<StartupGate&>().open()));
static_assert(noexcept(std::declval<StartupGate&>().close()));
static_assert(noexcept(std::declval<const StartupGate&>().is_open()));
static_assert(
    std::is_same_v<decltype(std::declval<StartupGate&>().add_condition()), StartupGate::Condition>);
static_assert(std::is_nothrow_move_constructible_v<StartupGate::Condition>&& noexcept(
    std::declval<StartupGate::Condition&>().set(true)));
static_assert(!std::is_convertible_v<std::size_t, AttemptLimit>&& noexcept(
                  std::declval<const AttemptLimit&>()
                      .in_flight()) && noexcept(std::declval<const AttemptLimit&>().waiting()) &&
              std::is_same_v<decltype(std::declval<const AttemptLimit&>().waiting()), std::size_t>);

static_assert(std::is_same_v<ProbeGroup<>, ProbeGroup<NoObserver, std::chrono::steady_clock>>);
static_assert(std::is_nothrow_move_constructible_v<ProbeGroup<>> &&
              std::is_nothrow_move_assignable_v<ProbeGroup<>>);
static_assert(noexcept(std::declval<ProbeGroup<>&>().stop()));
static_assert(noexcept(std::declval<ProbeGroup<>&>().pause()));
static_assert(noexcept(std::declval<ProbeGroup<>&>().resume()));
static_assert(noexcept(std::declval<ProbeGroup<>&>().target_replaced()));
static_assert(noexcept(std::declval<ProbeGroup<>&>().target_gone()));
static_assert(noexcept(std::declval<ProbeGroup<>&>().target_terminating()));
static_assert(noexcept(std::declval<ProbeGroup<>&>().probe_now(ProbeKind::startup)));
static_assert(noexcept(std::declval<const ProbeGroup<>&>().started()));
static_assert(noexcept(std::declval<const ProbeGroup<>&>().ready()));
static_assert(noexcept(std::declval<const ProbeGroup<>&>().snapshot(ProbeKind::startup)));
static_assert(
    std::is_same_v<decltype(std::declval<const ProbeGroup<>&>().snapshot(ProbeKind::startup)),
                   std::optional<WorkerSnapshot>>);
static_assert(
    std::is_same_v<decltype(ProbeGroup{std::declval<asio::io_context&>()}), ProbeGroup<>>);
static_assert(std::is_same_v<decltype(ProbeGroup{std::declval<asio::io_context&>(), Metrics{}}),
                             ProbeGroup<Metrics>>);
static_assert(
    std::is_same_v<decltype(ProbeGroup{std::declval<asio::strand<asio::any_io_executor>>(),
                                       std::ref(std::declval<Metrics&>())}),
                   ProbeGroup<std::reference_wrapper<Metrics>>>);
static_assert(std::is_same_v<decltype(ProbeGroup{std::declval<ManualClock&>(),
                                                 std::declval<asio::io_context&>()}),
                             ProbeGroup<NoObserver, ManualClock>>);
static_assert(std::is_same_v<decltype(ProbeGroup{std::declval<ManualClock&>(),
                                                 std::declval<asio::io_context&>(), Metrics{}}),
                             ProbeGroup<Metrics, ManualClock>>);
static_assert(std::is_aggregate_v<GroupChange>);

static_assert(std::is_same_v<Process, BasicProcess<>> &&
              std::is_nothrow_move_constructible_v<Process>);
static_assert(
    std::is_constructible_v<BasicProcess<asio::io_context::executor_type>, asio::io_context&>);
static_assert(noexcept(std::declval<const Process&>().running()));
static_assert(noexcept(std::declval<const Process&>().pid()));
static_assert(noexcept(std::declval<Process&>().signal(SIGTERM)));
static_assert(noexcept(std::declval<const Process&>().output()));
static_assert(noexcept(std::declval<Process&>().detach()));
static_assert(
    std::is_same_v<decltype(std::declval<const Process&>().output()), std::string_view> &&
    std::is_same_v<decltype(std::declval<const Process&>().pid()), int> &&
    std::is_same_v<decltype(std::declval<const Process&>().last_pid()), int> &&
    std::is_same_v<decltype(std::declval<Process&>().start(ProcessSpec{})), std::error_code>);
static_assert(std::is_aggregate_v<ProcessSpec> && std::is_aggregate_v<Termination>);

// Members of a user's class, as the documentation writes them.
struct Backend {
    explicit Backend(asio::io_context& io)
        : group(io), gate(io), process(io), worker(TcpProbe{io, {.port = 1}}, {.period = 1s}) {}
    ProbeGroup<> group;
    StartupGate gate;
    StartupGate::Condition condition = gate.add_condition();
    Process process;
    AttemptLimit limit{4};
    ProbeWorker<TcpProbe> worker;
    std::vector<ProbeWorker<AnyProbe>> more = {};
};

} // namespace

TEST_CASE("workers are made in every form") {
    asio::io_context io;
    ManualClock clock{io};
    Metrics shared;
    const auto probe = [&] { return ScriptedProbe{clock, {Outcome::success}}; };
    const ProbeSpec spec{.kind = ProbeKind::liveness, .period = 1s};

    ProbeWorker plain{clock, probe(), spec};
    ProbeWorker braces{clock, probe(), {.kind = ProbeKind::startup, .period = 100ms}};
    ProbeWorker policy{clock, probe(), spec, Once{}};
    ProbeWorker configured{clock, probe(), spec, Configured{3}};
    ProbeWorker observer{clock, probe(), spec, Metrics{}};
    ProbeWorker reference{clock, probe(), spec, std::ref(shared)};
    ProbeWorker both{
        clock, probe(), {.period = 1s}, Once{}, Observers{Metrics{}, std::ref(shared)}};
    ProbeWorker move_only{clock, probe(), spec, MoveOnly{std::make_unique<int>(1)}};
    ProbeWorker<ScriptedProbe, Configured, MoveOnly, ManualClock> named{
        clock, probe(), spec, Configured{2}, MoveOnly{std::make_unique<int>(1)}};
    ProbeWorker<ScriptedProbe, Once, NoObserver, ManualClock> defaulted{clock, probe(), {}};
    ProbeWorker<ScriptedProbe, KubeletPolicy, Metrics, ManualClock> observed{
        clock, probe(), {}, {}, {}};
    const auto start_all = [](auto&... workers) { (workers.start(), ...); };
    start_all(plain, braces, policy, configured, observer, reference, both, move_only, named,
              defaulted, observed);
    clock.run_ready();
    CHECK(configured.policy().needed == 3);
    CHECK(configured.snapshot().run == 3);
    CHECK(observer.observer().verdicts == 1);
    CHECK(&reference.observer() == &shared);
    CHECK(shared.verdicts == 2);
    CHECK(plain.spec() == spec);
    CHECK(braces.spec().period == 100ms);
    const auto all_pass = [](const auto&... workers) { return (workers.passing() && ...); };
    CHECK(all_pass(plain, braces, policy, configured, observer, reference, both, move_only, named,
                   defaulted, observed));

    ProbeWorker steady{TcpProbe{io, {.port = 1}}, {.period = 1s}};
    ProbeWorker steady_policy{TcpProbe{io, {.port = 1}}, spec, Once{}};
    ProbeWorker steady_observer{TcpProbe{io, {.port = 1}}, spec, std::ref(shared)};
    ProbeWorker steady_both{TcpProbe{io, {.port = 1}}, spec, Configured{1}, MoveOnly{nullptr}};
    CHECK(steady.health() == Health::failing);
    CHECK(steady_policy.health() == Health::passing);
    CHECK(&steady_observer.observer() == &shared);
    CHECK(steady_both.get_executor() == io.get_executor());
    CHECK_THROWS_AS((ProbeWorker{TcpProbe{io, {.port = 1}}, {.period = 0s}}), ConfigException);
    CHECK_THROWS_AS((ProbeWorker{clock, probe(), {.failure_threshold = 0}}), ConfigException);
}

TEST_CASE("workers with executors of one's own") {
    asio::io_context io;
    asio::thread_pool pool{1};
    const auto strand = asio::make_strand(io);
    using Strand = asio::strand<asio::io_context::executor_type>;
    ProbeWorker on_io{BasicTcpProbe<asio::io_context::executor_type>{io, {.port = closed_port(io)}},
                      {.failure_threshold = 1}};
    ProbeWorker on_strand{BasicExecProbe<Strand>{strand, {.command = {"true"}}}, {}};
    ProbeWorker on_function{FunctionProbe<bool (*)(), Strand>{strand, +[] { return true; }}, {}};
    ProbeWorker on_any{
        BasicAnyProbe<Strand>{BasicHttpGetProbe<Strand>{strand, {.port = closed_port(io)}}},
        {.failure_threshold = 1}};
    ProbeWorker on_pool{ExecProbe{pool, {.command = {"true"}}}, {}};
    CHECK(on_io.get_executor() == io.get_executor());
    CHECK(on_strand.get_executor() == strand);
    CHECK(on_pool.get_executor() == pool.get_executor());
    int notified = 0;
    on_io.async_wait(Health::failing, [&](std::error_code error, const Verdict& verdict) {
        CHECK((!error && verdict.failed()));
        ++notified;
    });
    on_strand.async_wait(Health::passing,
                         [&](std::error_code error, Verdict) { notified += !error; });
    on_function.async_wait(Health::passing,
                           [&](std::error_code error, Verdict&&) { notified += !error; });
    on_any.async_wait(Health::failing, [&](std::error_code error, auto&&) { notified += !error; });
    on_io.start();
    on_strand.start();
    on_function.start();
    on_any.start();
    CHECK(run_until(io, [&] { return notified == 4; }));
}

TEST_CASE("members of a user's class, moved while they work") {
    asio::io_context io;
    Backend backend{io};
    backend.worker.limit(backend.limit);
    backend.worker.opens(backend.gate);
    backend.worker.start(backend.gate);
    Backend moved = std::move(backend);
    moved.more.emplace_back(TcpProbe{io, {.port = 1}}, ProbeSpec{.period = 1s});
    moved.more.push_back(
        ProbeWorker<AnyProbe>{ExecProbe{io, {.command = {"true"}}}, {.period = 1s}});
    moved.more.erase(moved.more.begin());
    CHECK(moved.worker.snapshot().state == WorkerState::gated);
    CHECK_FALSE(moved.gate.is_open());
    moved.condition.set(true);
    moved.group.start();
    CHECK(moved.group.started());
    CHECK(moved.group.ready());
    CHECK_FALSE(moved.group.snapshot(ProbeKind::liveness));
    CHECK(moved.limit.in_flight() == 0);
    CHECK(moved.limit.waiting() == 0);
    CHECK(moved.process.pid() == -1);
}

TEST_CASE("a snapshot has every field") {
    asio::io_context io;
    ManualClock clock{io};
    ProbeWorker worker{clock,
                       ScriptedProbe{clock,
                                     {{ProbeResult::failure(Errc::http_status), 5ms},
                                      Step{std::make_error_code(std::errc::io_error), 1ms}}},
                       {.kind = ProbeKind::liveness, .period = 1s}};
    const WorkerSnapshot before = worker.snapshot();
    CHECK((before.kind == ProbeKind::liveness && before.state == WorkerState::stopped &&
           before.health == Health::passing));
    CHECK((!before.judged && before.run == 0 && before.attempts == 0 && before.errors == 0 &&
           before.skipped == 0));
    CHECK((before.last_outcome == Outcome::unknown && before.last_status == -1 &&
           !before.last_cause && !before.last_error));
    const TimePoint start = clock.now();
    worker.start();
    clock.advance(500ms);
    WorkerSnapshot now = worker.snapshot();
    CHECK((now.state == WorkerState::waiting && now.run == 1 && now.attempts == 1 &&
           now.errors == 0 && !now.judged));
    CHECK((now.last_outcome == Outcome::failure && now.last_cause == Errc::http_status &&
           now.last_elapsed == 5ms));
    CHECK(now.next_at == start + 1s);
    CHECK(now.since == start);
    clock.advance(1s);
    now = worker.snapshot();
    CHECK((now.attempts == 4 && now.errors == 3 && now.last_error == std::errc::io_error &&
           now.run == 1));
    static_assert(std::is_same_v<decltype(now.attempts), std::uint64_t> &&
                  std::is_same_v<decltype(now.skipped), std::uint64_t> &&
                  std::is_same_v<decltype(now.errors), std::uint64_t> &&
                  std::is_same_v<decltype(now.run), int>);
}

TEST_CASE("process settings") {
    const ProcessSpec spec{.command = {"true"}};
    CHECK((spec.environment.empty() && spec.inherit_environment && spec.working_directory.empty()));
    CHECK((spec.output == ProcessOutput::inherit && spec.output_limit == 10240));
    CHECK((spec.stdin_fd == -1 && spec.stdout_fd == -1 && spec.stderr_fd == -1 &&
           !spec.pid_namespace));
    CHECK((!spec.user && !spec.group && spec.limits.empty()));
    const ProcessSpec other{.output = ProcessOutput::capture,
                            .user = 65534u,
                            .limits = {{.resource = RLIMIT_NOFILE, .soft = 64, .hard = 64}}};
    CHECK(other.limits[0].soft == 64);
    CHECK(Termination{}.signal == SIGTERM);
    CHECK(Termination{.signal = SIGINT}.grace == 30s);
    const GroupChange change{.event = GroupChange::Event::kill,
                             .verdict = {.kind = ProbeKind::liveness,
                                         .health = Health::failing,
                                         .origin = Verdict::Origin::result,
                                         .result = ProbeResult::failure("no")}};
    CHECK(change.reason() == "Liveness probe failed: no");
}

TEST_CASE("a process is started, captured, awaited, and started again") {
    asio::io_context io;
    Process process{io};
    CHECK_FALSE(process.running());
    CHECK(process.start({.command = {"/nonexistent/program"}}) ==
          std::errc::no_such_file_or_directory);
    CHECK(process.start({.command = {"/"}}) == std::errc::permission_denied);
    CHECK_FALSE(process.start(
        {.command = {"sh", "-c", "echo hello; exit 4"}, .output = ProcessOutput::capture}));
    std::vector<ExitStatus> ends;
    const auto note = [&](std::error_code error, ExitStatus status) {
        CHECK_FALSE(error);
        ends.push_back(status);
    };
    process.async_wait(note);
    process.async_wait(note);
    CHECK(run_out(io)); // its waits are the work; a process alone is none
    REQUIRE(ends.size() == 2);
    CHECK((ends[0].code == 4 && ends[0].signal == 0 && ends[1].code == 4));
    CHECK(process.output() == "hello\n");
    CHECK_FALSE(process.running());
    process.async_wait(note);
    CHECK(run_out(io));
    CHECK(ends.at(2).code == 4);
    CHECK_FALSE(process.start({.command = {"sleep", "60"}}));
    CHECK(process.running());
    CHECK(process.start({.command = {"true"}}) == std::errc::device_or_resource_busy);
    CHECK(run_out(io)); // at once
    process.async_terminate({.grace = 20s}, note);
    CHECK(run_out(io));
    CHECK(ends.at(3).signal == SIGTERM);
    CHECK(ends.at(3).as_shell() == 143);
    CHECK_FALSE(process.start({.command = {"sleep", "60"}}));
    CHECK_FALSE(process.signal(SIGKILL));
    process.async_wait(note);
    CHECK(run_out(io));
    CHECK(ends.at(4).signal == SIGKILL);
    CHECK(process.signal(SIGTERM));
}

TEST_CASE("the test equipment") {
    asio::io_context io;
    ManualClock clock{io};
    ScriptedProbe probe{clock, {Outcome::failure, {Outcome::success, 300ms}, Step::hang()}};
    ScriptedProbe copy = probe;
    ProbeWorker worker{clock, probe, {.period = 1s, .timeout = 500ms, .failure_threshold = 1}};
    std::vector<std::string> notified;
    worker.on_verdict(
        [&](const Verdict& verdict) { notified.emplace_back(to_string(verdict.health)); });
    const TimePoint start = clock.now();
    worker.start();
    CHECK(copy.attempts() == 0); // an attempt begins in the event loop, never inside the call
    clock.run_ready();
    CHECK(copy.attempts() == 1);
    CHECK(notified ==
          std::vector<std::string>{
              "failing"}); // the first judgement counts, though equal to the initial value
    clock.advance(1s);
    CHECK(copy.in_flight() == 1);
    CHECK(worker.snapshot().state == WorkerState::probing);
    clock.advance(300ms);
    CHECK(clock.now() == start + 1300ms);
    CHECK(copy.in_flight() == 0);
    CHECK(worker.passing());
    CHECK(worker.snapshot().last_elapsed == 300ms);
    clock.advance(1200ms); // hangs from 2 s on, cut off at 2.5 s
    CHECK(worker.health() == Health::failing);
    CHECK(worker.snapshot().last_cause == std::errc::timed_out);
    CHECK(notified == std::vector<std::string>{"failing", "passing", "failing"});
    copy.push(Outcome::warning);
    clock.advance(1s);
    CHECK(worker.passing());
    CHECK(worker.snapshot().last_outcome == Outcome::warning);
    copy.push({ProbeResult::failure("now")});
    clock.advance(1s);
    CHECK(worker.health() == Health::failing);
}
