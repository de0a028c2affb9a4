// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/kubernetes/json_expectation.hpp>

#include <chrono>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/http/expectation.hpp>
#include <probekit/http/regex.hpp>
#include <probekit/kubernetes/probe_json.hpp>

using namespace probekit;
using namespace std::chrono_literals;
using http::body;
using http::header;
using http::status_in;
using kubernetes::json_at;
using nlohmann::json;

namespace {

std::string why_not(const http::Expectation& one, std::string_view text) {
    return http::first_mismatch(std::span{&one, 1},
                                {.status = 200, .body = text, .is_whole = true});
}

kubernetes::ReadResult read(const std::string& expect, kubernetes::ReadOptions options = {}) {
    options.field = "p";
    return kubernetes::parse_probe(R"({"httpGet": {"port": 80}, "expect": )" + expect + "}",
                                   options);
}

} // namespace

TEST_CASE("a value is found in JSON by its pointer") {
    struct Row {
        http::TextMatch match;
        std::string text;
        std::string why_not;
    };
    const Row row = GENERATE(values<Row>({
        {json_at("/status", "UP"), R"({"status": "UP"})", ""},
        {json_at("/status", "UP"), R"({"status": "DOWN"})",
         R"(to have "UP" at "/status", got "DOWN")"},
        {json_at("/status", "UP"), R"({"status": {"a": 1}})",
         R"(to have "UP" at "/status", got {"a":1})"},
        {json_at("/status", "UP"), R"({})", R"(to have "UP" at "/status", got no such value)"},
        {json_at("/status", "UP"), R"(<html>)", R"(to have "UP" at "/status", got "<html>")"},
        {json_at("/status", "UP"), "", R"(to have "UP" at "/status", got "")"},
        {json_at("/checks/1/ok", true), R"({"checks": [{"ok": false}, {"ok": true}]})", ""},
        {json_at("/checks/2/ok", true), R"({"checks": []})",
         R"(to have true at "/checks/2/ok", got no such value)"},
        {json_at("/checks/x", true), R"({"checks": []})",
         R"(to have true at "/checks/x", got no such value)"},
        {json_at("/a~1b/~0", 1), R"({"a/b": {"~": 1}})", ""},
        {json_at("/n", 1), R"({"n": 1.0})", ""},
        {json_at("", json::array()), "[]", ""},
        {json_at("/x", nullptr), R"({"x": null})", ""},
        {json_at("/x", nullptr), R"({"y": null})", R"(to have null at "/x", got no such value)"},
    }));
    const std::string expected = row.why_not.empty() ? "" : "expected body " + row.why_not;
    CHECK(why_not(body().satisfies(row.match), row.text) == expected);
}

TEST_CASE("deep JSON is parsed without exhausting the stack") {
    const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
    CHECK(!why_not(body(http::whole_body).satisfies(json_at("/0", 1)), deep).empty());
}

TEST_CASE("a text that is no JSON pointer is a mistake") {
    const std::string pointer = GENERATE("status", "/a~2", "/a~", "#/a");
    const std::vector<http::Expectation> list = {body().satisfies(json_at(pointer, 1))};
    const ConfigErrors errors = http::validate(list);
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].field == "expect[0].match");
}

TEST_CASE("expectations are written as JSON and read back the same") {
    struct Row {
        http::Expectation value;
        std::string json;
    };
    const Row row = GENERATE(values<Row>({
        {status_in({200, {300, 399}}), R"({"status":[200,"300-399"]})"},
        {!header("X-A").is_present(), R"({"not":true,"header":"X-A"})"},
        {header("X-A").equals("b"), R"({"header":"X-A","equals":"b"})"},
        {header("X-A").satisfies(http::regex("^b$")), R"({"header":"X-A","matches":"^b$"})"},
        {body(64).contains("ok"), R"({"body":64,"contains":"ok"})"},
        {body(http::whole_body).satisfies(json_at("/status", "UP")),
         R"({"body":"whole","jsonPointer":"/status","equals":"UP"})"},
        {body().satisfies(json_at("/n", json{{"a", {1, 2}}})),
         R"({"body":10240,"jsonPointer":"/n","equals":{"a":[1,2]}})"},
        {http::latency_at_most(250ms), R"({"latency":"250ms"})"},
        {http::any_of({status_in({404}), !body().contains("x")}),
         R"({"anyOf":[{"status":[404]},{"not":true,"body":10240,"contains":"x"}]})"},
    }));
    const auto read_one = read("[" + row.json + "]");
    INFO((read_one ? "" : read_one.errors[0].message()));
    REQUIRE(read_one);
    CHECK(read_one.settings.options.http.expect == std::vector{row.value});
    CHECK(read_one.ignored.empty());
    const auto written = kubernetes::write_probe(read_one.settings);
    CHECK(written["expect"].dump() == "[" + row.json + "]");
}

