// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// What the room core promises, written as a user writes it: each name, type and default.
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <asio/error.hpp>

#include <catch2/catch_test_macros.hpp>

#include <probekit/core/actions.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/observer.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/policy.hpp>
#include <probekit/core/probe_settings.hpp>
#include <probekit/core/probe_spec.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/core/result.hpp>
#include <probekit/core/threshold_counter.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/core/worker_fsm.hpp>

using namespace probekit;
using namespace std::chrono_literals;

namespace {

template <class Expected, class Actual>
constexpr void is(const Actual&) {
    static_assert(std::is_same_v<Expected, Actual>);
}
template <class T>
constexpr bool is_byte_enum =
    std::is_enum_v<T> && std::is_same_v<std::underlying_type_t<T>, std::uint8_t>;

static_assert(is_byte_enum<Outcome> && is_byte_enum<Health> && is_byte_enum<ProbeKind> &&
              is_byte_enum<Phase>);
static_assert(is_byte_enum<Cadence> && is_byte_enum<HttpScheme> && is_byte_enum<Redirects>);
static_assert(is_byte_enum<Verdict::Origin> && is_byte_enum<WorkerState> &&
              is_byte_enum<RestartPolicy>);
static_assert(is_byte_enum<Decision::Action>);

// Texts may be named as members, as in a projection.
static_assert(std::is_invocable_r_v<std::string, decltype(&Verdict::reason), const Verdict&>);
static_assert(
    std::is_invocable_r_v<std::string, decltype(&ConfigError::message), const ConfigError&>);

static_assert(to_string(Outcome::success) == "success" && to_string(Outcome::warning) == "warning");
static_assert(to_string(Outcome::failure) == "failure" && to_string(Outcome::unknown) == "unknown");
static_assert(to_string(Health::unknown) == "unknown" && to_string(Health::passing) == "passing");
static_assert(to_string(Health::failing) == "failing");
static_assert(to_string(ProbeKind::startup) == "Startup" &&
              to_string(ProbeKind::liveness) == "Liveness");
static_assert(to_string(ProbeKind::readiness) == "Readiness");
static_assert(to_string(Phase::none) == "none" && to_string(Phase::resolve) == "resolve");
static_assert(to_string(Phase::connect) == "connect" && to_string(Phase::handshake) == "handshake");
static_assert(to_string(Phase::request) == "request" && to_string(Phase::response) == "response");
static_assert(to_string(Phase::body) == "body" && to_string(Phase::spawn) == "spawn");
static_assert(to_string(Phase::run) == "run" && to_string(Phase::finish) == "finish");
static_assert(noexcept(to_string(Outcome::success)));
static_assert(noexcept(to_string(Health::unknown)));
static_assert(noexcept(to_string(ProbeKind::startup)));
static_assert(noexcept(to_string(Phase::none)));
static_assert(noexcept(to_string(WorkerState::gated)));
static_assert(to_string(WorkerState::stopped) == "stopped" &&
              to_string(WorkerState::gated) == "gated");
static_assert(to_string(WorkerState::waiting) == "waiting" &&
              to_string(WorkerState::probing) == "probing");
static_assert(to_string(WorkerState::on_hold) == "on_hold" &&
              to_string(WorkerState::paused) == "paused");
static_assert(to_string(WorkerState::no_target) == "no_target" &&
              to_string(WorkerState::ended) == "ended");
static_assert(std::is_same_v<decltype(to_string(Phase::none)), std::string_view>);

static_assert(std::is_error_code_enum_v<Errc>);
static_assert(static_cast<int>(Errc::timed_out) == 1);
static_assert(noexcept(make_error_code(Errc::timed_out)));
static_assert(noexcept(probekit_category()));
static_assert(noexcept(is_local_fault(std::declval<const std::error_code&>())));
static_assert(noexcept(to_std(std::declval<std::error_code>())));
static_assert(std::is_same_v<decltype(is_local_fault(std::error_code{})), bool>);
static_assert(std::is_same_v<decltype(to_std(std::error_code{})), std::error_code>);
static_assert(std::is_same_v<decltype(probekit_category()), const std::error_category&>);
static_assert(std::is_same_v<ConfigErrors, std::vector<ConfigError>>);
static_assert(std::is_base_of_v<std::invalid_argument, ConfigException>);
static_assert(noexcept(std::declval<const ConfigException&>().errors()));
static_assert(
    std::is_same_v<decltype(std::declval<const ConfigException&>().errors()), const ConfigErrors&>);

static_assert(std::is_same_v<Duration, std::chrono::nanoseconds>);
static_assert(
    std::is_same_v<TimePoint, std::chrono::time_point<std::chrono::steady_clock, Duration>>);
static_assert(std::is_aggregate_v<ProbeResult> && std::is_aggregate_v<ProbeSpec> &&
              std::is_aggregate_v<Pacing>);
static_assert(std::is_aggregate_v<ConfigError> && std::is_aggregate_v<ExecAction> &&
              std::is_aggregate_v<Verdict>);
static_assert(std::is_aggregate_v<WorkerSnapshot> && std::is_aggregate_v<ExitStatus> &&
              std::is_aggregate_v<RestartBackOffSpec> && std::is_aggregate_v<Decision>);
static_assert(std::is_same_v<decltype(ProbeResult::times), std::array<Duration, 9>>);
static_assert(std::is_same_v<decltype(ProbeResult::output_bytes), std::uint64_t>);
static_assert(std::is_same_v<decltype(ProbeResult::cause), std::error_code>);
static_assert(noexcept(ProbeResult{}.passed()));
static_assert(noexcept(ProbeResult{}.elapsed()));
static_assert(noexcept(ProbeResult{}.time_in(Phase::connect)));
static_assert(std::is_same_v<ProbeAction,
                             std::variant<ExecAction, HttpGetAction, TcpSocketAction, GrpcAction>>);
static_assert(std::is_aggregate_v<ProbeOptions> && std::is_aggregate_v<ProbeSettings>);
static_assert(
    std::is_same_v<decltype(ProbeSpec::termination_grace_period), std::optional<Duration>>);
static_assert(std::is_same_v<decltype(Pacing::seed), std::uint64_t>);

constexpr ProbeSpec spec{.kind = ProbeKind::liveness, .period = 5s};
static_assert(is_valid(spec) && noexcept(is_valid(spec)));
static_assert(spec == ProbeSpec{.kind = ProbeKind::liveness, .period = 5000ms});
static_assert(spec !=
              ProbeSpec{.kind = ProbeKind::liveness, .period = 5s, .pacing = {.jitter = 1ms}});
static_assert(worst_case_detection(ProbeSpec{}) == 10s + 2 * 10s + 1s);
static_assert(worst_case_recovery(ProbeSpec{}) == 10s + 1s);
static_assert(worst_case_detection(ProbeSpec{
                  .period = 1s, .timeout = 4s, .pacing = {.jitter = 100ms}}) ==
              1s + 2 * 4s + 4s + 100ms);
static_assert(noexcept(worst_case_detection(spec)));
static_assert(noexcept(worst_case_recovery(spec)));

static_assert(sizeof(ThresholdCounter) == 8);
constexpr bool counts() {
    ThresholdCounter counter;
    bool right = counter.run() == 0;
    right = right && counter.count(false) == 1 && counter.count(false) == 2 && !counter.last();
    right = right && !counter.reached(ProbeSpec{}) && counter.count(false) == 3 &&
            counter.reached(ProbeSpec{});
    right = right && counter.count(true) == 1 && counter.reached(ProbeSpec{}) && counter.last();
    counter.restart();
    return right && counter.run() == 0 && counter.last();
}
static_assert(counts());
static_assert(noexcept(std::declval<ThresholdCounter&>().count(true)));
static_assert(noexcept(std::declval<const ThresholdCounter&>().reached(spec)));
static_assert(noexcept(std::declval<const ThresholdCounter&>().run()));
static_assert(noexcept(std::declval<const ThresholdCounter&>().last()));
static_assert(noexcept(std::declval<ThresholdCounter&>().restart()));

struct FirstResult {
    std::optional<Health> judge(const ProbeResult& result, const ProbeSpec&) noexcept {
        return result.passed() ? Health::passing : Health::failing;
    }
};
struct MayThrow {
    std::optional<Health> judge(const ProbeResult&, const ProbeSpec&) { return {}; }
};
struct ReturnsHealth {
    Health judge(const ProbeResult&, const ProbeSpec&) noexcept { return Health::passing; }
};
struct Unmovable {
    Unmovable() = default;
    Unmovable(Unmovable&&) = delete;
    std::optional<Health> judge(const ProbeResult&, const ProbeSpec&) noexcept { return {}; }
};
static_assert(Policy<KubeletPolicy> && Policy<FirstResult>);
static_assert(!Policy<MayThrow> && !Policy<ReturnsHealth> && !Policy<Unmovable> && !Policy<int>);

struct HooksByValue {
    void verdict_changed(Verdict) {}
};
struct HooksByReference {
    void attempt_begun(const AttemptBegun&) {}
    void attempt_ended(const AttemptEnded&) {}
    void verdict_changed(const Verdict&) noexcept {}
    void state_changed(const StateChanged&) {}
    void checks_skipped(const ChecksSkipped&) {}
};
struct NoHooks {};
struct WrongHook {
    void verdict_changed(int) {}
};
struct OneWrongHook {
    void verdict_changed(const Verdict&) {}
    void state_changed(const Verdict&) {}
};
struct MoveOnlyObserver {
    std::unique_ptr<int> label = {};
    void verdict_changed(const Verdict&) {}
};
static_assert(Observer<HooksByValue> && Observer<HooksByReference> && Observer<NoObserver> &&
              Observer<MoveOnlyObserver>);
static_assert(Observer<std::reference_wrapper<HooksByReference>>);
static_assert(Observer<Observers<HooksByValue, std::reference_wrapper<HooksByReference>>>);
static_assert(!Observer<NoHooks> && !Observer<WrongHook> && !Observer<OneWrongHook> &&
              !Observer<int>);
static_assert(std::is_same_v<decltype(Observers{HooksByValue{}, HooksByReference{}}),
                             Observers<HooksByValue, HooksByReference>>);
static_assert(std::is_empty_v<NoObserver>);

static_assert(ExitStatus{}.ok() && !ExitStatus{.code = 3}.ok() && !ExitStatus{.signal = 9}.ok());
static_assert(ExitStatus{.code = 3}.as_shell() == 3 && ExitStatus{.signal = 9}.as_shell() == 137);
static_assert(noexcept(ExitStatus{}.ok()));
static_assert(noexcept(ExitStatus{}.as_shell()));
static_assert(should_restart(RestartPolicy::always, {}) &&
              !should_restart(RestartPolicy::on_failure, {}));
static_assert(should_restart(RestartPolicy::on_failure, {.code = 1}) &&
              !should_restart(RestartPolicy::never, {.code = 1}));
static_assert(noexcept(should_restart(RestartPolicy::always, ExitStatus{})));

constexpr bool backs_off() {
    RestartBackOff back_off;
    RestartBackOff other{RestartBackOffSpec{.base = 1s}};
    const TimePoint start{};
    bool right = back_off.after_exit(start) == start;
    right =
        right && back_off.after_exit(start + 1s) == start + 1s + 10s && back_off.current() == 10s;
    back_off.reset();
    right = right && back_off.after_exit(start + 2s) == start + 2s;
    return right && other.after_kill(start + 1s) >= start;
}
static_assert(backs_off());
static_assert(std::is_nothrow_constructible_v<RestartBackOff, RestartBackOffSpec> &&
              !std::is_convertible_v<RestartBackOffSpec, RestartBackOff>);

} // namespace

