// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/probes/http_get_probe.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/probes/probe.hpp>
#include <probekit/version.hpp>

#include "loopback.hpp"

using namespace probekit;
using namespace std::chrono_literals;

static_assert(Probe<HttpGetProbe>);

namespace {

struct Answer {
    std::error_code error;
    ProbeResult result;
};

template <class P>
Answer look(asio::io_context& io, P& probe, Duration timeout = 5s) {
    std::optional<Answer> answer;
    probe.async_probe(timeout, [&](std::error_code error, ProbeResult result) {
        answer.emplace(error, std::move(result));
    });
    io.restart();
    while (!answer) io.run_one_for(20s);
    return std::move(*answer);
}

std::string response(int status, const std::string& body, const std::string& more = {}) {
    return "HTTP/1.1 " + std::to_string(status) + " Any\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more +
           "\r\n" + body;
}

} // namespace

TEST_CASE("statuses from 200 to 399 pass, others fail") {
    const auto [status, outcome] = GENERATE(table<int, Outcome>({{200, Outcome::success},
                                                                 {204, Outcome::success},
                                                                 {299, Outcome::success},
                                                                 {300, Outcome::warning},
                                                                 {304, Outcome::warning},
                                                                 {399, Outcome::warning},
                                                                 {400, Outcome::failure},
                                                                 {404, Outcome::failure},
                                                                 {503, Outcome::failure}}));
    asio::io_context io;
    LoopbackServer server{io, response(status, status == 204 || status == 304 ? "" : "some body")};
    HttpGetProbe probe{io, {.port = server.port(), .path = "/healthz?deep=1", .headers = {{"X-Who", "test"}}}};
    const auto [error, result] = look(io, probe);
    CHECK_FALSE(error);
    CHECK(result.outcome == outcome);
    CHECK(result.status == status);
    CHECK(result.phase == Phase::finish);
    if (outcome == Outcome::failure) {
        CHECK(result.cause == Errc::http_status);
        CHECK(result.message() == "HTTP probe failed with statuscode: " + std::to_string(status));
    }
    CHECK(server.request == "GET /healthz?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
                                "\r\nUser-Agent: probekit/" PROBEKIT_VERSION
                                "\r\nAccept: */*\r\nX-Who: test\r\nConnection: close\r\n\r\n");
}

