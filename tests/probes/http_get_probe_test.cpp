// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/probes/http_get_probe.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <future>
#include <iterator>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <sys/resource.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/buffer.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <asio/write.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/http/expectation.hpp>
#include <probekit/probes/probe.hpp>
#include <probekit/version.hpp>

#include "../tools/loopback.hpp"
#include "probe_once.hpp"

using namespace probekit;
using namespace std::chrono_literals;

static_assert(Probe<HttpGetProbe>);

namespace {

std::string response(int status, const std::string& body, const std::string& more = {}) {
    return "HTTP/1.1 " + std::to_string(status) +
           " Any\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more + "\r\n" + body;
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
    tools::LoopbackServer server{
        io, response(status, status == 204 || status == 304 ? "" : "some body")};
    HttpGetProbe probe{
        io, {.port = server.port(), .path = "/healthz?deep=1", .headers = {{"X-Who", "test"}}}};
    const auto [error, result] = probe_once(io, probe);
    CHECK_FALSE(error);
    CHECK(result.outcome == outcome);
    CHECK(result.status == status);
    CHECK(result.phase == Phase::finish);
    if (outcome == Outcome::failure) {
        CHECK(result.cause == Errc::http_status);
        CHECK(result.message() == "HTTP probe failed with statuscode: " + std::to_string(status));
    }
    CHECK(server.request ==
          "GET /healthz?deep=1 HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
              "\r\nUser-Agent: probekit/" PROBEKIT_VERSION
              "\r\nAccept: */*\r\nX-Who: test\r\nConnection: close\r\n\r\n");
}

TEST_CASE("the body is kept on request, up to the limit") {
    asio::io_context io;
    tools::LoopbackServer server{io, response(200, std::string(20'000, 'x'))};
    HttpGetProbe probe{io, {.port = server.port()}, {.body_limit = 100, .keep_output = true}};
    const ProbeResult result = probe_once(io, probe).result;
    CHECK(result.outcome == Outcome::success);
    CHECK(result.output == std::string(100, 'x'));
}

TEST_CASE("the result does not wait for the close, and a server that closes sees no reset") {
    asio::io_context io;
    tools::LoopbackServer server{io, response(200, "ok")};
    HttpGetProbe probe{io, {.port = server.port()}};
    SECTION("the server closes, as the request asks") {
        REQUIRE(probe_once(io, probe).result.passed());
        server.stop();
        io.run(); // the wait for the peer's close ends by itself
        CHECK(server.connections == 1);
    }
    SECTION("the server does not close") {
        server.closes = false;
        REQUIRE(probe_once(io, probe).result.passed());
        server.stop();
        io.run();
        CHECK(server.ending == asio::error::connection_reset);
    }
    SECTION("the server does not close, and sees an orderly end with SocketClose::linger") {
        server.closes = false;
        HttpGetProbe orderly{io, {.port = server.port()}, {.close = SocketClose::linger}};
        REQUIRE(probe_once(io, orderly).result.passed());
        server.stop();
        io.run();
        CHECK(server.ending == asio::error::eof);
    }
}

TEST_CASE("no socket is left in TIME_WAIT, and only a server that does not close sees resets") {
    asio::io_context io;
    constexpr int attempts = 20;
    const auto [closes, hangs_up, sees_resets] = GENERATE(table<bool, bool, bool>({
        {true, true, false},  // as the request asks
        {true, false, true},  // after its last byte it waits for the client's end
        {false, false, true}, // it leaves the closing to the client
    }));
    tools::LoopbackServer server{io, response(200, "ok")};
    server.closes = closes;
    server.hangs_up = hangs_up;
    HttpGetProbe probe{io, {.port = server.port()}};
    for (int i = 0; i != attempts; ++i) REQUIRE(probe_once(io, probe).result.passed());
    CHECK(server.connections == attempts);
    const std::uint16_t port = server.port();
    server.stop();
    io.run(); // until the last connection has ended
    CHECK(server.resets == (sees_resets ? attempts : 0));
    CHECK(tools::in_time_wait(port) == 0);
}

TEST_CASE("redirects within the host are followed, others are warnings") {
    asio::io_context io;
    tools::LoopbackServer target{io, response(200, "there")};
    const std::string port = std::to_string(target.port());
    SECTION("same host, another port") {
        tools::LoopbackServer server{
            io, response(302, "", "Location: http://127.0.0.1:" + port + "/x\r\n")};
        HttpGetProbe probe{io, {.port = server.port()}, {.keep_output = true}};
        const ProbeResult result = probe_once(io, probe).result;
        CHECK(result.outcome == Outcome::success);
        CHECK(result.output == "there");
        CHECK(target.request.starts_with("GET /x HTTP/1.1\r\n"));
    }
    SECTION("another host") {
        tools::LoopbackServer server{
            io, response(302, "gone", "Location: http://127.0.0.2:" + port + "/x\r\n")};
        HttpGetProbe probe{io, {.port = server.port()}};
        const ProbeResult result = probe_once(io, probe).result;
        CHECK(result.outcome == Outcome::warning);
        CHECK(result.message() == "Probe terminated redirects, Response body: gone");
        CHECK(target.connections == 0);
    }
    SECTION("redirects are not followed on request") {
        tools::LoopbackServer server{
            io, response(302, "", "Location: http://127.0.0.1:" + port + "/x\r\n")};
        HttpGetProbe probe{io, {.port = server.port()}, {.redirects = Redirects::none}};
        CHECK(probe_once(io, probe).result.outcome == Outcome::warning);
        CHECK(target.connections == 0);
    }
    SECTION("a redirect loop") {
        tools::LoopbackServer server{io, response(302, "", "Location: /again\r\n")};
        HttpGetProbe probe{io, {.port = server.port()}};
        const ProbeResult result = probe_once(io, probe).result;
        CHECK(result.cause == Errc::too_many_redirects);
        CHECK(result.message() == "Get \"/again\": stopped after 10 redirects");
        CHECK(server.connections == 10);
    }
}

TEST_CASE("a server that does not speak HTTP, or does not exist, fails in the kubelet's words") {
    asio::io_context io;
    SECTION("garbage") {
        tools::LoopbackServer server{io, "SSH-2.0-OpenSSH_9.2\r\n"};
        HttpGetProbe probe{io, {.port = server.port()}};
        const auto [error, result] = probe_once(io, probe);
        CHECK_FALSE(error);
        CHECK(result.outcome == Outcome::failure);
        CHECK(result.cause == Errc::malformed_response);
        CHECK(result.message() ==
              "Get \"http://127.0.0.1:" + std::to_string(server.port()) +
                  "/\": net/http: HTTP/1.x transport connection broken: malformed HTTP response "
                  "\"SSH-2.0-OpenSSH_9.2\"");
    }
    SECTION("refused") {
        const tools::BoundPort closed;
        HttpGetProbe probe{io, {.port = closed.number(), .path = "/x"}};
        const std::string at = "127.0.0.1:" + std::to_string(closed.number());
        CHECK(probe_once(io, probe).result.message() ==
              "Get \"http://" + at + "/x\": dial tcp " + at + ": connect: connection refused");
    }
    SECTION("a body that breaks off is a prober error") {
        tools::LoopbackServer server{io, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"};
        HttpGetProbe probe{io, {.port = server.port()}};
        const auto [error, result] = probe_once(io, probe);
        CHECK(error == Errc::incomplete_body);
        CHECK(result.outcome == Outcome::failure);
        CHECK(result.message() == "unexpected EOF");
    }
}

TEST_CASE("timeouts in every phase") {
    asio::io_context io;
    SECTION("connecting") {
        const tools::FullBacklog full{io};
        HttpGetProbe probe{io, {.port = full.port()}};
        const auto [error, result] = probe_once(io, probe, 50ms);
        CHECK_FALSE(error);
        CHECK(result.cause == Errc::timed_out);
        CHECK(result.message().ends_with(
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"));
    }
    SECTION("waiting for the response") {
        tools::LoopbackServer server{io};
        HttpGetProbe probe{io, {.port = server.port()}};
        const auto [error, result] = probe_once(io, probe, 250ms);
        CHECK_FALSE(error);
        CHECK(result.cause == Errc::timed_out);
        CHECK(result.phase == Phase::response);
    }
    SECTION("in the middle of the body: a prober error") {
        tools::LoopbackServer server{io, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"};
        server.closes = false;
        HttpGetProbe probe{io, {.port = server.port()}};
        const auto [error, result] = probe_once(io, probe, 250ms);
        CHECK(error == Errc::incomplete_body);
        CHECK(result.message() == "context deadline exceeded (Client.Timeout or context "
                                  "cancellation while reading body)");
    }
}

TEST_CASE("an attempt can be cancelled while it waits for a response") {
    asio::io_context io;
    tools::LoopbackServer server{io};
    HttpGetProbe probe{io, {.port = server.port()}};
    asio::cancellation_signal signal;
    std::optional<Completion> answer;
    server.asked = [&] { signal.emit(asio::cancellation_type::terminal); };
    probe.async_probe(1min, asio::bind_cancellation_slot(
                                signal.slot(), [&](std::error_code error, ProbeResult result) {
                                    answer.emplace(error, std::move(result));
                                }));
    while (!answer) io.run_one_for(20s);
    CHECK(answer->error == asio::error::operation_aborted);
    CHECK(answer->result.outcome == Outcome::unknown);
}

TEST_CASE("settings that are sent are validated") {
    asio::io_context io;
    try {
        HttpGetProbe probe{
            io,
            {.scheme = HttpScheme::https, .headers = {{"X A", "1"}, {"Good", "a\r\nEvil: 1"}}},
            {.max_requests = 0, .user_agent = "a\nb"}};
        FAIL("accepted");
    } catch (const ConfigException& exception) {
        std::string fields;
        for (const ConfigError& error : exception.errors()) fields += error.field + " ";
        CHECK(fields == "port headers[0].name headers[1].value scheme max_requests user_agent ");
    }
}

TEST_CASE("a response may have to be more than its status") {
    asio::io_context io;
    tools::LoopbackServer server{io,
                                 response(200, R"({"status": "starting"})", "X-Version: 7\r\n")};
    const auto ask = [&](std::vector<http::Expectation> expect) {
        HttpGetProbe probe{
            io, {.port = server.port()}, {.body_limit = 0, .expect = std::move(expect)}};
        const auto [error, result] = probe_once(io, probe);
        CHECK_FALSE(error);
        CHECK((result.outcome == Outcome::failure) == (result.cause == Errc::unexpected_response));
        return result.message();
    };
    CHECK(ask({http::status_in({200}), http::header("x-version").equals("7"),
               http::latency_at_most(60s)}) == "");
    CHECK(ask({http::header("X-Version").equals("8")}) ==
          R"(HTTP probe failed: expected header X-Version to equal "8", got "7")");
    CHECK(ask({http::body(http::whole_body).contains("up")}) ==
          R"(HTTP probe failed: expected body to contain "up", got "{\"status\": \"starting\"}")");
    CHECK(ask({http::latency_at_most(1ns)})
              .starts_with("HTTP probe failed: expected latency at most 1ns, got "));
}

TEST_CASE("a matcher that throws makes a prober error, which names what was thrown") {
    struct Throwing final : http::Matcher {
        explicit Throwing(int kind) : what(kind) {}
        [[nodiscard]] bool matches(std::string_view) const override {
            if (what == 0) throw std::system_error{std::make_error_code(std::errc::io_error)};
            if (what == 1) throw std::out_of_range{"no such part"};
            if (what == 2) throw std::bad_alloc{};
            throw what;
        }
        int what;
    };
    const int kind = GENERATE(0, 1, 2, 3);
    asio::io_context io;
    tools::LoopbackServer server{io, response(200, "body")};
    HttpGetProbe probe{io,
                       {.port = server.port()},
                       {.expect = {http::body().satisfies(http::matching(
                            "to be well", std::make_shared<const Throwing>(kind)))}}};
    const auto [error, result] = probe_once(io, probe);
    const std::error_code expected[] = {
        std::make_error_code(std::errc::io_error), Errc::probe_threw,
        std::make_error_code(std::errc::not_enough_memory), Errc::probe_threw};
    CHECK(error == expected[kind]);
    CHECK(result.outcome == Outcome::unknown);
    if (kind == 1) CHECK(result.message() == "no such part");
    if (kind == 3) CHECK(result.message() == "probe threw an unknown exception");
}

TEST_CASE("a length that is only announced takes no memory") {
    asio::io_context io;
    tools::LoopbackServer server{
        io, "HTTP/1.1 503 Busy\r\nContent-Length: 999999999999999999\r\n\r\nshort"};
    HttpGetProbe probe{
        io, {.port = server.port()}, {.body_limit = std::numeric_limits<std::size_t>::max()}};
    const auto [error, result] = probe_once(io, probe);
    CHECK(error == Errc::incomplete_body);
    CHECK(result.output == "short");
    CHECK(result.output.capacity() < 1024 * 1024);
}

TEST_CASE("invalid expectations are invalid settings") {
    asio::io_context io;
    try {
        HttpGetProbe probe{
            io, {.port = 1}, {.max_requests = 0, .expect = {http::body(0).contains("x")}}};
        FAIL("taken");
    } catch (const ConfigException& exception) {
        REQUIRE(exception.errors().size() == 2);
        CHECK(exception.errors()[1].field == "expect[0].body_bytes");
    }
    try {
        HttpGetProbe probe{
            io,
            {.port = 1},
            {.method = HttpMethod::head,
             .expect = {http::any_of({http::status_in({204}), http::body().contains("x")})}}};
        FAIL("taken");
    } catch (const ConfigException& exception) {
        CHECK(exception.errors() ==
              ConfigErrors{{"method", "HEAD has no body of which something can be expected"}});
    }
}

TEST_CASE("a cancelled attempt leaves no descriptor behind, in any phase") {
    asio::io_context io;
    const tools::FullBacklog full{io};
    tools::LoopbackServer slow{io, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort"};
    slow.closes = false;
    const bool connecting = GENERATE(true, false);
    const auto type = GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial,
                               asio::cancellation_type::total);
    const auto open_descriptors = [] {
        return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
    };
    const auto before = open_descriptors();
    HttpGetProbe probe{io, {.port = connecting ? full.port() : slow.port()}};
    asio::cancellation_signal signal;
    std::optional<std::error_code> completed;
    probe.async_probe(1min, asio::bind_cancellation_slot(
                                signal.slot(), [&](std::error_code error, const ProbeResult&) {
                                    completed = error;
                                }));
    while (!connecting && slow.connections == 0) io.run_one_for(20s);
    io.poll();
    REQUIRE_FALSE(completed);
    signal.emit(type);
    while (!completed) io.run_one_for(20s);
    CHECK(completed == asio::error::operation_aborted);
    CHECK(open_descriptors() ==
          before + (connecting ? 0 : 1)); // the server's end of the connection
}

TEST_CASE("a context may be destroyed with an attempt in flight") {
    bool completed = false;
    {
        asio::io_context io;
        tools::LoopbackServer silent{io};
        HttpGetProbe probe{io, {.port = silent.port()}};
        silent.asked = [&] { io.stop(); };
        probe.async_probe(1min, [&](std::error_code, const ProbeResult&) { completed = true; });
        io.run();
    }
    CHECK_FALSE(completed);
}

TEST_CASE("an attempt outlives its probe, and attempts may overlap") {
    asio::io_context io;
    tools::LoopbackServer server{io, response(200, "ok")};
    int passed = 0;
    {
        HttpGetProbe probe{io, {.port = server.port()}};
        const auto count = [&](std::error_code, const ProbeResult& result) {
            passed += result.passed() ? 1 : 0;
        };
        probe.async_probe(1min, count);
        HttpGetProbe moved{std::move(probe)};
        moved.async_probe(1min, count);
        CHECK(passed == 0); // never from inside the call
    }
    while (passed != 2) REQUIRE(io.run_one_for(20s) != 0);
    CHECK(server.connections == 2);
}

TEST_CASE("a request larger than the socket takes is sent in parts") {
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor{io, {asio::ip::make_address("127.0.0.1"), 0}};
    const std::string value(20'000'000, 'v');
    HttpGetProbe probe{io, {.port = acceptor.local_endpoint().port(), .headers = {{"X", value}}}};
    asio::ip::tcp::socket peer{io};
    std::string request;
    acceptor.async_accept(peer, [&](std::error_code error) {
        REQUIRE_FALSE(error);
        asio::async_read_until(peer, asio::dynamic_buffer(request), std::string_view{"\r\n\r\n"},
                               [&](std::error_code failed, std::size_t) {
                                   REQUIRE_FALSE(failed);
                                   asio::write(peer, asio::buffer(response(200, "ok")));
                               });
    });
    CHECK(probe_once(io, probe, 1min).result.outcome == Outcome::success);
    CHECK(request.find("\r\nX: " + value + "\r\n") != std::string::npos);
}

TEST_CASE("a name is resolved, and its address is reported") {
    asio::io_context io;
    tools::LoopbackServer server{io, response(200, "ok")};
    const std::string port = std::to_string(server.port());
    HttpGetProbe probe{io, {.host = "localhost", .port = server.port()}};
    CHECK(probe_once(io, probe).result.outcome == Outcome::success);
    CHECK(server.request.find("\r\nHost: localhost:" + port + "\r\n") != std::string::npos);

    const tools::BoundPort closed;
    const std::string number = std::to_string(closed.number());
    HttpGetProbe refused{io, {.host = "localhost", .port = closed.number()}};
    const std::string message = probe_once(io, refused).result.message();
    const std::string start = "Get \"http://localhost:" + number + "/\": dial tcp ";
    const std::string end = ":" + number + ": connect: connection refused";
    CHECK((message == start + "127.0.0.1" + end || message == start + "[::1]" + end));
}

TEST_CASE("an address is reported as the system writes it") {
    asio::io_context io;
    const tools::BoundPort closed;
    const std::string number = std::to_string(closed.number());
    HttpGetProbe probe{io, {.host = "0:0:0:0:0:0:0:1", .port = closed.number()}};
    CHECK(probe_once(io, probe).result.message() == "Get \"http://[0:0:0:0:0:0:0:1]:" + number +
                                                        "/\": dial tcp [::1]:" + number +
                                                        ": connect: connection refused");
}

TEST_CASE("a request that cannot be made is a prober error") {
    asio::io_context io;
    HttpGetProbe probe{io, {.host = "bad host", .port = 1}};
    const auto [error, result] = probe_once(io, probe);
    CHECK(error == std::errc::invalid_argument);
    CHECK(result.outcome == Outcome::unknown);
    CHECK(result.message() == R"(parse "http://bad%20host:1/": invalid URL escape "%20")");
}

TEST_CASE("without descriptors it is a prober error") {
    asio::io_context io;
    const tools::BoundPort closed;
    const std::string at = "127.0.0.1:" + std::to_string(closed.number());
    HttpGetProbe probe{io, {.port = closed.number()}};
    rlimit saved{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &saved) == 0);
    rlimit none = saved;
    none.rlim_cur = 0;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const auto [error, result] = probe_once(io, probe);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &saved) == 0);
    CHECK(error == std::errc::too_many_files_open);
    CHECK(result.outcome == Outcome::unknown);
    CHECK(result.message() ==
          "Get \"http://" + at + "/\": dial tcp " + at + ": socket: too many open files");
}

TEST_CASE("a redirect to https is a failure of HttpGetProbe") {
    asio::io_context io;
    tools::LoopbackServer server{io, response(302, "", "Location: https://127.0.0.1/\r\n")};
    HttpGetProbe probe{io, {.port = server.port()}};
    const auto [error, result] = probe_once(io, probe);
    CHECK_FALSE(error);
    CHECK(result.cause == Errc::bad_redirect);
    CHECK(result.message() == R"(Get "https://127.0.0.1/": unsupported protocol scheme "https")");
}

TEST_CASE("the connection comes from the source address of the options") {
    asio::io_context io;
    asio::ip::tcp::acceptor acceptor{io, {asio::ip::make_address("127.0.0.1"), 0}};
    HttpGetProbe probe{
        io, {.port = acceptor.local_endpoint().port()}, {.source_address = "127.0.0.3"}};
    std::string from;
    acceptor.async_accept([&](std::error_code error, asio::ip::tcp::socket peer) {
        if (!error) from = peer.remote_endpoint().address().to_string();
    });
    static_cast<void>(probe_once(io, probe));
    CHECK(from == "127.0.0.3");
}

TEST_CASE("phases that took time add up to the whole") {
    asio::io_context io;
    tools::LoopbackServer server{io, response(200, "ok")};
    HttpGetProbe probe{io, {.port = server.port()}};
    const ProbeResult result = probe_once(io, probe).result;
    CHECK(result.time_in(Phase::connect) > 0ns);
    CHECK(result.time_in(Phase::response) > 0ns);
    CHECK(result.time_in(Phase::resolve) == 0ns);
    CHECK(result.elapsed() >= result.time_in(Phase::connect) + result.time_in(Phase::response));
}

TEST_CASE("many attempts run at once on a pool of threads") {
    asio::io_context serving;
    tools::LoopbackServer server{serving, response(200, "ok")};
    std::thread server_thread{[&] { serving.run(); }};
    int passed = 0;
    {
        asio::thread_pool pool{4};
        std::vector<std::future<ProbeResult>> results;
        for (int i = 0; i != 200; ++i) {
            HttpGetProbe probe{asio::make_strand(pool), {.port = server.port()}};
            results.push_back(probe.async_probe(1min, asio::use_future));
        }
        for (std::future<ProbeResult>& result : results) passed += result.get().passed() ? 1 : 0;
        pool.join();
    }
    serving.stop();
    server_thread.join();
    CHECK(passed == 200);
}