TEST_CASE("settings have a default for every field") {
    const ProbeSpec defaults;
    CHECK(defaults.kind == ProbeKind::readiness);
    CHECK(defaults.initial_delay == 0s);
    CHECK(defaults.period == 10s);
    CHECK(defaults.timeout == 1s);
    CHECK(defaults.success_threshold == 1);
    CHECK(defaults.failure_threshold == 3);
    CHECK_FALSE(defaults.termination_grace_period);
    CHECK(defaults.pacing.cadence == Cadence::grid);
    CHECK(defaults.pacing.spread == 0s);
    CHECK(defaults.pacing.jitter == 0s);
    CHECK(defaults.pacing.seed == 0);
    CHECK(defaults.pacing == Pacing{});

    const ExecOptions exec;
    CHECK((exec.output_limit == 10240 && !exec.keep_output && exec.kill_grace == 0s));
    const TcpOptions tcp;
    CHECK((tcp.source_address.empty() && tcp.close == TcpClose::silent));
    const HttpOptions http;
    CHECK((http.redirects == Redirects::same_host && http.max_requests == 10 &&
           http.body_limit == 10240));
    CHECK((!http.keep_output && http.user_agent.empty() && http.source_address.empty()));
    const HttpGetAction get;
    CHECK((get.host.empty() && get.port == 0 && get.path == "/" && get.scheme == HttpScheme::http &&
           get.headers.empty()));
    const ExecAction command;
    CHECK((command.command.empty() && command.environment.empty() && command.inherit_environment));
    const RestartBackOffSpec back_off;
    CHECK((back_off.base == 10s && back_off.max == 300s && back_off.forget_after == 600s));
}

