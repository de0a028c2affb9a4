// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// Servers that answer wrongly, too much, too slowly, or not at all. Each with what a worker makes
// of it.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <probekit/probes/http_get_probe.hpp>
#include <probekit/probes/tcp_probe.hpp>

#include "faulty_server.hpp"
#include "watched.hpp"

using namespace probekit;
using namespace std::chrono_literals;
using enum Fault::Then;

namespace {

struct Case {
    std::string_view name;
    Fault fault;
    Phase phase;
    std::error_code cause;
    std::string_view message; ///< what it ends with
};

/// As much of the message's end as is expected, and a little more if there is anything before it.
std::string end_of(std::string message, std::string_view expected) {
    if (!message.ends_with(expected))
        return message.substr(message.size() - std::min<std::size_t>(message.size(), 200));
    return message.substr(message.size() - expected.size());
}

/// Checks a fault that fails the target: the attempt counts, and is no prober error.
void check_failure(const Case& one, Duration timeout) {
    CAPTURE(one.name);
    asio::io_context io;
    const FaultyServer server{io, one.fault};
    const Watched seen = watch(io, HttpGetProbe{io, {.port = server.port()}}, timeout);
    CHECK_FALSE(seen.error);
    CHECK(seen.counted);
    CHECK(seen.health == Health::failing);
    CHECK(seen.result.outcome == Outcome::failure);
    CHECK(seen.result.phase == one.phase);
    CHECK(seen.result.cause == one.cause);
    CHECK(end_of(seen.result.message(), one.message) == one.message);
}

/// Checks a fault in the body: a prober error, and no counter moves.
void check_incomplete(const Case& one, Duration timeout) {
    CAPTURE(one.name);
    asio::io_context io;
    const FaultyServer server{io, one.fault};
    const Watched seen = watch(io, HttpGetProbe{io, {.port = server.port()}}, timeout);
    CHECK(seen.error == Errc::incomplete_body);
    CHECK_FALSE(seen.counted);
    CHECK(seen.health == Health::passing);
    CHECK(seen.result.outcome == Outcome::failure);
    CHECK(seen.result.phase == Phase::body);
    CHECK(end_of(seen.result.message(), one.message) == one.message);
}

const std::string ok = "HTTP/1.1 200 OK\r\n";
const std::error_code malformed = Errc::malformed_response;
const std::error_code timed_out = Errc::timed_out;
const std::error_code reset{ECONNRESET, std::system_category()};
constexpr std::string_view no_answer =
    "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
constexpr std::string_view no_body =
    "context deadline exceeded (Client.Timeout or context cancellation while reading body)";

} // namespace

