// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/kubelet_text.hpp>

#include <memory>
#include <optional>
#include <string>
#include <system_error>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using namespace std::chrono_literals;
using kubelet::ProbeEvent;

namespace {

/// Counts how often a message is rendered.
struct CountingContext final : detail::MessageContext {
    mutable int rendered = 0;

    std::string message(const ProbeResult&, std::optional<Duration> shown) const override {
        ++rendered;
        return shown ? "after " + go_duration(*shown) : "as it ran";
    }
};

std::optional<ProbeEvent> event_of(ProbeKind kind, const ProbeResult& result,
                                   std::error_code error = {}, bool retried = false) {
    return kubelet::probe_event(
        {.kind = kind, .error = error, .result = result, .retried = retried});
}

ProbeResult with_output(Outcome outcome, std::string output) {
    ProbeResult result;
    result.outcome = outcome;
    result.output = std::move(output);
    return result;
}

const std::error_code io_error = std::make_error_code(std::errc::io_error);

} // namespace

TEST_CASE("An attempt that fails, warns or ends with an error is an event") {
    CHECK(event_of(ProbeKind::liveness, ProbeResult::failure("x")) ==
          ProbeEvent{"Unhealthy", "Liveness probe failed: x"});
    CHECK(event_of(ProbeKind::startup, ProbeResult::failure("")) ==
          ProbeEvent{"Unhealthy", "Startup probe failed: "});
    CHECK(event_of(ProbeKind::readiness, ProbeResult::warning("slow")) ==
          ProbeEvent{"ProbeWarning", "Readiness probe warning: slow"});
    CHECK(event_of(ProbeKind::readiness, with_output(Outcome::unknown, "exec failed"), io_error) ==
          ProbeEvent{"Unhealthy",
                     "Readiness probe errored and resulted in unknown state: exec failed"});
    CHECK(
        event_of(ProbeKind::readiness, with_output(Outcome::failure, "unexpected EOF"), io_error) ==
        ProbeEvent{"Unhealthy",
                   "Readiness probe errored and resulted in failure state: unexpected EOF"});
}

TEST_CASE("Without a message the event has the error's own") {
    CHECK(event_of(ProbeKind::liveness, {}, io_error) ==
          ProbeEvent{"Unhealthy",
                     "Liveness probe errored and resulted in unknown state: input/output error"});
}

TEST_CASE("An attempt that passes, is cancelled or is retried is no event, and makes no text") {
    const auto context = std::make_shared<CountingContext>();
    const auto is_event = [&](Outcome outcome, std::error_code error = {}, bool retried = false) {
        ProbeResult result = with_output(outcome, "x");
        result.target = context;
        return event_of(ProbeKind::liveness, result, error, retried).has_value();
    };
    CHECK_FALSE(is_event(Outcome::success));
    CHECK_FALSE(is_event(Outcome::unknown));
    CHECK_FALSE(is_event(Outcome::unknown, std::make_error_code(std::errc::operation_canceled)));
    CHECK_FALSE(is_event(Outcome::unknown, io_error, true));
    CHECK(context->rendered == 0);
    CHECK(is_event(Outcome::unknown, io_error));
    CHECK(context->rendered == 1);
}

TEST_CASE("An event may name another timeout than the one that ran") {
    ProbeResult result = ProbeResult::failure(Errc::timed_out);
    result.target = std::make_shared<CountingContext>();
    const AttemptEnded attempt{.kind = ProbeKind::startup, .result = result};
    CHECK(kubelet::probe_event(attempt)->message == "Startup probe failed: as it ran");
    CHECK(kubelet::probe_event(attempt, 80s)->message == "Startup probe failed: after 1m20s");
}

TEST_CASE("A command that could not be started is an error of the container runtime") {
    ProbeResult result = with_output(Outcome::unknown, "fork/exec /x: permission denied");
    result.phase = Phase::spawn;
    CHECK(kubelet::result_text(result) ==
          result.output); // no cause: it is not known to have failed
    result.cause = std::make_error_code(std::errc::permission_denied);
    CHECK(result.message() == result.output);
    CHECK(kubelet::result_text(result) ==
          "rpc error: code = Unknown desc = failed to exec in container: " + result.output);
    result.cause = Errc::timed_out;
    CHECK(kubelet::result_text(result) == result.output);
    result.cause = std::make_error_code(std::errc::permission_denied);
    result.phase = Phase::run;
    CHECK(kubelet::result_text(result) == result.output);
}

TEST_CASE("A container that cannot be started is reported in the words of its runtime") {
    const auto text = [](const std::string& program, std::errc why) {
        return kubelet::start_error_text(program, std::make_error_code(why));
    };
    CHECK(text("foo", std::errc::no_such_file_or_directory) ==
          R"(exec: "foo": executable file not found in $PATH)");
    CHECK(text("foo", std::errc::permission_denied) ==
          R"(exec: "foo": executable file not found in $PATH)");
    CHECK(text("foo", std::errc::argument_list_too_long) ==
          R"(exec: "foo": argument list too long)");
    CHECK(text("/a \"b\"", std::errc::no_such_file_or_directory) ==
          R"(exec: "/a \"b\"": stat /a "b": no such file or directory)");
    CHECK(text("./foo", std::errc::permission_denied) == R"(exec: "./foo": permission denied)");
    CHECK(kubelet::working_directory_error_text(
              "/no/where", std::make_error_code(std::errc::no_such_file_or_directory)) ==
          R"(chdir to cwd ("/no/where") failed: no such file or directory)");
}

TEST_CASE("Back-off is written as a duration of Go") {
    CHECK(kubelet::back_off_text(10s) == "back-off 10s");
    CHECK(kubelet::back_off_text(80s) == "back-off 1m20s");
    CHECK(kubelet::back_off_text(300s) == "back-off 5m0s");
}
