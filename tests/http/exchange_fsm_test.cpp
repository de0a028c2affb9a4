// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/http/exchange_fsm.hpp>

using namespace probekit;
using http::ExchangeFsm;
using http::ExchangePlan;
using Step = ExchangeFsm::Step;

namespace {

/// An exchange whose first request has been sent.
struct Exchange {
    explicit Exchange(HttpGetAction action = {.port = 80}, const HttpOptions& options = {},
                      bool has_tls = false)
        : plan(std::make_shared<const ExchangePlan>(action, options, "", has_tls)),
          fsm(*plan, result) {
        result.target = plan;
        REQUIRE(fsm.start() == Step::connect);
        send();
    }

    void send() {
        REQUIRE(result.phase == Phase::connect);
        if (fsm.scheme() == HttpScheme::https) {
            REQUIRE(fsm.connected() == Step::handshake);
            REQUIRE(result.phase == Phase::handshake);
            REQUIRE(fsm.secured() == Step::send);
        } else {
            REQUIRE(fsm.connected() == Step::send);
        }
        REQUIRE(result.phase == Phase::request);
        REQUIRE(fsm.sent() == Step::receive);
        REQUIRE(result.phase == Phase::response);
    }

    std::shared_ptr<const ExchangePlan> plan;
    ProbeResult result;
    ExchangeFsm fsm;
};

std::error_code system_error(std::errc code) { return std::make_error_code(code); }

constexpr std::string_view ends = "127.0.0.1:5->127.0.0.1:80";

} // namespace

static_assert(sizeof(ExchangeFsm) <= 200);

TEST_CASE("a response is judged by its status") {
    struct Row {
        int status;
        Outcome outcome;
        std::string_view message;
    };
    const Row row = GENERATE(values<Row>({
        {200, Outcome::success, "body"},
        {299, Outcome::success, "body"},
        {300, Outcome::warning, "Probe terminated redirects, Response body: body"},
        {399, Outcome::warning, "Probe terminated redirects, Response body: body"},
        {199 + 300, Outcome::failure, "HTTP probe failed with statuscode: 499"},
        {400, Outcome::failure, "HTTP probe failed with statuscode: 400"},
        {600, Outcome::failure, "HTTP probe failed with statuscode: 600"},
        {0, Outcome::failure, "HTTP probe failed with statuscode: 0"},
    }));
    Exchange exchange{{.port = 80}, {.keep_output = true}};
    const std::string code = std::to_string(1000 + row.status).substr(1);
    CHECK(exchange.fsm.received("HTTP/1.1 " + code + " X\r\nContent-Length: 4\r\n\r\nbody") ==
          Step::done);
    CHECK(exchange.result.outcome == row.outcome);
    CHECK(exchange.result.status == row.status);
    CHECK(exchange.result.phase == Phase::finish);
    CHECK(exchange.result.output == "body");
    CHECK(exchange.result.output_bytes == 4);
    CHECK(exchange.result.message() == row.message);
    CHECK_FALSE(exchange.fsm.error());
    CHECK((exchange.result.cause == Errc::http_status) == (row.outcome == Outcome::failure));
}

TEST_CASE("101 is judged as soon as its head is there: what follows is no HTTP") {
    const std::string more = GENERATE("", "Connection: Upgrade\r\nUpgrade: websocket\r\n",
                                      "Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n");
    const std::string head = "HTTP/1.1 101 Switching Protocols\r\n" + more + "\r\n";
    const std::string frames = GENERATE("", "\x81\x05hello");
    Exchange exchange{{.port = 80}, {.keep_output = true}};
    CHECK(exchange.fsm.received(head + frames) == Step::done);
    CHECK(exchange.result.outcome == Outcome::failure);
    CHECK(exchange.result.cause == Errc::http_status);
    CHECK(exchange.result.status == 101);
    CHECK(exchange.result.message() == "HTTP probe failed with statuscode: 101");
    CHECK(exchange.fsm.closes_gracefully());
    Exchange wanted{{.port = 80}, {.expect = {http::status_in({101})}}};
    CHECK(wanted.fsm.received(head + frames) == Step::done);
    CHECK(wanted.result.outcome == Outcome::success);
}