TEST_CASE("settings are written with designated initialisers, each leaving the others out") {
    const std::array specs{ProbeSpec{.kind = ProbeKind::startup},
                           ProbeSpec{.initial_delay = 1s},
                           ProbeSpec{.period = 250ms},
                           ProbeSpec{.timeout = 1ms},
                           ProbeSpec{.success_threshold = 2},
                           ProbeSpec{.failure_threshold = 1},
                           ProbeSpec{.kind = ProbeKind::liveness, .termination_grace_period = 5s},
                           ProbeSpec{.pacing = {.cadence = Cadence::target_start}},
                           ProbeSpec{.pacing = {.spread = 1s}},
                           ProbeSpec{.pacing = {.jitter = 1s}},
                           ProbeSpec{.pacing = {.seed = 7}}};
    for (const ProbeSpec& each : specs) {
        CHECK(is_valid(each));
        CHECK(validate(each).empty());
    }
    const std::array<ExecAction, 4> commands{
        ExecAction{.command = {"true"}}, ExecAction{.environment = {"A=b"}},
        ExecAction{.inherit_environment = false}, ExecAction{.working_directory = "/"}};
    CHECK(commands[0].inherit_environment);
    const TcpSocketAction port{.port = 80};
    const TcpSocketAction host{.host = "::1"};
    CHECK((port.host.empty() && host.port == 0));
    const HttpGetAction get{.port = 80,
                            .headers = {{.name = "Accept"}, {.name = "Host", .value = "a"}}};
    CHECK(get.headers[1].value == "a");
    CHECK(HttpGetAction{.scheme = HttpScheme::https}.path == "/");
    CHECK(ExecOptions{.kill_grace = 1s}.output_limit == 10240);
    CHECK(ExecOptions{.user = 65534u, .group = 65534u}.limits.empty());
    CHECK(ExecOptions{.limits = {{.resource = 7, .soft = 64}}}.limits[0].hard ==
          ResourceLimit::unlimited);
    CHECK(TcpOptions{.close = TcpClose::orderly}.source_address.empty());
    CHECK(HttpOptions{.user_agent = "me"}.max_requests == 10);
    CHECK(HttpOptions{.redirects = Redirects::none, .source_address = "127.0.0.1"}.body_limit ==
          10240);
    CHECK(ConfigError{.field = "period", .detail = "must be greater than zero"}.message() ==
          "period: must be greater than zero");
    CHECK(ConfigError{.field = "a"} == ConfigError{"a", ""});
    CHECK(RestartBackOffSpec{.max = 5s}.base == 10s);
    const ProbeResult result{.outcome = Outcome::failure, .status = 503};
    CHECK(result.phase == Phase::none);
    const Verdict verdict{.kind = ProbeKind::liveness, .health = Health::failing};
    CHECK(verdict.failed());
}