TEST_CASE("mistakes in the JSON of expectations are reported with their path") {
    const auto [text, message] = GENERATE(table<std::string, std::string>({
        {"7", R"(p.expect: Invalid value: 7: must be an array)"},
        {"[7]", R"(p.expect[0]: Invalid value: 7: must be an object)"},
        {"[{}]",
         "p.expect[0]: Forbidden: must have exactly one of status, header, body, latency, anyOf"},
        {R"([{"status": [200], "body": 1}])",
         "p.expect[0]: Forbidden: must have exactly one of status, header, body, latency, anyOf"},
        {R"([{"status": []}])", "p.expect[0].status: Forbidden: must not be empty"},
        {R"([{"status": ["2xx"]}])",
         R"(p.expect[0].status[0]: Invalid value: "2xx": must be a status like 200, or a range like "200-299")"},
        {R"([{"status": [200, "200-"]}])",
         R"(p.expect[0].status[1]: Invalid value: "200-": must be a status like 200, or a range like "200-299")"},
        {R"([{"status": [200, "300-200"]}])", "p.expect[0].status[1]: Forbidden: must lie within "
                                              "100 to 999, the first not above the last"},
        {R"([{"header": "X Y"}])",
         "p.expect[0].header: Forbidden: must be a valid HTTP header name"},
        {R"([{"header": "X", "equals": 1}])",
         "p.expect[0].equals: Invalid value: 1: must be a string"},
        {R"([{"header": "X", "matches": "("}])",
         R"x(p.expect[0].match: Forbidden: is no valid regular expression: "(")x"},
        {R"([{"body": "all"}])",
         R"(p.expect[0].body: Invalid value: "all": must be a number of bytes or "whole")"},
        {R"([{"body": 0}])", "p.expect[0].body: Forbidden: must be greater than zero"},
        {R"([{"body": 1, "jsonPointer": "x"}])",
         R"(p.expect[0].match: Forbidden: is no valid JSON pointer: "x")"},
        {R"([{"latency": "0s"}])", "p.expect[0].latency: Forbidden: must be greater than zero"},
        {R"([{"latency": 1}])", "p.expect[0].latency: Invalid value: 1: must be a string"},
        {R"([{"anyOf": [{"latency": "0s"}]}])",
         "p.expect[0].anyOf[0].latency: Forbidden: must be greater than zero"},
    }));
    const auto result = read(text);
    INFO(text);
    REQUIRE(result.errors.size() == 1);
    CHECK(result.errors[0].message() == message);
}

TEST_CASE("unknown fields of expectations are listed, and strict readers know no expectations") {
    CHECK(read(R"([{"header": "X", "is": "y"}])").ignored ==
          std::vector<std::string>{"p.expect[0].is"});
    const auto strict = read(R"([{"status": [200]}])", {.strict = true});
    REQUIRE(strict.errors.size() == 1);
    CHECK(strict.errors[0].message() == "p.expect: unknown field");
    const auto tcp =
        kubernetes::parse_probe(R"({"tcpSocket": {"port": 80}, "expect": [{"status": [200]}]})");
    REQUIRE(tcp.errors.size() == 1);
    CHECK(tcp.errors[0].detail == "Forbidden: may only be set with httpGet");
}

TEST_CASE("nested alternatives have a limit") {
    std::string deep = R"({"status": [200]})";
    for (int i = 0; i != 8; ++i) deep = R"({"anyOf": [)" + deep + "]}";
    CHECK(read("[" + deep + "]"));
    const auto result = read(R"([{"anyOf": [)" + deep + "]}]");
    REQUIRE(result.errors.size() == 1);
    CHECK(result.errors[0].detail == "Forbidden: stands in too many others");
}

TEST_CASE("JSON that is made to take time or stack makes an expectation fail") {
    const http::Expectation up = body(http::whole_body).satisfies(json_at("", "UP"));
    const std::string deep(http::max_body / 8, '[');
    CHECK(why_not(up, deep).starts_with(R"(expected body to have "UP" at "", got "[[[[)"));
    const auto nested = [](std::size_t levels) {
        return std::string(levels, '[') + "\"[\\\"[\"" + std::string(levels, ']');
    };
    CHECK(why_not(up, nested(64)).ends_with("got [...]"));
    CHECK(why_not(up, nested(65)).find(R"(got "[[[[)") != std::string::npos);

    const std::string text = R"({"status":"UP","more":")" + std::string(http::max_body / 4, 'x');
    const http::Expectation at = body(http::whole_body).satisfies(json_at("/status", "UP"));
    CHECK(why_not(at, text + "\"}") ==
          R"(expected body to have "UP" at "/status", gave up after 6291456 steps)");
    CHECK(why_not(at, text.substr(0, http::max_body / 5) + "\"}").empty());
}
