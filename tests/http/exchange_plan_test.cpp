// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <string>
#include <string_view>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/http/exchange_plan.hpp>

using namespace probekit;
using http::ExchangePlan;

TEST_CASE("paths are read as the kubelet reads them") {
    struct Row {
        std::string_view path, target;
    };
    using namespace std::string_view_literals;
    const Row row = GENERATE(values<Row>({
        {"/", "/"},
        {"", "/"},
        {"healthz", "/healthz"},
        {"/a?x=1&y=2", "/a?x=1&y=2"},
        {"?q", "/?q"},
        {"/a?", "/a?"},
        {"/a#f", "/a"},
        {"/a b?c d", "/a%20b?c d"},
        {"//host/p", "/p"},
        {"//host", "/"},
        {"///p", "///p"},
        {"http://other:99/x?y", "/x?y"},
        {"http:/x", "/x"},
        {"x:", "/"},
        {"/../x", "/../x"},
        {"/%2F%41", "/%2F%41"},
        {"*", "/*"},
        {"1:2", "/1:2"},
        {":x", "/:x"},
        {"/%zz?x", "/%25zz%3Fx"}, // not a URL: every byte belongs to the path
        {"/a\nb", "/a%0Ab"},
        {"/a\0b"sv, "/a%00b"},
        {"//h:abc/p", "//h:abc/p"},
        {"//[zz]/p", "//%5Bzz%5D/p"},
        {"/\xc3\xbc"
         "ber",
         "/%C3%BCber"},
    }));
    CAPTURE(row.path);
    const ExchangePlan plan{{.host = "h", .port = 1, .path = std::string{row.path}}};
    CHECK(plan.request().starts_with("GET " + std::string{row.target} +
                                     " HTTP/1.1\r\nHost: h:1\r\n"));
    CHECK(plan.invalid_request() == "");
}

TEST_CASE("the plan knows of an invalid request before anything is sent") {
    const ExchangePlan no_host{{.port = 1, .path = "mailto:x"}};
    CHECK(no_host.invalid_request() == R"(Get "http:x": http: no Host in request URL)");
    CHECK(no_host.invalid_request_is_failure());

    const ExchangePlan control{{.port = 1, .headers = {{"x-a", "\x01"}}}};
    CHECK(control.invalid_request() ==
          R"(Get "http://127.0.0.1:1/": net/http: invalid header field value for "X-A")");
    CHECK(control.invalid_request_is_failure());

    const ExchangePlan agent{{.port = 1}, {.user_agent = "a\r\nb"}};
    CHECK(agent.invalid_request() ==
          R"(Get "http://127.0.0.1:1/": net/http: invalid header field value for "User-Agent")");

    const ExchangePlan bad_host{{.host = "bad host", .port = 1}};
    CHECK(bad_host.invalid_request() ==
          R"(parse "http://bad%20host:1/": invalid URL escape "%20")");
    CHECK_FALSE(bad_host.invalid_request_is_failure());

    const ExchangePlan brackets{{.host = "[::1]", .port = 1}};
    CHECK(brackets.invalid_request() == R"(parse "http://[[::1]]:1/": invalid IP-literal)");
}

TEST_CASE("a literal address is used as given, a name in ASCII form") {
    struct Row {
        std::string_view given, host, header;
    };
    const Row row = GENERATE(values<Row>({
        {"", "127.0.0.1", "127.0.0.1:80"},
        {"::1", "::1", "[::1]:80"},
        {"fe80::1%en0", "fe80::1%en0", "[fe80::1]:80"},
        {"LocalHost", "LocalHost", "LocalHost:80"},
        {"b\xc3\xbc"
         "cher",
         "xn--bcher-kva", "xn--bcher-kva:80"},
    }));
    const ExchangePlan plan{{.host = std::string{row.given}, .port = 80}};
    CHECK(plan.host() == row.host);
    CHECK(plan.request().find("\r\nHost: " + std::string{row.header} + "\r\n") !=
          std::string::npos);
}

TEST_CASE("the plan words the messages of the first request") {
    const ExchangePlan plan{
        {.host = "0:0:0:0:0:0:0:1", .port = 80, .path = "//u:p@h/a?\"x\""}, {}, "::1"};
    ProbeResult result;
    result.outcome = Outcome::failure;
    result.phase = Phase::connect;
    result.cause = std::make_error_code(std::errc::connection_refused);
    CHECK(
        plan.message(result, {}) ==
        R"(Get "http://u:***@[0:0:0:0:0:0:0:1]:80/a?\"x\"": dial tcp [::1]:80: connect: connection refused)");
    result.cause = Errc::timed_out;
    CHECK(
        plan.message(result, {}) ==
        R"(Get "http://u:***@[0:0:0:0:0:0:0:1]:80/a?\"x\"": context deadline exceeded (Client.Timeout exceeded while )"
        "awaiting headers)");
    result.cause = Errc::http_status;
    result.status = 503;
    CHECK(plan.message(result, {}) == "HTTP probe failed with statuscode: 503");
    result.detail = "all there is to say";
    CHECK(plan.message(result, {}) == "all there is to say");
}