TEST_CASE("validate lists every mistake, in the order of the fields") {
    const ProbeSpec wrong{.kind = ProbeKind::liveness,
                          .initial_delay = -1s,
                          .period = 0s,
                          .timeout = 0s,
                          .success_threshold = 2,
                          .failure_threshold = 0,
                          .pacing = {.spread = -1s, .jitter = -1s}};
    CHECK_FALSE(is_valid(wrong));
    const ConfigErrors errors = validate(wrong);
    std::vector<std::string> fields;
    for (const ConfigError& error : errors) fields.push_back(error.field);
    CHECK(fields == std::vector<std::string>{"initial_delay", "period", "timeout",
                                             "success_threshold", "failure_threshold",
                                             "pacing.spread", "pacing.jitter"});
    CHECK(errors[1].message() == "period: must be greater than zero");
    const ConfigException exception{{{"a", "b"}, {"c", "d"}}};
    CHECK(std::string_view{exception.what()} == "a: b; c: d");
    CHECK(exception.errors().size() == 2);

    CHECK(validate(ProbeSpec{.termination_grace_period = 1s}).size() == 1); // readiness has none
    CHECK(validate(ProbeSpec{.pacing = {.jitter = 10s}}).size() == 1); // not less than the period
    CHECK(validate(ExecAction{})[0].field == "command");
    CHECK(validate(ExecAction{.command = {""}})[0].field == "command[0]");
    CHECK(validate(ExecOptions{.kill_grace = -1s})[0].field == "kill_grace");
    CHECK(validate(TcpSocketAction{})[0].field == "port");
    CHECK(validate(HttpGetAction{.port = 1, .path = "/\r\n x\x01"}).empty());
    CHECK(validate(HttpGetAction{.port = 1, .headers = {{"A", "b"}, {"C", "d"}, {"X\r\n", "y"}}})[0]
              .field == "headers[2].name");
    CHECK(validate(HttpGetAction{.port = 1, .headers = {{"A", std::string{"b\0c", 3}}}})[0].field ==
          "headers[0].value");
    CHECK(validate(ProbeAction{TcpSocketAction{}}) == validate(TcpSocketAction{}));
}