TEST_CASE("the body is kept if it is asked for, up to the limit") {
    asio::io_context io;
    LoopbackServer server{io, response(200, std::string(20'000, 'x'))};
    HttpGetProbe probe{io, {.port = server.port()}, {.body_limit = 100, .keep_output = true}};
    const ProbeResult result = look(io, probe).result;
    CHECK(result.outcome == Outcome::success);
    CHECK(result.output == std::string(100, 'x'));
}

TEST_CASE("the verdict does not wait for the close, and a server that closes sees no reset") {
    asio::io_context io;
    LoopbackServer server{io, response(200, "ok")};
    HttpGetProbe probe{io, {.port = server.port()}};
    SECTION("it closes, as it was asked to") {
        REQUIRE(look(io, probe).result.passed());
        server.stop();
        io.run(); // the socket's short grace lets go of the loop by itself
        CHECK(server.connections == 1);
    }
    SECTION("it does not") {
        server.closes = false;
        REQUIRE(look(io, probe).result.passed());
        server.stop();
        io.run();
        CHECK(server.ending == asio::error::connection_reset);
    }
}

TEST_CASE("redirects within the host are followed, others are warnings") {
    asio::io_context io;
    LoopbackServer target{io, response(200, "there")};
    const std::string port = std::to_string(target.port());
    SECTION("same host, another port") {
        LoopbackServer server{io, response(302, "", "Location: http://127.0.0.1:" + port + "/x\r\n")};
        HttpGetProbe probe{io, {.port = server.port()}, {.keep_output = true}};
        const ProbeResult result = look(io, probe).result;
        CHECK(result.outcome == Outcome::success);
        CHECK(result.output == "there");
        CHECK(target.request.starts_with("GET /x HTTP/1.1\r\n"));
    }
    SECTION("another host") {
        LoopbackServer server{io, response(302, "gone", "Location: http://127.0.0.2:" + port + "/x\r\n")};
        HttpGetProbe probe{io, {.port = server.port()}};
        const ProbeResult result = look(io, probe).result;
        CHECK(result.outcome == Outcome::warning);
        CHECK(result.message() == "Probe terminated redirects, Response body: gone");
        CHECK(target.connections == 0);
    }
    SECTION("none at all, if so asked") {
        LoopbackServer server{io, response(302, "", "Location: http://127.0.0.1:" + port + "/x\r\n")};
        HttpGetProbe probe{io, {.port = server.port()}, {.redirects = Redirects::none}};
        CHECK(look(io, probe).result.outcome == Outcome::warning);
        CHECK(target.connections == 0);
    }
    SECTION("round and round") {
        LoopbackServer server{io, response(302, "", "Location: /again\r\n")};
        HttpGetProbe probe{io, {.port = server.port()}};
        const ProbeResult result = look(io, probe).result;
        CHECK(result.cause == Errc::too_many_redirects);
        CHECK(result.message() == "Get \"/again\": stopped after 10 redirects");
        CHECK(server.connections == 10);
    }
}

TEST_CASE("what is not HTTP, or not there, fails in the kubelet's words") {
    asio::io_context io;
    SECTION("garbage") {
        LoopbackServer server{io, "SSH-2.0-OpenSSH_9.2\r\n"};
        HttpGetProbe probe{io, {.port = server.port()}};
        const auto [error, result] = look(io, probe);
        CHECK_FALSE(error);
        CHECK(result.outcome == Outcome::failure);
        CHECK(result.cause == Errc::malformed_response);
        CHECK(result.message() == "Get \"http://127.0.0.1:" + std::to_string(server.port()) +
                                      "/\": net/http: HTTP/1.x transport connection broken: malformed HTTP response "
                                      "\"SSH-2.0-OpenSSH_9.2\"");
    }
    SECTION("refused") {
        const ClosedPort closed{io};
        HttpGetProbe probe{io, {.port = closed.number(), .path = "/x"}};
        const std::string at = "127.0.0.1:" + std::to_string(closed.number());
        CHECK(look(io, probe).result.message() ==
              "Get \"http://" + at + "/x\": dial tcp " + at + ": connect: connection refused");
    }
    SECTION("a body that breaks off is an error, could not ask") {
        LoopbackServer server{io, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"};
        HttpGetProbe probe{io, {.port = server.port()}};
        const auto [error, result] = look(io, probe);
        CHECK(error == Errc::incomplete_body);
        CHECK(result.outcome == Outcome::failure);
        CHECK(result.message() == "unexpected EOF");
    }
}

TEST_CASE("timeouts in every phase") {
    asio::io_context io;
    SECTION("connecting") {
        const FullBacklog full{io};
        HttpGetProbe probe{io, {.port = full.port()}};
        const auto [error, result] = look(io, probe, 50ms);
        CHECK_FALSE(error);
        CHECK(result.cause == Errc::timed_out);
        CHECK(result.message().ends_with("context deadline exceeded (Client.Timeout exceeded while awaiting headers)"));
    }
    SECTION("waiting for the answer") {
        LoopbackServer server{io};
        HttpGetProbe probe{io, {.port = server.port()}};
        const auto [error, result] = look(io, probe, 50ms);
        CHECK_FALSE(error);
        CHECK(result.cause == Errc::timed_out);
        CHECK(result.phase == Phase::response);
    }
    SECTION("in the middle of the body: an error") {
        LoopbackServer server{io, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"};
        server.closes = false;
        HttpGetProbe probe{io, {.port = server.port()}};
        const auto [error, result] = look(io, probe, 50ms);
        CHECK(error == Errc::incomplete_body);
        CHECK(result.message() ==
              "context deadline exceeded (Client.Timeout or context cancellation while reading body)");
    }
}

TEST_CASE("a look can be cancelled while it waits for an answer") {
    asio::io_context io;
    LoopbackServer server{io};
    HttpGetProbe probe{io, {.port = server.port()}};
    asio::cancellation_signal signal;
    std::optional<Answer> answer;
    server.asked = [&] { signal.emit(asio::cancellation_type::terminal); };
    probe.async_probe(1min, asio::bind_cancellation_slot(signal.slot(), [&](std::error_code error, ProbeResult result) {
                          answer.emplace(error, std::move(result));
                      }));
    while (!answer) io.run_one_for(20s);
    CHECK(answer->error == asio::error::operation_aborted);
    CHECK(answer->result.outcome == Outcome::unknown);
}

TEST_CASE("settings that would be sent are checked") {
    asio::io_context io;
    try {
        HttpGetProbe probe{io,
                           {.scheme = HttpScheme::https, .headers = {{"X A", "1"}, {"Good", "a\r\nEvil: 1"}}},
                           {.max_requests = 0, .user_agent = "a\nb"}};
        FAIL("accepted");
    } catch (const ConfigException& exception) {
        std::string fields;
        for (const ConfigError& error : exception.errors()) fields += error.field + " ";
        CHECK(fields == "port headers[0].name headers[1].value scheme max_requests user_agent ");
    }
}
