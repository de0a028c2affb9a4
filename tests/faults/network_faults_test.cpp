// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// Networks that lose, refuse or cut connections, and names that are not resolved: in namespaces of
// their own.
#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/udp.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/core/error.hpp>
#include <probekit/probes/http_get_probe.hpp>
#include <probekit/probes/tcp_probe.hpp>

#include "../tools/loopback.hpp"
#include "../tools/temporary_folder.hpp"
#include "faulty_server.hpp"
#include "network.hpp"
#include "watched.hpp"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

const std::string no_answer =
    "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";

struct Seen {
    Watched tcp;
    Watched http;
    std::string address;
};

/// Probes by TCP and HTTP a server that would answer well, over a network with this rule.
Seen probe_through(const std::string& rule, Duration timeout) {
    std::optional<Seen> seen;
    const bool could = in_own_network([&] {
        asio::io_context io;
        const FaultyServer server{io, {"HTTP/1.1 200 OK\r\n\r\n", Fault::Then::closes}};
        const std::string port = std::to_string(server.port());
        if (!filter("tcp dport " + port + " " + rule)) return;
        seen.emplace();
        seen->address = "127.0.0.1:" + port;
        seen->tcp = watch(io, TcpProbe{io, {.port = server.port()}}, timeout);
        seen->http = watch(io, HttpGetProbe{io, {.port = server.port()}}, timeout);
    });
    if (!could || !seen) SKIP("needs root and nftables");
    return std::move(*seen);
}

void check_failure(const Watched& seen, Phase phase, std::error_condition cause) {
    CHECK_FALSE(seen.error);
    CHECK(seen.counted);
    CHECK(seen.health == Health::failing);
    CHECK(seen.result.outcome == Outcome::failure);
    CHECK(seen.result.phase == phase);
    CHECK(seen.result.cause == cause);
}

/// Puts a file of this text in the place of another, in a mount namespace of this test's own: for
/// this thread, and for the resolver's, which it starts.
bool put_in_place(const char* name, const std::string& text) {
    const tools::TemporaryFolder folder;
    const std::string file = folder.file("file", text);
    return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount(file.c_str(), name, nullptr, MS_BIND, nullptr) == 0;
}

constexpr std::uint16_t service_port = 18500;

/// Runs `test` in a network of its own where names have several addresses: "mixed" ::1 and
/// 127.0.0.1, "two" 127.0.0.5 and 127.0.0.4. False if the system does not allow it.
bool with_names(const std::function<void(asio::io_context&)>& test) {
    bool could = false;
    const bool has_network = in_own_network(
        [&] {
            if (!put_in_place("/etc/hosts", "::1 mixed\n127.0.0.1 mixed\n"
                                            "127.0.0.5 two\n127.0.0.4 two\n"))
                return;
            could = true;
            asio::io_context io;
            test(io);
        },
        CLONE_NEWNS);
    return has_network && could;
}

} // namespace

TEST_CASE("a black hole is abandoned at the timeout") {
    const Seen seen = probe_through("drop", 60ms);
    check_failure(seen.tcp, Phase::connect, std::errc::timed_out);
    CHECK(seen.tcp.result.message() == "dial tcp " + seen.address + ": i/o timeout");
    check_failure(seen.http, Phase::connect, std::errc::timed_out);
    CHECK(seen.http.result.message() == "Get \"http://" + seen.address + "/\": " + no_answer);
}

TEST_CASE("a half-open connection passes a TCP probe and fails an HTTP probe at the timeout") {
    const Seen seen = probe_through("tcp flags & psh == psh drop", 250ms);
    CHECK(seen.tcp.result.passed());
    check_failure(seen.http, Phase::response, std::errc::timed_out);
    CHECK(seen.http.result.message() == "Get \"http://" + seen.address + "/\": " + no_answer);
}

TEST_CASE("a firewall that resets connections once data flows fails an HTTP probe") {
    const Seen seen = probe_through("tcp flags & psh == psh reject with tcp reset", 20s);
    CHECK(seen.tcp.result.passed());
    check_failure(seen.http, Phase::response, std::errc::connection_reset);
    CHECK(seen.http.result.message().ends_with("read: connection reset by peer"));
}

TEST_CASE("a host that cannot be reached fails the target") {
    const Seen seen = probe_through("reject with icmpx type host-unreachable", 20s);
    check_failure(seen.tcp, Phase::connect, std::errc::host_unreachable);
    CHECK(seen.tcp.result.message() == "dial tcp " + seen.address + ": connect: no route to host");
    check_failure(seen.http, Phase::connect, std::errc::host_unreachable);
}