TEST_CASE("error codes compare as promised") {
    CHECK(Errc::timed_out == std::errc::timed_out);
    CHECK(std::errc::timed_out == Errc::timed_out);
    CHECK(make_error_code(Errc::timed_out) == std::errc::timed_out);
    const std::error_code code = Errc::http_status;
    CHECK(code.category() == probekit_category());
    CHECK(code == Errc::http_status);
    CHECK(code != Errc::exit_status);
    for (const Errc each :
         {Errc::timed_out, Errc::http_status, Errc::exit_status, Errc::killed_by_signal,
          Errc::malformed_response, Errc::too_many_redirects, Errc::bad_redirect,
          Errc::no_such_host, Errc::incomplete_body, Errc::status_lost, Errc::probe_threw})
        CHECK_FALSE(make_error_code(each).message().empty());

    for (const std::errc fault :
         {std::errc::too_many_files_open, std::errc::too_many_files_open_in_system,
          std::errc::not_enough_memory, std::errc::no_buffer_space,
          std::errc::address_not_available, std::errc::resource_unavailable_try_again}) {
        CHECK(is_local_fault(std::make_error_code(fault)));
        CHECK(is_local_fault(std::error_code{static_cast<int>(fault), std::system_category()}));
        CHECK(is_local_fault(
            std::error_code{static_cast<int>(fault), asio::error::get_system_category()}));
    }
    CHECK_FALSE(is_local_fault({}));
    CHECK_FALSE(is_local_fault(std::make_error_code(std::errc::connection_refused)));
    CHECK_FALSE(is_local_fault(Errc::timed_out));

    CHECK(to_std(asio::error::connection_refused) == std::errc::connection_refused);
    CHECK(to_std(asio::error::host_not_found) == Errc::no_such_host);
    CHECK(to_std(asio::error::operation_aborted) == asio::error::operation_aborted);
    CHECK(to_std(Errc::bad_redirect) == Errc::bad_redirect);
    CHECK(to_std(std::make_error_code(std::errc::io_error)) ==
          std::make_error_code(std::errc::io_error));
    CHECK_FALSE(to_std({}));
}

TEST_CASE("a result is a value with makers and times") {
    const ProbeResult none;
    CHECK((none.outcome == Outcome::unknown && none.phase == Phase::none && none.status == -1 &&
           !none.cause));
    CHECK((none.detail.empty() && none.output.empty() && none.output_bytes == 0 && !none.target));
    CHECK(none.elapsed() == 0s);

    CHECK(ProbeResult::success().passed());
    CHECK(ProbeResult::success("ok").output == "ok");
    CHECK(ProbeResult::warning("slow").passed());
    CHECK(ProbeResult::warning("slow").outcome == Outcome::warning);
    CHECK_FALSE(ProbeResult::failure("queue full").passed());
    CHECK(ProbeResult::failure("queue full").message() == "queue full");
    CHECK(ProbeResult::failure("queue full", Errc::timed_out).cause == Errc::timed_out);
    CHECK(ProbeResult::failure(Errc::timed_out).cause == Errc::timed_out);
    CHECK(ProbeResult::failure(std::make_error_code(std::errc::io_error)).outcome ==
          Outcome::failure);
    CHECK_FALSE(ProbeResult::failure(std::make_error_code(std::errc::io_error)).message().empty());
    CHECK(ProbeResult::failure(asio::error::connection_refused).cause ==
          std::errc::connection_refused);

    ProbeResult timed;
    timed.times[0] = 1ms; // resolve
    timed.times[1] = 2ms;
    timed.times[8] = 4ms;
    CHECK(timed.time_in(Phase::resolve) == 1ms);
    CHECK(timed.time_in(Phase::connect) == 2ms);
    CHECK(timed.time_in(Phase::finish) == 4ms);
    CHECK(timed.time_in(Phase::none) == 0s);
    CHECK(timed.elapsed() == 7ms);
    CHECK(timed.message(30s) == timed.message()); // nothing in it speaks of a timeout
}

