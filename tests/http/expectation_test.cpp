// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/http/expectation.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/http/exchange_fsm.hpp>
#include <probekit/http/regex.hpp>

using namespace probekit;
using namespace std::chrono_literals;
using http::body;
using http::Expectation;
using http::header;
using http::Response;
using http::status_in;
using Step = http::ExchangeFsm::Step;

namespace {

const std::vector<HttpHeader> headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}};

Response response(std::string_view text = "all is well\n") {
    return {.status = 204, .headers = headers, .body = text, .is_whole = true, .elapsed = 150ms};
}

std::string why_not(const Expectation& expectation, const Response& given = response()) {
    return http::first_mismatch(std::span{&expectation, 1}, given);
}

class IsLong final : public http::Matcher {
public:
    [[nodiscard]] bool matches(std::string_view text) const override { return text.size() > 100; }
    [[nodiscard]] std::string found_in(std::string_view text) const override {
        return std::to_string(text.size()) + " bytes";
    }
};

/// An exchange whose response comes byte by byte, until the stream ends.
struct Attempt {
    Attempt(HttpOptions options, const std::string& bytes, HttpGetAction action = {.port = 80})
        : plan(action, options) {
        http::ExchangeFsm fsm{plan, result};
        REQUIRE(fsm.start() == Step::connect);
        REQUIRE(fsm.connected() == Step::send);
        Step step = fsm.sent();
        result.times[0] = 300ms;
        for (; taken != bytes.size() && step == Step::receive; ++taken)
            step = fsm.received(std::string_view{bytes}.substr(taken, 1));
        if (step == Step::receive) step = fsm.ended();
        REQUIRE(step == Step::done);
        error = fsm.error();
    }

    http::ExchangePlan plan;
    ProbeResult result;
    std::error_code error;
    std::size_t taken = 0; ///< how many bytes it took to be done
};

std::string ok(const std::string& text, const std::string& more = {}) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) + "\r\n" + more +
           "\r\n" + text;
}

} // namespace

TEST_CASE("an expectation holds, or says what the response has instead") {
    struct Row {
        Expectation expectation;
        std::string why_not;
    };
    const Row row = GENERATE(values<Row>({
        {status_in({204}), ""},
        {status_in({200, {201, 299}}), ""},
        {status_in({200, {300, 399}}), "expected status in 200, 300-399, got 204"},
        {!status_in({{200, 299}}), "expected not status in 200-299, got 204"},
        {header("content-TYPE").is_present(), ""},
        {header("X-Empty").is_present(), ""},
        {header("X-Other").is_present(), "expected header X-Other to be present, got none"},
        {!header("X-Other").is_present(), ""},
        {!header("X-Empty").is_present(), R"(expected not header X-Empty to be present, got "")"},
        {header("Content-Type").equals("application/json"), ""},
        {header("Content-Type").equals("json"),
         R"(expected header Content-Type to equal "json", got "application/json")"},
        {header("Content-Type").contains("json"), ""},
        {header("X-Other").contains(""), R"(expected header X-Other to contain "", got none)"},
        {header("Content-Type").satisfies(http::regex("^application/(json|xml)$")), ""},
        {header("Content-Type").satisfies(http::regex("^json")),
         R"(expected header Content-Type to match "^json", got "application/json")"},
        {body().contains("well"), ""},
        {body(5).contains("well"), R"(expected body to contain "well", got "all i")"},
        {!body().contains("well"), R"(expected not body to contain "well", got "all is well\n")"},
        {body().equals("all is well\n"), ""},
        {body(http::whole_body).satisfies(http::regex("^all [a-z ]+\\n$")), ""},
        {body().satisfies(http::matching("to be long", std::make_shared<IsLong>())),
         "expected body to be long, got 12 bytes"},
        {http::latency_at_most(150ms), ""},
        {http::latency_at_most(149ms), "expected latency at most 149ms, got 150ms"},
        {http::any_of({status_in({500}), body().contains("well")}), ""},
        {http::any_of({status_in({500}), body().contains("ill")}),
         R"(expected any of: status in 500; body to contain "ill", got 204; "all is well\n")"},
        {!http::any_of({status_in({204}), body().contains("ill")}),
         R"(expected not any of: status in 204; body to contain "ill", got 204; "all is well\n")"},
    }));
    CHECK(why_not(row.expectation) == row.why_not);
    CHECK(why_not(!row.expectation).empty() == !row.why_not.empty());
    CHECK((!!row.expectation) == row.expectation);
    CHECK(http::validate(std::span{&row.expectation, 1}).empty());
}