TEST_CASE("a firewall that refuses fails the target like a closed port") {
    const Seen seen = probe_through("reject with tcp reset", 20s);
    check_failure(seen.tcp, Phase::connect, std::errc::connection_refused);
    check_failure(seen.http, Phase::connect, std::errc::connection_refused);
}

TEST_CASE("a missing network fails the target at once") {
    std::optional<Watched> seen;
    const bool could = in_own_network([&] {
        asio::io_context io;
        seen = watch(io, TcpProbe{io, {.host = "192.0.2.1", .port = 80}});
    });
    if (!could) SKIP("needs root");
    check_failure(*seen, Phase::connect, std::errc::network_unreachable);
    CHECK(seen->result.message() == "dial tcp 192.0.2.1:80: connect: network is unreachable");
}

TEST_CASE("without a free local port it is a prober error, which ends by itself") {
    std::optional<Watched> without;
    std::optional<Watched> without_at_source;
    std::optional<Watched> with;
    const bool could = in_own_network([&] {
        asio::io_context io;
        asio::ip::tcp::acceptor acceptor{io, {asio::ip::make_address("127.0.0.1"), 0}};
        const asio::ip::tcp::endpoint server = acceptor.local_endpoint();
        // There are two ports, both taken by connections to this server.
        std::ofstream{"/proc/sys/net/ipv4/ip_local_port_range"} << "60000 60001";
        {
            asio::ip::tcp::socket first{io};
            asio::ip::tcp::socket second{io};
            first.connect(server);
            second.connect(server);
            without = watch(io, TcpProbe{io, {.port = server.port()}});
            without_at_source =
                watch(io, TcpProbe{io, {.port = server.port()}, {.source_address = "127.0.0.1"}});
            for (asio::ip::tcp::socket* const socket : {&first, &second}) {
                socket->set_option(asio::socket_base::linger{true, 0});
                socket->close();
            }
        }
        with = watch(io, TcpProbe{io, {.port = server.port()}});
    });
    if (!could) SKIP("needs root");
    for (const std::optional<Watched>& each : {without, without_at_source}) {
        CHECK(each->error == std::errc::address_not_available);
        CHECK(is_local_fault(each->error));
        CHECK(each->result.outcome == Outcome::unknown);
        CHECK_FALSE(each->counted);
        CHECK(each->health == Health::passing);
    }
    CHECK(with->result.passed());
}

TEST_CASE("a closed port of this machine does not pass because a probe is connected to itself") {
    constexpr std::uint16_t port = 40000;
    const std::string host = GENERATE("127.0.0.1", "::1", "192.0.2.7", "0.0.0.0");
    const std::string source = GENERATE("", "its own");
    std::vector<Watched> seen;
    bool bare_socket_connects = false;
    bool listener_passes = false;
    std::size_t left_waiting = 0;
    const bool could = in_own_network([&] {
        // The only port there is for the sockets that connect.
        std::ofstream{"/proc/sys/net/ipv4/ip_local_port_range"} << port << ' ' << port;
        if (!add_address("192.0.2.7")) return;
        asio::io_context io;
        const auto address = asio::ip::make_address(host);
        const std::string local = host == "0.0.0.0" ? "127.0.0.1" : host;
        {
            asio::ip::tcp::socket bare{io};
            std::error_code error;
            bare.connect({address, port}, error);
            bare_socket_connects = !error;
            if (!error) bare.set_option(asio::socket_base::linger{true, 0});
            bare.close();
        }
        const std::string from = source.empty() ? source : local;
        for (const TcpClose close :
             {TcpClose::silent, TcpClose::reset, TcpClose::orderly, TcpClose::linger})
            seen.push_back(watch(io, TcpProbe{io,
                                              {.host = host, .port = port},
                                              {.source_address = from, .close = close}}));
        for (const SocketClose close : {SocketClose::reset, SocketClose::linger})
            seen.push_back(watch(io, HttpGetProbe{io,
                                                  {.host = host, .port = port},
                                                  {.source_address = from, .close = close}}));
        left_waiting = static_cast<std::size_t>(tools::in_time_wait(port));
        // With a listener there the system gives no socket its port.
        std::ofstream{"/proc/sys/net/ipv4/ip_local_port_range"} << port << ' ' << port + 3;
        asio::ip::tcp::acceptor acceptor{io, {address, port}};
        listener_passes =
            watch(io, TcpProbe{io, {.host = host, .port = port}, {.source_address = from}})
                .result.passed();
    });
    if (!could || seen.empty()) SKIP("needs root");
    CHECK(bare_socket_connects); // or this test shows nothing
    for (const Watched& each : seen) {
        check_failure(each, Phase::connect, std::errc::connection_refused);
        CHECK(each.result.message().ends_with(":40000: connect: connection refused"));
    }
    CHECK(left_waiting == 0);
    CHECK(listener_passes);
}