TEST_CASE("verdicts say why") {
    Verdict verdict{.kind = ProbeKind::liveness,
                    .health = Health::failing,
                    .previous = Health::passing,
                    .origin = Verdict::Origin::result,
                    .at = {},
                    .previous_duration = 3s,
                    .result = ProbeResult::failure("queue full")};
    CHECK((verdict.failed() && !verdict.passed()));
    CHECK(verdict.reason() == "Liveness probe failed: queue full");
    verdict.kind = ProbeKind::readiness;
    verdict.health = Health::passing;
    verdict.result = ProbeResult::warning("slow");
    CHECK(verdict.reason() == "Readiness probe warning: slow");
    verdict.kind = ProbeKind::startup;
    verdict.result = ProbeResult::success();
    CHECK(verdict.reason() == "Startup probe succeeded");
    verdict.origin = Verdict::Origin::target_gone;
    CHECK(verdict.reason() == "target is gone");
}

TEST_CASE("observers compose, shared ones by reference") {
    struct Count {
        int verdicts = 0;
        void verdict_changed(const Verdict&) { ++verdicts; }
    };
    Count shared;
    HooksByReference all;
    Observers both{Count{}, std::ref(shared), std::ref(all)};
    both.verdict_changed(Verdict{});
    both.state_changed(StateChanged{});
    CHECK(shared.verdicts == 1);
    const ProbeResult result;
    const AttemptEnded ended{.kind = ProbeKind::startup,
                             .number = 1,
                             .attempt_in_check = 1,
                             .at = {},
                             .error = {},
                             .result = result,
                             .counted = true,
                             .retried = false};
    both.attempt_ended(ended);
    const AttemptBegun begun{.number = 2, .late = 1ms};
    both.attempt_begun(begun);
    const ChecksSkipped skipped{.count = 3};
    both.checks_skipped(skipped);
    is<std::uint64_t>(begun.number);
    is<int>(begun.attempt_in_check);
    is<std::uint64_t>(skipped.count);
}

TEST_CASE("the machine of a worker can be driven by hand") {
    WorkerFsm fsm{ProbeSpec{.kind = ProbeKind::liveness, .failure_threshold = 1}};
    static_assert(std::is_same_v<decltype(fsm), WorkerFsm<KubeletPolicy>>);
    static_assert(noexcept(fsm.step(event::Due{}, std::declval<TimePoint>())));
    static_assert(noexcept(std::as_const(fsm).health()));
    static_assert(noexcept(std::as_const(fsm).state()));
    static_assert(std::is_same_v<decltype(fsm.policy()), const KubeletPolicy&>);
    const TimePoint start{};
    CHECK(fsm.health() == Health::passing);
    CHECK(fsm.state() == WorkerState::stopped);
    Decision decision = fsm.step(event::Started{.target_since = start}, start);
    if (decision.action == Decision::Action::wait) {
        CHECK(decision.at == start);
        decision = fsm.step(event::Due{}, start);
    }
    CHECK(decision.action == Decision::Action::attempt);
    CHECK(decision.attempt_in_check == 1);
    const ProbeResult bad = ProbeResult::failure("no");
    decision = fsm.step(WorkerEvent{event::Result{bad}}, start + 1ms);
    CHECK(decision.changed);
    CHECK(decision.health == Health::failing);
    CHECK(decision.origin == Verdict::Origin::result);
    CHECK(decision.action == Decision::Action::hold);
    CHECK(fsm.state() == WorkerState::on_hold);
    for (const WorkerEvent& each :
         {WorkerEvent{event::TargetStarted{.since = start}}, WorkerEvent{event::TargetBack{}},
          WorkerEvent{event::TargetGone{}}, WorkerEvent{event::GateClosed{}},
          WorkerEvent{event::GateOpened{}}, WorkerEvent{event::Error{.code = Errc::status_lost}},
          WorkerEvent{event::AttemptCancelled{}}, WorkerEvent{event::Triggered{}},
          WorkerEvent{event::Paused{}}, WorkerEvent{event::Resumed{}},
          WorkerEvent{event::Terminating{}}, WorkerEvent{event::Stopped{}}})
        decision = fsm.step(each, start + 2ms);
    CHECK(fsm.state() == WorkerState::stopped);
    WorkerFsm<FirstResult> with_policy{ProbeSpec{}, FirstResult{}};
    CHECK(with_policy.health() == Health::failing);
}