TEST_CASE("a malformed head fails the target") {
    const Case one = GENERATE(values<Case>({
        {"garbage",
         {"SSH-2.0-OpenSSH_9.2\r\n", closes},
         Phase::response,
         malformed,
         "\"SSH-2.0-OpenSSH_9.2\""},
        {"garbage before the status line",
         {"\r\nnoise\r\n" + ok + "\r\n", closes},
         Phase::response,
         malformed,
         "malformed HTTP response \"\""},
        {"a TLS alert",
         {std::string("\x15\x03\x01\x00\x02\x02\x46", 7), closes},
         Phase::response,
         malformed,
         "malformed HTTP response \"\\x15\\x03\\x01\\x00\\x02\\x02F\""},
        {"a status of two digits",
         {"HTTP/1.1 20 OK\r\n\r\n", closes},
         Phase::response,
         malformed,
         "malformed HTTP status code \"20\""},
        {"another version",
         {"HTTP/x.1 200 OK\r\n\r\n", closes},
         Phase::response,
         malformed,
         "malformed HTTP version \"HTTP/x.1\""},
        {"a header without a colon",
         {ok + "No colon here\r\n\r\n", closes},
         Phase::response,
         malformed,
         "malformed MIME header: missing colon: \"No colon here\""},
        {"two lengths",
         {ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", closes},
         Phase::response,
         malformed,
         "http: message cannot contain multiple Content-Length headers; got [\"1\" \"2\"]"},
        {"a length that is none",
         {ok + "Content-Length: many\r\n\r\n", closes},
         Phase::response,
         malformed,
         "bad Content-Length \"many\""},
        {"an unknown transfer encoding",
         {ok + "Transfer-Encoding: gzip\r\n\r\n", closes},
         Phase::response,
         malformed,
         "unsupported transfer encoding: \"gzip\""},
    }));
    check_failure(one, 20s);
}

TEST_CASE("a connection that ends before the head is complete fails the target") {
    const Case one = GENERATE(values<Case>({
        {"closed at once", {"", closes, "", true}, Phase::response, malformed, "EOF"},
        {"closed without an answer", {"", closes}, Phase::response, malformed, "EOF"},
        {"closed in the status line",
         {"HTTP/1.1 20", closes},
         Phase::response,
         malformed,
         "malformed HTTP status code \"20\""},
        {"closed in the headers",
         {ok + "Content-Le", closes},
         Phase::response,
         malformed,
         "malformed MIME header: missing colon: \"Content-Le\""},
        {"reset without an answer",
         {"", resets},
         Phase::response,
         reset,
         "read: connection reset by peer"},
        {"reset in the status line",
         {"HTTP/1.1 20", resets},
         Phase::response,
         malformed,
         "malformed HTTP status code \"20\""},
        {"closed after an interim response",
         {"HTTP/1.1 100 Continue\r\n\r\n", closes},
         Phase::response,
         malformed,
         "unexpected EOF"},
    }));
    check_failure(one, 20s);
}

TEST_CASE("a body that is cut off, or malformed, is a prober error") {
    const Case one = GENERATE(values<Case>({
        {"shorter than announced",
         {ok + "Content-Length: 10\r\n\r\nshort", closes},
         Phase::body,
         {},
         "unexpected EOF"},
        {"reset in the body",
         {ok + "Content-Length: 10\r\n\r\nshort", resets},
         Phase::body,
         {},
         "read: connection reset by peer"},
        {"a chunk whose size is no number",
         {ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\nx", closes},
         Phase::body,
         {},
         "invalid byte in chunk length"},
        {"a chunk longer than announced",
         {ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n\r\n", closes},
         Phase::body,
         {},
         "malformed chunked encoding"},
        {"the last chunk is missing",
         {ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", closes},
         Phase::body,
         {},
         "unexpected EOF"},
        {"a chunk too large for a number",
         {ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx", closes},
         Phase::body,
         {},
         "http chunk length too large"},
    }));
    check_incomplete(one, 20s);
}

TEST_CASE("a server that never finishes its head is abandoned at the timeout") {
    const Case one = GENERATE(values<Case>({
        {"accepts and says nothing", {"", waits}, Phase::response, timed_out, no_answer},
        {"half a status line", {"HTTP/1.1 2", waits}, Phase::response, timed_out, no_answer},
        {"headers without an end, dripping",
         {ok, drips, "X-A: b\r\n"},
         Phase::response,
         timed_out,
         no_answer},
        {"interim responses without an end",
         {"", drips, "HTTP/1.1 100 Continue\r\n\r\n"},
         Phase::response,
         timed_out,
         no_answer},
    }));
    check_failure(one, 250ms);
}

TEST_CASE("a body that never ends is a prober error") {
    const Case one = GENERATE(values<Case>({
        {"a body that does not come",
         {ok + "Content-Length: 10\r\n\r\n", waits},
         Phase::body,
         timed_out,
         no_body},
        {"a body that drips",
         {ok + "Content-Length: 10000000\r\n\r\n", drips, "x"},
         Phase::body,
         timed_out,
         no_body},
        {"chunks that drip",
         {ok + "Transfer-Encoding: chunked\r\n\r\n", drips, "1\r\nx\r\n"},
         Phase::body,
         timed_out,
         no_body},
    }));
    check_incomplete(one, 250ms);
}

TEST_CASE("a flood of data is read up to its limit") {
    asio::io_context io;
    SECTION("endless headers are a failure at 10 MiB") {
        check_failure({"headers",
                       {ok, repeats, "X-A: " + std::string(60'000, 'b') + "\r\n"},
                       Phase::response,
                       malformed,
                       "net/http: server response headers exceeded 10485760 bytes; aborted"},
                      60s);
    }
    SECTION("an endless header line is a failure at 10 MiB") {
        check_failure({"a line",
                       {ok + "X-A: ", repeats, std::string(60'000, 'a')},
                       Phase::response,
                       malformed,
                       "net/http: server response headers exceeded 10485760 bytes; aborted"},
                      60s);
    }
    SECTION("an endless body is read up to its limit, and the status counts") {
        const FaultyServer server{io, {ok + "\r\n", repeats, std::string(60'000, 'b')}};
        const Watched seen = watch(
            io,
            HttpGetProbe{io, {.port = server.port()}, {.body_limit = 100, .keep_output = true}});
        CHECK_FALSE(seen.error);
        CHECK(seen.counted);
        CHECK(seen.result.passed());
        CHECK(seen.result.output == std::string(100, 'b'));
    }
    SECTION("bytes beyond the announced length are not read") {
        const FaultyServer server{
            io, {ok + "Content-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\n\r\n", waits}};
        const Watched seen =
            watch(io, HttpGetProbe{io, {.port = server.port()}, {.keep_output = true}});
        CHECK(seen.result.passed());
        CHECK(seen.result.output == "ok");
    }
}

TEST_CASE(
    "a connection that is reset as soon as it is open fails an HTTP probe, but not a TCP probe") {
    asio::io_context io;
    const FaultyServer server{io, {"", resets, "", true}};
    SECTION("http") {
        const Watched seen = watch(io, HttpGetProbe{io, {.port = server.port()}});
        CHECK_FALSE(seen.error);
        CHECK(seen.counted);
        CHECK(seen.result.outcome == Outcome::failure);
        CHECK(seen.result.cause == reset);
        CHECK(seen.result.message().ends_with("connection reset by peer"));
    }
    SECTION("tcp") {
        const Watched seen = watch(io, TcpProbe{io, {.port = server.port()}});
        CHECK(seen.counted);
        CHECK(seen.result.passed());
    }
}