TEST_CASE("an address that this machine cannot reach for want of one of that family is a failure") {
    std::vector<Watched> seen;
    const bool could = in_own_network([&] {
        std::ofstream{"/proc/sys/net/ipv6/conf/all/disable_ipv6"} << 1;
        asio::io_context io;
        seen.push_back(watch(io, TcpProbe{io, {.host = "::1", .port = 80}}));
        seen.push_back(watch(io, HttpGetProbe{io, {.host = "::1", .port = 80}}));
    });
    if (!could) SKIP("needs root");
    for (const Watched& each : seen) {
        check_failure(each, Phase::connect, std::errc::address_not_available);
        CHECK(each.result.cause == Errc::no_local_address);
        CHECK(each.result.message().ends_with(
            "dial tcp [::1]:80: connect: cannot assign requested address"));
    }
}

TEST_CASE("a name whose first address swallows packets is reached at an address of the other "
          "family beside it") {
    std::vector<Watched> seen;
    const bool could = with_names([&](asio::io_context& io) {
        const tools::FullBacklog deaf{io, "::1", service_port};
        const FaultyServer server{
            io, {"HTTP/1.1 200 OK\r\n\r\n", Fault::Then::closes}, service_port};
        for (const TcpClose close : {TcpClose::silent, TcpClose::orderly})
            seen.push_back(watch(
                io, TcpProbe{io, {.host = "mixed", .port = service_port}, {.close = close}}, 20s));
        seen.push_back(watch(io, HttpGetProbe{io, {.host = "mixed", .port = service_port}}, 20s));
    });
    if (!could) SKIP("needs root");
    for (const Watched& each : seen) CHECK(each.result.outcome == Outcome::success);
}

TEST_CASE("a name whose first address swallows packets is reached at another of the same family") {
    std::optional<Watched> seen;
    const bool could = with_names([&](asio::io_context& io) {
        const tools::FullBacklog deaf{io, "127.0.0.5", service_port};
        asio::ip::tcp::acceptor acceptor{io, {asio::ip::make_address("127.0.0.4"), service_port}};
        seen = watch(io, TcpProbe{io, {.host = "two", .port = service_port}}, 4s);
    });
    if (!could) SKIP("needs root");
    CHECK(seen->result.outcome == Outcome::success);
}

TEST_CASE("addresses of a name that refuse are passed over, and the first is blamed") {
    const std::string host = GENERATE("mixed", "two");
    const bool is_mixed = host == "mixed";
    std::vector<Watched> refused;
    std::vector<Watched> served;
    const bool could = with_names([&](asio::io_context& io) {
        const auto watch_both = [&](std::vector<Watched>& seen) {
            seen.push_back(watch(io, TcpProbe{io, {.host = host, .port = service_port}}, 20s));
            seen.push_back(watch(io, HttpGetProbe{io, {.host = host, .port = service_port}}, 20s));
        };
        watch_both(refused);
        const FaultyServer server{io,
                                  {"HTTP/1.1 200 OK\r\n\r\n", Fault::Then::closes},
                                  service_port,
                                  is_mixed ? "127.0.0.1" : "127.0.0.4"};
        watch_both(served);
    });
    if (!could) SKIP("needs root");
    for (const Watched& each : refused) {
        check_failure(each, Phase::connect, std::errc::connection_refused);
        CHECK(each.result.message().ends_with(
            is_mixed ? "dial tcp [::1]:18500: connect: connection refused"
                     : "dial tcp 127.0.0.5:18500: connect: connection refused"));
    }
    for (const Watched& each : served) CHECK(each.result.outcome == Outcome::success);
}