TEST_CASE("HEAD is judged by the head alone, and stays HEAD in redirects") {
    const HttpOptions head{.method = HttpMethod::head};
    const std::string framing =
        GENERATE("", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n");
    const auto answer = [&](const std::string& status) {
        return "HTTP/1.1 " + status + " X\r\n" + framing;
    };
    SECTION("a success") {
        Exchange exchange{{.port = 80, .path = "/x"}, head};
        CHECK(exchange.fsm.request().starts_with("HEAD /x HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"));
        CHECK(exchange.fsm.received(answer("200") + "\r\n") == Step::done);
        CHECK(exchange.result.outcome == Outcome::success);
        CHECK(exchange.result.output_bytes == 0);
        CHECK(exchange.fsm.closes_gracefully());
    }
    SECTION("a server that sends a body all the same") {
        Exchange exchange{{.port = 80}, head};
        CHECK(exchange.fsm.received(answer("503") + "\r\nhello") == Step::done);
        CHECK(exchange.result.message() == "HTTP probe failed with statuscode: 503");
        CHECK(exchange.result.output.empty());
    }
    SECTION("a redirect") {
        Exchange exchange{{.port = 80}, head};
        CHECK(exchange.fsm.received(answer("302") + "Location: /y\r\n\r\n") == Step::connect);
        CHECK(exchange.fsm.request().starts_with("HEAD /y HTTP/1.1\r\n"));
        exchange.send();
        CHECK(exchange.fsm.ended() == Step::done);
        CHECK(exchange.result.message() == "Head \"http://127.0.0.1:80/y\": EOF");
    }
    SECTION("lengths that contradict each other are malformed all the same") {
        Exchange exchange{{.port = 80}, head};
        CHECK(exchange.fsm.received("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
                                    "Content-Length: 2\r\n\r\n") == Step::done);
        CHECK(exchange.result.cause == Errc::malformed_response);
    }
    SECTION("no connection") {
        const ExchangePlan plan{{.host = "h", .port = 80}, head};
        ProbeResult result;
        ExchangeFsm fsm{plan, result};
        CHECK(fsm.start() == Step::connect);
        CHECK(fsm.connect_failed(Phase::connect, system_error(std::errc::connection_refused)) ==
              Step::done);
        CHECK(plan.message(result, std::nullopt) ==
              "Head \"http://h:80/\": dial tcp h:80: connect: connection refused");
    }
}

TEST_CASE("connecting fails") {
    struct Row {
        Phase phase;
        std::error_code code;
        std::string_view message;
    };
    const Row row = GENERATE(values<Row>({
        {Phase::connect, system_error(std::errc::connection_refused),
         R"(Get "http://h:80/": dial tcp h:80: connect: connection refused)"},
        {Phase::resolve, make_error_code(Errc::no_such_host),
         R"(Get "http://h:80/": dial tcp: lookup h: no such host)"},
        {Phase::connect, make_error_code(Errc::timed_out),
         R"(Get "http://h:80/": context deadline exceeded (Client.Timeout exceeded while awaiting headers))"},
    }));
    const auto plan = std::make_shared<const ExchangePlan>(HttpGetAction{.host = "h", .port = 80});
    ProbeResult result;
    result.target = plan;
    ExchangeFsm fsm{*plan, result};
    CHECK(fsm.start() == Step::connect);
    CHECK(fsm.connect_failed(row.phase, row.code) == Step::done);
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.phase == row.phase);
    CHECK(result.cause == row.code);
    CHECK(result.status == -1);
    CHECK_FALSE(fsm.error());
    CHECK(result.message() == row.message);
}

TEST_CASE("a message names the address that a host name resolved to") {
    const auto plan = std::make_shared<const ExchangePlan>(HttpGetAction{.host = "h", .port = 80});
    ProbeResult result;
    result.target = plan;
    ExchangeFsm fsm{*plan, result};
    CHECK(fsm.start() == Step::connect);
    CHECK(fsm.connect_failed(Phase::connect, system_error(std::errc::connection_refused),
                             "[::1]:80") == Step::done);
    CHECK(result.message() ==
          R"(Get "http://h:80/": dial tcp [::1]:80: connect: connection refused)");
}

TEST_CASE("a fault of the prober's own machine is a prober error") {
    Exchange exchange;
    CHECK(exchange.fsm.socket_failed(system_error(std::errc::no_buffer_space), ends) == Step::done);
    CHECK(exchange.fsm.error() == std::errc::no_buffer_space);
    CHECK(exchange.result.outcome == Outcome::unknown);

    const ExchangePlan plan{{.port = 80}};
    ProbeResult result;
    ExchangeFsm fsm{plan, result};
    CHECK(fsm.start() == Step::connect);
    CHECK(fsm.connect_failed(Phase::connect, system_error(std::errc::too_many_files_open)) ==
          Step::done);
    CHECK(fsm.error() == std::errc::too_many_files_open);
    CHECK(result.outcome == Outcome::unknown);
    CHECK(plan.message(result, {}) ==
          R"(Get "http://127.0.0.1:80/": dial tcp 127.0.0.1:80: socket: too many open files)");
}

TEST_CASE("an invalid request ends the exchange at once") {
    const ExchangePlan bad{{.host = "bad host", .port = 80}};
    ProbeResult result;
    ExchangeFsm fsm{bad, result};
    CHECK(fsm.start() == Step::done);
    CHECK(fsm.error() == std::errc::invalid_argument);
    CHECK(result.outcome == Outcome::unknown);
    CHECK(result.phase == Phase::request);
    CHECK(bad.message(result, {}) == R"(parse "http://bad%20host:80/": invalid URL escape "%20")");

    const ExchangePlan nowhere{{.port = 80, .path = "mailto:x"}};
    ProbeResult failed;
    ExchangeFsm other{nowhere, failed};
    CHECK(other.start() == Step::done);
    CHECK_FALSE(other.error());
    CHECK(failed.outcome == Outcome::failure);
}

TEST_CASE("a connection that breaks before the head is complete is a failure") {
    Exchange exchange;
    const std::string get = R"(Get "http://127.0.0.1:80/": )";
    const std::string decorated = get + "net/http: HTTP/1.x transport connection broken: ";
    const std::error_code reset = system_error(std::errc::connection_reset);

    SECTION("closed before the first byte") {
        CHECK(exchange.fsm.ended() == Step::done);
        CHECK(exchange.result.cause == Errc::malformed_response);
        CHECK(exchange.result.message() == get + "EOF");
    }
    SECTION("reset before the first byte") {
        CHECK(exchange.fsm.socket_failed(reset, ends) == Step::done);
        CHECK(exchange.result.cause == std::errc::connection_reset);
        CHECK(exchange.result.message() ==
              get + "read tcp 127.0.0.1:5->127.0.0.1:80: read: connection reset by peer");
    }
    SECTION("closed within the head") {
        CHECK(exchange.fsm.received("HTTP/1.1 200 OK\r\n") == Step::receive);
        CHECK(exchange.fsm.ended() == Step::done);
        CHECK(exchange.result.cause == Errc::malformed_response);
        CHECK(exchange.result.message() == decorated + "unexpected EOF");
    }
    SECTION("reset within the head: judged as if closed") {
        CHECK(exchange.fsm.received("HTTP/1.1 200 OK\r\nConte") == Step::receive);
        CHECK(exchange.fsm.socket_failed(reset, ends) == Step::done);
        CHECK(exchange.result.cause == Errc::malformed_response);
        CHECK(exchange.result.message() ==
              decorated + R"(malformed MIME header: missing colon: "Conte")");
    }
    SECTION("reset between heads") {
        CHECK(exchange.fsm.received("HTTP/1.1 100 Continue\r\n\r\n") == Step::receive);
        CHECK(exchange.fsm.socket_failed(reset, ends) == Step::done);
        CHECK(exchange.result.cause == std::errc::connection_reset);
        CHECK(exchange.result.message() ==
              decorated + "read tcp 127.0.0.1:5->127.0.0.1:80: read: connection reset by peer");
    }
    SECTION("not HTTP") {
        CHECK(exchange.fsm.received("hello world\r\n") == Step::done);
        CHECK(exchange.result.cause == Errc::malformed_response);
        CHECK(exchange.result.message() == decorated + R"(malformed HTTP status code "world")");
    }
    SECTION("timed out") {
        CHECK(exchange.fsm.received("HTTP/1.1 200 OK\r\n") == Step::receive);
        CHECK(exchange.fsm.timed_out() == Step::done);
        CHECK(exchange.result.cause == Errc::timed_out);
        CHECK(exchange.result.detail == "");
        CHECK(exchange.result.message() ==
              get + "context deadline exceeded (Client.Timeout exceeded while awaiting headers)");
    }
    CHECK(exchange.result.outcome == Outcome::failure);
    CHECK(exchange.result.phase == Phase::response);
    CHECK_FALSE(exchange.fsm.error());
}

TEST_CASE("a request that cannot be sent is a failure") {
    const auto plan = std::make_shared<const ExchangePlan>(HttpGetAction{.port = 80});
    ProbeResult result;
    result.target = plan;
    ExchangeFsm fsm{*plan, result};
    CHECK(fsm.start() == Step::connect);
    CHECK(fsm.connected() == Step::send);
    CHECK(fsm.socket_failed(system_error(std::errc::broken_pipe), ends) == Step::done);
    CHECK(result.phase == Phase::request);
    CHECK(result.message() ==
          R"(Get "http://127.0.0.1:80/": write tcp 127.0.0.1:5->127.0.0.1:80: write: broken pipe)");
}

TEST_CASE("an incomplete body is a prober error, whatever the status") {
    const std::string_view status = GENERATE("200", "302", "500");
    Exchange exchange;
    CHECK(exchange.fsm.received("HTTP/1.1 " + std::string{status} +
                                " X\r\nContent-Length: 9\r\n\r\nab") == Step::receive);
    CHECK(exchange.result.phase == Phase::body);
    std::string message;
    SECTION("ended") {
        CHECK(exchange.fsm.ended() == Step::done);
        message = "unexpected EOF";
    }
    SECTION("reset") {
        CHECK(exchange.fsm.socket_failed(system_error(std::errc::connection_reset), ends) ==
              Step::done);
        message = "read tcp 127.0.0.1:5->127.0.0.1:80: read: connection reset by peer";
    }
    SECTION("timed out") {
        CHECK(exchange.fsm.timed_out() == Step::done);
        message =
            "context deadline exceeded (Client.Timeout or context cancellation while reading body)";
    }
    CHECK(exchange.fsm.error() == Errc::incomplete_body);
    CHECK(exchange.result.outcome == Outcome::failure);
    CHECK(exchange.result.cause == Errc::incomplete_body);
    CHECK(exchange.result.phase == Phase::body);
    CHECK(exchange.result.message() == message);
}

TEST_CASE("malformed chunks are a prober error") {
    Exchange exchange;
    CHECK(exchange.fsm.received("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") ==
          Step::done);
    CHECK(exchange.fsm.error() == Errc::incomplete_body);
    CHECK(exchange.result.message() == "invalid byte in chunk length");
}

TEST_CASE("no more of a body is read than the limit") {
    const std::size_t limit = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{5});
    const std::string_view framing =
        GENERATE("Content-Length: 20\r\n\r\n", "\r\n", "Transfer-Encoding: chunked\r\n\r\n9\r\n");
    Exchange exchange{{.port = 80}, {.body_limit = limit, .keep_output = true}};
    const std::string head = "HTTP/1.1 200 OK\r\n" + std::string{framing};
    if (limit == 0) {
        CHECK(exchange.fsm.received(head) == Step::done);
    } else {
        const std::string body = "0123456";
        CHECK(exchange.fsm.received(head + body.substr(0, limit - 1)) == Step::receive);
        CHECK(exchange.fsm.received(body.substr(limit - 1)) == Step::done);
    }
    CHECK(exchange.result.outcome == Outcome::success);
    CHECK(exchange.result.output == std::string{"0123456"}.substr(0, limit));
    CHECK(exchange.result.output_bytes == limit);
}

TEST_CASE("a body is kept if the probe fails, or if the options say so") {
    const bool keep = GENERATE(false, true);
    Exchange passed{{.port = 80}, {.keep_output = keep}};
    CHECK(passed.fsm.received("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood") == Step::done);
    CHECK(passed.result.output == (keep ? "good" : ""));
    CHECK(passed.result.output_bytes == 4);
    Exchange failed{{.port = 80}, {.keep_output = keep}};
    CHECK(failed.fsm.received("HTTP/1.1 500 X\r\nContent-Length: 3\r\n\r\nbad") == Step::done);
    CHECK(failed.result.output == "bad");
}

TEST_CASE("memory for a body is not allocated by its announced length") {
    Exchange exchange;
    CHECK(exchange.fsm.received("HTTP/1.1 500 X\r\nContent-Length: 9000000000000000000\r\n\r\nx") ==
          Step::receive);
    CHECK(exchange.result.output.capacity() <= 10'240);
}

TEST_CASE("a redirect within the host is followed") {
    struct Row {
        std::string_view location;
        std::string_view target;
        std::string_view host = "127.0.0.1:80";
        std::uint16_t port = 80;
    };
    const Row row = GENERATE(values<Row>({
        {"/b?x#f", "/b?x"},
        {"b", "/d/b"},
        {"../c", "/c"},
        {"?x", "/d/a?x"},
        {"#f", "/d/a?q"},
        {"//127.0.0.1:81/s", "/s", "127.0.0.1:81", 81},
        {"http://127.0.0.1/s", "/s", "127.0.0.1", 80},
        {"HTTP://127.0.0.1:0081", "/", "127.0.0.1:0081", 81},
        {"/b c|\xe9", "/b%20c%7C%E9"},
    }));
    const int status = GENERATE(301, 302, 303, 307, 308);
    CAPTURE(row.location);
    Exchange exchange{{.port = 80, .path = "/d/a?q"}, {.user_agent = "ua"}};
    const std::string head =
        "HTTP/1.1 " + std::to_string(status) + " X\r\nlocation:" + std::string{row.location};
    CHECK(exchange.fsm.received(head + "\r\nContent-Length: 3\r\n\r\nby") == Step::receive);
    CHECK(exchange.fsm.received("e") == Step::connect);
    CHECK(exchange.fsm.port() == row.port);
    CHECK(exchange.fsm.scheme() == HttpScheme::http);
    CHECK(exchange.fsm.request() ==
          "GET " + std::string{row.target} + " HTTP/1.1\r\nHost: " + std::string{row.host} +
              "\r\nUser-Agent: ua\r\nAccept: */*\r\nReferer: http://127.0.0.1:80/d/a?q\r\n"
              "Connection: close\r\n\r\n");
    exchange.send();
    CHECK(exchange.fsm.received("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") == Step::done);
    CHECK(exchange.result.outcome == Outcome::success);
    CHECK(exchange.result.output_bytes == 0);
}

TEST_CASE("other redirects are the response") {
    struct Row {
        int status;
        std::string_view headers;
    };
    const Row row = GENERATE(values<Row>({
        {302, "Location: http://127.0.0.2/\r\n"},
        {302, "Location: //example.com/\r\n"},
        {302, "Location: http://127.0.0.1./\r\n"},
        {302, "Location: mailto:x\r\n"},
        {302, "Location: http:/b\r\n"},
        {302, "Location:\r\nLocation: /b\r\n"},
        {302, "Location : /b\r\n"},
        {302, ""},
        {300, "Location: /b\r\n"},
        {304, "Location: /b\r\n"},
        {305, "Location: /b\r\n"},
    }));
    CAPTURE(row.status, row.headers);
    Exchange exchange;
    CHECK(exchange.fsm.received("HTTP/1.1 " + std::to_string(row.status) + " X\r\n" +
                                std::string{row.headers} + "Content-Length: 3\r\n\r\nbye") ==
          Step::done);
    CHECK(exchange.result.outcome == Outcome::warning);
    CHECK(exchange.result.status == row.status);
    CHECK(exchange.result.message() == (row.status == 304
                                            ? "Probe terminated redirects, Response body: "
                                            : "Probe terminated redirects, Response body: bye"));
}

TEST_CASE("redirects are not followed if the options say so") {
    Exchange exchange{{.port = 80}, {.redirects = Redirects::none}};
    CHECK(exchange.fsm.received("HTTP/1.1 302 X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n") ==
          Step::done);
    CHECK(exchange.result.outcome == Outcome::warning);
}

TEST_CASE("a redirect that cannot be followed is a failure") {
    struct Row {
        std::string_view location, message;
    };
    const Row row = GENERATE(values<Row>({
        {"http://[::1",
         R"(Get "http://127.0.0.1:80/": failed to parse Location header "http://[::1": )"
         R"(parse "http://[::1": missing ']' in host)"},
        {"/%zz", R"(Get "http://127.0.0.1:80/": failed to parse Location header "/%zz": )"
                 R"(parse "/%zz": invalid URL escape "%zz")"},
        {"ftp://127.0.0.1/", R"(Get "ftp://127.0.0.1/": unsupported protocol scheme "ftp")"},
        {"https://127.0.0.1/", R"(Get "https://127.0.0.1/": unsupported protocol scheme "https")"},
        {"http://127.0.0.1:65536/",
         R"(Get "http://127.0.0.1:65536/": dial tcp: address 65536: invalid port)"},
        {"http://127.0.0.1:99999999999999999999/",
         R"(Get "http://127.0.0.1:99999999999999999999/": dial tcp: address 99999999999999999999: invalid port)"},
    }));
    Exchange exchange;
    CHECK(exchange.fsm.received("HTTP/1.1 302 X\r\nLocation: " + std::string{row.location} +
                                "\r\nContent-Length: 0\r\n\r\n") == Step::done);
    CHECK(exchange.result.outcome == Outcome::failure);
    CHECK(exchange.result.cause == Errc::bad_redirect);
    CHECK_FALSE(exchange.fsm.error());
    CHECK(exchange.result.message() == row.message);
}

TEST_CASE("a redirect to https is followed where TLS is available") {
    Exchange exchange{{.port = 80}, {}, true};
    CHECK(exchange.fsm.received(
              "HTTP/1.1 302 X\r\nLocation: https://127.0.0.1/\r\nContent-Length: 0\r\n\r\n") ==
          Step::connect);
    CHECK(exchange.fsm.scheme() == HttpScheme::https);
    CHECK(exchange.fsm.port() == 443);

    SECTION("a redirect from https to http has no referer") {
        exchange.send();
        CHECK(exchange.fsm.received(
                  "HTTP/1.1 302 X\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n") ==
              Step::connect);
        CHECK(exchange.fsm.request().find("Referer") == std::string_view::npos);
    }
    SECTION("the handshake may fail there") {
        CHECK(exchange.fsm.connected() == Step::handshake);
        CHECK(exchange.fsm.connection_failed(Errc::malformed_response,
                                             "tls: first record does not look like one") ==
              Step::done);
        CHECK(exchange.result.phase == Phase::handshake);
        CHECK(exchange.result.outcome == Outcome::failure);
        CHECK(exchange.result.message() ==
              R"(Get "https://127.0.0.1/": tls: first record does not look like one)");
    }
}

TEST_CASE("a handshake can fail in TLS, in the socket, and by the timeout") {
    HttpGetAction action{.port = 443, .scheme = HttpScheme::https};
    const ExchangePlan plan{action, {}, "", true};
    ProbeResult result;
    ExchangeFsm fsm{plan, result};
    REQUIRE(fsm.start() == Step::connect);
    REQUIRE(fsm.connected() == Step::handshake);
    const std::string_view url = R"(Get "https://127.0.0.1:443/": )";

    SECTION("in TLS") {
        CHECK(fsm.connection_failed(Errc::malformed_response,
                                    "remote error: tls: internal error") == Step::done);
        CHECK(result.cause == Errc::malformed_response);
        CHECK(result.detail == std::string{url} + "remote error: tls: internal error");
    }
    SECTION("in the socket") {
        CHECK(fsm.socket_failed(system_error(std::errc::connection_reset), ends) == Step::done);
        CHECK(result.cause == std::errc::connection_reset);
        CHECK(result.detail == std::string{url} + "read tcp " + std::string{ends} +
                                   ": read: connection reset by peer");
    }
    SECTION("by the timeout") {
        CHECK(fsm.timed_out() == Step::done);
        CHECK(result.cause == Errc::timed_out);
        CHECK(plan.message(result, std::nullopt) == std::string{url} + "context deadline exceeded");
    }
    CHECK(result.phase == Phase::handshake);
    CHECK(result.outcome == Outcome::failure);
    CHECK_FALSE(fsm.error());
}

TEST_CASE("a lack of memory in TLS is a prober error") {
    Exchange exchange{{.port = 443, .scheme = HttpScheme::https}, {}, true};
    const bool in_body = GENERATE(false, true);
    if (in_body) {
        CHECK(exchange.fsm.received("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab") ==
              Step::receive);
    }
    CHECK(exchange.fsm.connection_failed(system_error(std::errc::not_enough_memory),
                                         "tls: malloc failure") == Step::done);
    CHECK(exchange.result.outcome == Outcome::unknown);
    CHECK(exchange.fsm.error() == std::errc::not_enough_memory);
}

TEST_CASE("a TLS failure within the body leaves it incomplete") {
    Exchange exchange{{.port = 443, .scheme = HttpScheme::https}, {}, true};
    CHECK(exchange.fsm.received("HTTP/1.1 200 OK\r\n\r\nab") == Step::receive);
    CHECK(exchange.fsm.connection_failed(Errc::malformed_response, "unexpected EOF") == Step::done);
    CHECK(exchange.fsm.error() == Errc::incomplete_body);
    CHECK(exchange.result.message() == "unexpected EOF");
}

TEST_CASE("the number of requests is limited") {
    const int most = GENERATE(1, 3, 10);
    Exchange exchange{{.port = 80}, {.max_requests = most}};
    for (int i = 1;; ++i) {
        const Step step =
            exchange.fsm.received("HTTP/1.1 302 X\r\nLocation: /\"r" + std::to_string(i) +
                                  "\r\nContent-Length: 0\r\n\r\n");
        if (step == Step::done) {
            CHECK(i == most);
            break;
        }
        REQUIRE(step == Step::connect);
        exchange.send();
    }
    CHECK(exchange.result.cause == Errc::too_many_redirects);
    CHECK(exchange.result.message() == "Get \"/\\\"r" + std::to_string(most) +
                                           "\": stopped after " + std::to_string(most) +
                                           " redirects");
}

TEST_CASE("no more of a redirect's body is read than Go reads") {
    const std::string head = "HTTP/1.1 302 X\r\nLocation: /b\r\n";
    Exchange exchange;
    SECTION("a long body is not read at all") {
        CHECK(exchange.fsm.received(head + "Content-Length: 2049\r\n\r\n") == Step::connect);
    }
    SECTION("a short body is read") {
        CHECK(exchange.fsm.received(head + "Content-Length: 2048\r\n\r\n") == Step::receive);
        CHECK(exchange.fsm.received(std::string(2047, 'x')) == Step::receive);
        CHECK(exchange.fsm.received("x") == Step::connect);
    }
    SECTION("a body without a length is read up to the same limit") {
        CHECK(exchange.fsm.received(head + "\r\n" + std::string(2047, 'x')) == Step::receive);
        CHECK(exchange.fsm.received("x") == Step::connect);
    }
    SECTION("an incomplete body does not matter") {
        CHECK(exchange.fsm.received(head + "Content-Length: 9\r\n\r\nx") == Step::receive);
        const auto how = GENERATE(0, 1);
        CHECK((how == 0 ? exchange.fsm.ended()
                        : exchange.fsm.socket_failed(system_error(std::errc::connection_reset),
                                                     ends)) == Step::connect);
    }
    SECTION("a malformed body does not matter") {
        CHECK(exchange.fsm.received(head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n") ==
              Step::connect);
    }
    SECTION("the timeout is blamed on the next request") {
        CHECK(exchange.fsm.received(head + "Content-Length: 9\r\n\r\nx") == Step::receive);
        CHECK(exchange.fsm.timed_out() == Step::done);
        CHECK(exchange.result.cause == Errc::timed_out);
        CHECK(exchange.result.message() ==
              R"(Get "http://127.0.0.1:80/b": context deadline exceeded )"
              "(Client.Timeout exceeded while awaiting headers)");
        return;
    }
    CHECK(exchange.result.output_bytes == 0);
    CHECK(exchange.result.phase == Phase::connect);
}

TEST_CASE("messages name the request that failed") {
    Exchange exchange;
    CHECK(exchange.fsm.received("HTTP/1.1 302 X\r\nLocation: "
                                "http://u:p@127.0.0.1:81/b?x#f\r\nContent-Length: 0\r\n\r\n") ==
          Step::connect);
    const std::string get = R"(Get "http://u:***@127.0.0.1:81/b?x#f": )";
    SECTION("refused") {
        CHECK(exchange.fsm.connect_failed(
                  Phase::connect, system_error(std::errc::connection_refused)) == Step::done);
        CHECK(exchange.result.message() ==
              get + "dial tcp 127.0.0.1:81: connect: connection refused");
    }
    SECTION("closed") {
        exchange.send();
        CHECK(exchange.fsm.ended() == Step::done);
        CHECK(exchange.result.message() == get + "EOF");
    }
    SECTION("malformed") {
        exchange.send();
        CHECK(exchange.fsm.received("x\r\n") == Step::done);
        CHECK(exchange.result.message() ==
              get +
                  R"(net/http: HTTP/1.x transport connection broken: malformed HTTP response "x")");
    }
    CHECK(exchange.result.status == -1);
}

TEST_CASE(
    "the user's headers are sent to redirects too, but the Host header only to relative ones") {
    const HttpGetAction action{
        .port = 80, .headers = {{"Host", "h.example"}, {"X", "1"}, {"Authorization", "t"}}};
    Exchange exchange{action, {.user_agent = "ua"}};
    CHECK(exchange.fsm.received("HTTP/1.1 302 X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n") ==
          Step::connect);
    CHECK(exchange.fsm.request() ==
          "GET /b HTTP/1.1\r\nHost: h.example\r\nUser-Agent: ua\r\nAccept: */*\r\nAuthorization: "
          "t\r\n"
          "Referer: http://127.0.0.1:80/\r\nX: 1\r\nConnection: close\r\n\r\n");
    exchange.send();
    CHECK(exchange.fsm.received(
              "HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:80/c\r\nContent-Length: 0\r\n\r\n") ==
          Step::connect);
    CHECK(exchange.fsm.request().starts_with("GET /c HTTP/1.1\r\nHost: 127.0.0.1:80\r\n"));
    exchange.send();
    CHECK(exchange.fsm.received("HTTP/1.1 302 X\r\nLocation: /d\r\nContent-Length: 0\r\n\r\n") ==
          Step::connect);
    CHECK(exchange.fsm.request().starts_with(
        "GET /d HTTP/1.1\r\nHost: 127.0.0.1:80\r\n")); // once gone, it stays away
}

TEST_CASE("a user's referer is kept") {
    Exchange exchange{{.port = 80, .headers = {{"Referer", "http://mine/"}}}};
    CHECK(exchange.fsm.received("HTTP/1.1 302 X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n") ==
          Step::connect);
    CHECK(exchange.fsm.request().find("\r\nReferer: http://mine/\r\n") != std::string_view::npos);
}

TEST_CASE("user and password of a URL are sent to relative redirects, but not in the referer") {
    Exchange exchange{{.port = 80, .path = "//u:p@x/a"}};
    CHECK(exchange.plan->request().find("\r\nAuthorization: Basic dTpw\r\n") != std::string::npos);
    CHECK(exchange.fsm.received("HTTP/1.1 302 X\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n") ==
          Step::connect);
    CHECK(exchange.fsm.request().find(
              "\r\nAuthorization: Basic dTpw\r\nReferer: http://127.0.0.1:80/a\r\n") !=
          std::string_view::npos);
    exchange.send();
    CHECK(exchange.fsm.received(
              "HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:80/c\r\nContent-Length: 0\r\n\r\n") ==
          Step::connect);
    CHECK(exchange.fsm.request().find("Authorization") == std::string_view::npos);
}

TEST_CASE("the Location of an interim response means nothing") {
    Exchange exchange;
    CHECK(exchange.fsm.received(
              "HTTP/1.1 103 X\r\nLocation: /no\r\n\r\nHTTP/1.1 302 X\r\nLocation: /b\r\n"
              "Location: /c\r\nContent-Length: 0\r\n\r\n") == Step::connect);
    CHECK(exchange.fsm.request().starts_with("GET /b "));
}