TEST_CASE("the first expectation that does not hold is reported") {
    const std::vector<Expectation> list = {status_in({204}), body().contains("x"),
                                           header("Y").is_present()};
    CHECK(http::first_mismatch(list, response()).starts_with("expected body "));
    CHECK(http::first_mismatch({}, response()).empty());
}

TEST_CASE("a message quotes the beginning of a long text") {
    const std::string why = why_not(body().equals("short"), response(std::string(5000, 'x')));
    CHECK(why == "expected body to equal \"short\", got \"" + std::string(100, 'x') + "\"...");
}

TEST_CASE("an expectation about a whole body does not accept a part of it") {
    Response truncated = response("ok");
    truncated.is_whole = false;
    CHECK(why_not(body(http::whole_body).contains("ok"), truncated) ==
          R"(expected body to contain "ok", got more than 1048576 bytes)");
    CHECK(!why_not(!body(http::whole_body).contains("no"), truncated).empty());
    CHECK(why_not(body(2).contains("ok"), truncated).empty());
}

TEST_CASE("a regular expression does not overflow the stack on a long body") {
    const std::string text(1'000'000, 'a');
    CHECK(
        why_not(body(http::whole_body).satisfies(http::regex("^(a|b)*$")), response(text)).empty());
    CHECK(!why_not(body(http::whole_body).satisfies(http::regex("(a*)*c")),
                   response(text.substr(0, 2000)))
               .empty());
}

TEST_CASE("invalid expectations are reported with their field") {
    struct Row {
        Expectation expectation;
        std::string field;
    };
    const Row row = GENERATE(values<Row>({
        {status_in({}), "expect[1].statuses"},
        {status_in({200, {300, 299}}), "expect[1].statuses[1]"},
        {status_in({99}), "expect[1].statuses[0]"},
        {status_in({{200, 1000}}), "expect[1].statuses[0]"},
        {header("").is_present(), "expect[1].header"},
        {header("X Y").is_present(), "expect[1].header"},
        {header("X").satisfies(http::regex("(")), "expect[1].match"},
        {body().satisfies(http::matching("to be", nullptr)), "expect[1].match"},
        {body(0).contains("x"), "expect[1].body_bytes"},
        {body(http::max_body + 1).contains("x"), "expect[1].body_bytes"},
        {http::latency_at_most(0ms), "expect[1].at_most"},
        {http::any_of({}), "expect[1].alternatives"},
        {http::any_of({status_in({200}), header("\r").is_present()}),
         "expect[1].alternatives[1].header"},
    }));
    const std::vector<Expectation> list = {status_in({200}), row.expectation};
    const ConfigErrors errors = http::validate(list);
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].field == row.field);
    CHECK_FALSE(errors[0].detail.empty());
}