TEST_CASE("at the timeout a dial tells why the first address failed, a request that it is late") {
    std::optional<Watched> tcp;
    std::optional<Watched> http;
    std::optional<Watched> silent;
    const bool could = with_names([&](asio::io_context& io) {
        const tools::FullBacklog second{io, "127.0.0.4", service_port};
        tcp = watch(io, TcpProbe{io, {.host = "two", .port = service_port}}, 200ms);
        http = watch(io, HttpGetProbe{io, {.host = "two", .port = service_port}}, 200ms);
        const tools::FullBacklog first{io, "127.0.0.5", service_port};
        silent = watch(io, TcpProbe{io, {.host = "two", .port = service_port}}, 200ms);
    });
    if (!could) SKIP("needs root");
    check_failure(*tcp, Phase::connect, std::errc::connection_refused);
    CHECK(tcp->result.message() == "dial tcp 127.0.0.5:18500: connect: connection refused");
    check_failure(*http, Phase::connect, std::errc::timed_out);
    CHECK(http->result.message() == "Get \"http://two:18500/\": " + no_answer);
    check_failure(*silent, Phase::connect, std::errc::timed_out);
    CHECK(silent->result.message() == "dial tcp 127.0.0.5:18500: i/o timeout");
}

TEST_CASE("an attempt that dials two families may be cancelled, or destroyed with its context") {
    const bool is_destroyed = GENERATE(false, true);
    const bool is_http = GENERATE(false, true);
    std::error_code seen;
    int waiting = 0;
    int left = -1;
    const bool could = with_names([&](asio::io_context& io) {
        const tools::FullBacklog first{io, "::1", service_port};
        const tools::FullBacklog second{io, "127.0.0.1", service_port};
        const auto probe_and_stop = [&](asio::io_context& mine) {
            asio::cancellation_signal cancel;
            auto handler = asio::bind_cancellation_slot(
                cancel.slot(),
                [&seen](std::error_code error, const ProbeResult&) { seen = error; });
            if (is_http)
                HttpGetProbe{mine, {.host = "mixed", .port = service_port}}.async_probe(
                    20s, std::move(handler));
            else
                TcpProbe{mine, {.host = "mixed", .port = service_port}}.async_probe(
                    20s, std::move(handler));
            for (int turns = 0; waiting < 2 && turns != 6'000; ++turns) {
                mine.run_one_for(10ms);
                waiting = tools::in_syn_sent(service_port);
            }
            if (is_destroyed) return;
            cancel.emit(asio::cancellation_type::terminal);
            mine.run();
        };
        {
            asio::io_context mine;
            probe_and_stop(mine);
        }
        left = tools::in_syn_sent(service_port);
    });
    if (!could) SKIP("needs root");
    CHECK(waiting == 2);
    CHECK(left == 0);
    CHECK(seen == (is_destroyed ? std::error_code{} : asio::error::operation_aborted));
}

TEST_CASE("a name that has an address of a family that is missing is reached at the other") {
    std::optional<Watched> seen;
    std::optional<Watched> refused;
    const bool could = with_names([&](asio::io_context& io) {
        std::ofstream{"/proc/sys/net/ipv6/conf/all/disable_ipv6"} << 1;
        const FaultyServer server{io, {"", Fault::Then::waits}, service_port};
        seen = watch(io, TcpProbe{io, {.host = "mixed", .port = service_port}}, 20s);
        refused = watch(io, TcpProbe{io, {.host = "mixed", .port = 1}}, 20s);
    });
    if (!could) SKIP("needs root");
    CHECK(seen->result.outcome == Outcome::success);
    CHECK(refused->result.outcome == Outcome::failure);
    CHECK(refused->counted);
}

TEST_CASE("a name server that does not answer costs no more than the timeout, and a literal "
          "address nothing") {
    std::optional<Watched> name;
    std::optional<Watched> literal;
    std::string text;
    const bool could = in_own_network(
        [&] {
            if (!put_in_place("/etc/resolv.conf",
                              "nameserver 127.0.0.53\noptions timeout:1 attempts:1\n"))
                return;
            asio::io_context io;
            asio::ip::udp::socket deaf{io, {asio::ip::make_address("127.0.0.53"), 53}};
            const FaultyServer server{io, {"", Fault::Then::waits}};
            const auto probe_literal = [&] {
                TcpProbe{io, {.port = server.port()}}.async_probe(
                    20s, [&](std::error_code error, ProbeResult result) {
                        literal = Watched{error, std::move(result)};
                    });
            };
            name = watch(io, TcpProbe{io, {.host = "name.example.org", .port = 80}}, 100ms,
                         probe_literal);
            text = name->result.message();
        },
        CLONE_NEWNS);
    if (!could || !name) SKIP("needs root");
    check_failure(*name, Phase::resolve, std::errc::timed_out);
    CHECK(text == "dial tcp: lookup name.example.org: i/o timeout");
    REQUIRE(literal); // completed before the other
    CHECK(literal->result.passed());
}