TEST_CASE("an exchange is judged by its expectations") {
    struct Row {
        std::vector<Expectation> expect;
        std::string response;
        Outcome outcome;
        std::string message;
    };
    const std::string moved = "HTTP/1.1 300 X\r\nContent-Length: 2\r\n\r\nhi";
    const std::string missing = "HTTP/1.1 404 X\r\nContent-Length: 2\r\n\r\nno";
    const Row rows[] = {
        {{status_in({404})}, missing, Outcome::success, ""},
        {{!status_in({{500, 599}})}, missing, Outcome::success, ""},
        {{status_in({{200, 399}})}, moved, Outcome::success, ""},
        {{status_in({200})},
         missing,
         Outcome::failure,
         "HTTP probe failed: expected status in 200, got 404"},
        {{body().contains("hi")},
         moved,
         Outcome::warning,
         "Probe terminated redirects, Response body: hi"},
        {{body().contains("no")},
         missing,
         Outcome::failure,
         "HTTP probe failed with statuscode: 404"},
        {{body().contains("up")}, ok("it is up"), Outcome::success, ""},
        {{body().contains("up")},
         ok("it is down"),
         Outcome::failure,
         R"(HTTP probe failed: expected body to contain "up", got "it is down")"},
        {{header("x-a").equals("1, 2")}, ok("", "X-A: 1\r\nx-a: 2\r\n"), Outcome::success, ""},
        {{header("X-A").is_present()},
         ok(""),
         Outcome::failure,
         "HTTP probe failed: expected header X-A to be present, got none"},
        {{header("X-A").equals("final")},
         "HTTP/1.1 103 X\r\nX-A: interim\r\n\r\n" + ok("", "X-A: final\r\n"),
         Outcome::success,
         ""},
        {{http::latency_at_most(300ms)}, ok(""), Outcome::success, ""},
        {{http::latency_at_most(299ms)},
         ok(""),
         Outcome::failure,
         "HTTP probe failed: expected latency at most 299ms, got 300ms"},
    };
    for (const Row& row : rows) {
        const Attempt attempt{{.expect = row.expect}, row.response};
        CHECK_FALSE(attempt.error);
        CHECK(attempt.result.outcome == row.outcome);
        CHECK(attempt.plan.message(attempt.result, {}) == row.message);
        CHECK(attempt.result.phase == Phase::finish);
        if (row.outcome == Outcome::success) CHECK(attempt.result.output.empty());
        if (row.outcome == Outcome::success) CHECK_FALSE(attempt.result.cause);
        if (row.message.starts_with("HTTP probe failed:"))
            CHECK(attempt.result.cause == Errc::unexpected_response);
    }
}

TEST_CASE("as much of the body is read as options and expectations need") {
    const std::string text(50'000, 'x');
    const std::string bytes = ok(text);
    const std::size_t head = bytes.size() - text.size();
    struct Row {
        std::size_t body_limit;
        std::vector<Expectation> expect;
        std::size_t read;
    };
    const Row rows[] = {
        {0, {status_in({200})}, 0},
        {0, {header("X").equals("y")}, 0},
        {100, {status_in({200})}, 100},
        {0, {body(200).contains("x")}, 200},
        {300, {body(200).contains("x")}, 300},
        {0, {body(200).contains("x"), http::any_of({body(400).contains("x")})}, 400},
        {0, {body(http::whole_body).contains("x")}, text.size()},
    };
    for (const Row& row : rows) {
        const Attempt attempt{{.body_limit = row.body_limit, .expect = row.expect}, bytes};
        CHECK(attempt.taken == head + row.read);
        CHECK(attempt.result.output_bytes == row.read);
    }
    // No more is kept than body_limit, however much was read.
    const Attempt kept{{.body_limit = 10, .keep_output = true, .expect = {body(200).contains("x")}},
                       bytes};
    CHECK(kept.result.output == std::string(10, 'x'));
    const Attempt failed{{.body_limit = 10, .expect = {body(200).contains("y")}}, bytes};
    CHECK(failed.result.output == std::string(10, 'x'));
}

TEST_CASE("an incomplete body is not judged") {
    const Attempt attempt{{.body_limit = 0, .expect = {body(http::whole_body).contains("x")}},
                          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nxx"};
    CHECK(attempt.error == Errc::incomplete_body);
}

TEST_CASE("a whole body may be as long as the most that is kept") {
    const std::size_t more = GENERATE(0u, 1u);
    const Attempt attempt{{.expect = {body(http::whole_body).contains("x")}},
                          ok(std::string(http::max_body + more, 'x'))};
    CHECK((attempt.result.outcome == Outcome::success) == (more == 0));
}

TEST_CASE("expectations are about the last response, not about redirects that are followed") {
    http::ExchangePlan plan{HttpGetAction{.port = 80},
                            HttpOptions{.expect = {status_in({200}), !header("X-A").is_present()}}};
    ProbeResult result;
    http::ExchangeFsm fsm{plan, result};
    REQUIRE(fsm.start() == Step::connect);
    REQUIRE(fsm.connected() == Step::send);
    REQUIRE(fsm.sent() == Step::receive);
    REQUIRE(fsm.received("HTTP/1.1 302 X\r\nX-A: 1\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n") ==
            Step::connect);
    REQUIRE(fsm.connected() == Step::send);
    REQUIRE(fsm.sent() == Step::receive);
    REQUIRE(fsm.received(ok("")) == Step::done);
    CHECK(result.outcome == Outcome::success);
}
