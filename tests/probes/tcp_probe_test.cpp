// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/probes/tcp_probe.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <dirent.h>
#include <sys/resource.h>

#include <asio/bind_allocator.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_predicate.hpp>

#include <probekit/probes/http_get_probe.hpp>
#include <probekit/probes/probe.hpp>

#include "../tools/loopback.hpp"
#include "probe_once.hpp"

using namespace probekit;
using namespace std::chrono_literals;

static_assert(Probe<TcpProbe>);
static_assert(Probe<BasicTcpProbe<asio::io_context::executor_type>>);

namespace {

[[nodiscard]] std::size_t open_descriptors() {
    std::size_t count = 0;
    DIR* const directory = ::opendir("/proc/self/fd");
    while (::readdir(directory) != nullptr) ++count;
    ::closedir(directory);
    return count;
}

} // namespace

TEST_CASE("an open port passes, without a message") {
    asio::io_context io;
    const char* const address = GENERATE("127.0.0.1", "::1");
    tools::LoopbackServer server{io, {}, address};
    TcpProbe probe{io, {.host = address, .port = server.port()}};
    const auto [error, result] = probe_once(io, probe);
    CHECK_FALSE(error);
    CHECK(result.outcome == Outcome::success);
    CHECK(result.phase == Phase::finish);
    CHECK(result.message().empty());
    CHECK(result.elapsed() > 0ns);
    CHECK(result.time_in(Phase::connect) == result.elapsed());
}

TEST_CASE("an empty host is 127.0.0.1, and a name is resolved") {
    asio::io_context io;
    tools::LoopbackServer server{io};
    TcpProbe without_host{io, {.port = server.port()}};
    CHECK(probe_once(io, without_host).result.passed());
    TcpProbe name{io, {.host = "localhost", .port = server.port()}};
    CHECK(probe_once(io, name).result.passed());
}

TEST_CASE("a refused connection is a failure in the kubelet's words") {
    asio::io_context io;
    const tools::BoundPort closed;
    TcpProbe probe{io, {.host = "127.0.0.1", .port = closed.number()}};
    const auto [error, result] = probe_once(io, probe);
    CHECK_FALSE(error);
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.phase == Phase::connect);
    CHECK(result.cause == std::errc::connection_refused);
    CHECK(result.message() == "dial tcp 127.0.0.1:" + std::to_string(closed.number()) +
                                  ": connect: connection refused");
}

TEST_CASE("names that do not resolve, and hosts in brackets, are reported as by Go") {
    asio::io_context io;
    TcpProbe unknown{io, {.host = "nonexistent.invalid", .port = 80}};
    const ProbeResult result = probe_once(io, unknown).result;
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.cause == Errc::no_such_host);
    CHECK(result.message() == "dial tcp: lookup nonexistent.invalid: no such host");
    const auto says = [&](std::string host) {
        TcpProbe probe{io, {.host = std::move(host), .port = 80}};
        return probe_once(io, probe).result.message();
    };
    CHECK(says("[::1]") == "dial tcp: address [[::1]]:80: missing port in address");
    CHECK(says("[") == "dial tcp: address [:80: missing ']' in address");
    CHECK(says("]") == "dial tcp: address ]:80: unexpected ']' in address");
    CHECK(says("[::1") == "dial tcp: address [[::1]:80: unexpected '[' in address");
    CHECK(says("::1]") == "dial tcp: address [::1]]:80: missing port in address");
    CHECK(says("a[b") == "dial tcp: address a[b:80: unexpected '[' in address");
    CHECK(says("*") ==
          "dial tcp: lookup *: no such host"); // which getaddrinfo takes for any address
    CHECK(says("[nonexistent.invalid]") == "dial tcp: lookup nonexistent.invalid: no such host");
}

TEST_CASE("addresses are reported as Go writes them, however they were given") {
    asio::io_context io;
    const auto says = [&](std::string host) {
        const tools::BoundPort closed;
        TcpProbe probe{io, {.host = std::move(host), .port = closed.number()}};
        std::string text = probe_once(io, probe).result.message();
        text.resize(std::min(text.size(), text.rfind(": connect: connection refused")));
        const std::string port = ":" + std::to_string(closed.number());
        CHECK(text.ends_with(port));
        return text.substr(0, text.size() - port.size());
    };
    CHECK(says("[127.0.0.1]") == "dial tcp 127.0.0.1");
    CHECK(says("::ffff:127.0.0.1") == "dial tcp 127.0.0.1");
    CHECK(says("0:0:0:0:0:0:0:1") == "dial tcp [::1]");
    CHECK(says("::FFFF:7F00:1") == "dial tcp 127.0.0.1");
    CHECK(says("0::1%lo") == "dial tcp [::1%lo]");
}

TEST_CASE("a connection that takes longer than the timeout is a failure") {
    asio::io_context io;
    const tools::FullBacklog full{io};
    TcpProbe probe{io, {.port = full.port()}};
    const auto [error, result] = probe_once(io, probe, 50ms);
    CHECK_FALSE(error);
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.cause == Errc::timed_out);
    CHECK(result.cause == std::errc::timed_out);
    CHECK(result.elapsed() >= 50ms);
    CHECK(result.message() ==
          "dial tcp 127.0.0.1:" + std::to_string(full.port()) + ": i/o timeout");
}

TEST_CASE("a cancelled attempt leaves nothing behind") {
    asio::io_context io;
    const tools::FullBacklog full{io};
    const auto type = GENERATE(asio::cancellation_type::terminal, asio::cancellation_type::partial,
                               asio::cancellation_type::total);
    const bool at_once = GENERATE(true, false);
    const std::size_t before = open_descriptors();
    asio::cancellation_signal signal;
    std::optional<Completion> answer;
    {
        TcpProbe probe{io, {.port = full.port()}}; // may be destroyed once the attempt has started
        probe.async_probe(
            1min, asio::bind_cancellation_slot(signal.slot(), [&](std::error_code error,
                                                                  ProbeResult result) {
                answer.emplace(error, std::move(result));
                CHECK(open_descriptors() <= before + 2); // the loop's own: epoll, eventfd, timerfd
            }));
    }
    if (!at_once) io.poll();
    signal.emit(type);
    CHECK_FALSE(answer);
    while (!answer) io.run_one_for(20s);
    CHECK(answer->error == asio::error::operation_aborted);
    CHECK(answer->result.outcome == Outcome::unknown);
    CHECK_FALSE(signal.slot().has_handler());
    signal.emit(type); // without effect
}

TEST_CASE("the context may be destroyed while an attempt is pending") {
    std::optional<asio::io_context> io{std::in_place};
    const std::size_t before = open_descriptors();
    {
        asio::cancellation_signal signal;
        const tools::FullBacklog full{*io};
        TcpProbe probe{*io, {.port = full.port()}};
        probe.async_probe(1min, asio::bind_cancellation_slot(
                                    signal.slot(), [](std::error_code, const ProbeResult&) {
                                        FAIL("completed although its context was destroyed");
                                    }));
        io->poll();
    }
    io.reset();
    CHECK(open_descriptors() <= before);
}

TEST_CASE("attempts may overlap, and each handler has its own executor and allocator") {
    asio::io_context io, other;
    tools::LoopbackServer server{io};
    TcpProbe probe{io, {.port = server.port()}};
    int completed = 0;
    for (int i = 0; i != 5; ++i)
        probe.async_probe(5s, [&](std::error_code, const ProbeResult&) { ++completed; });
    bool elsewhere = false;
    detail::BlockPool pool;
    probe.async_probe(
        5s, asio::bind_executor(other.get_executor(),
                                asio::bind_allocator(detail::PoolAllocator<void>{pool},
                                                     [&](std::error_code, const ProbeResult&) {
                                                         elsewhere = true;
                                                     })));
    while (completed != 5) io.run_one_for(20s);
    io.poll();
    CHECK_FALSE(elsewhere);
    other.run();
    CHECK(elsewhere);
}

TEST_CASE("a TCP probe runs on a strand, on a pool, and with a future") {
    asio::thread_pool pool{2};
    asio::io_context io;
    const tools::BoundPort closed;
    TcpProbe on_pool{pool, {.port = closed.number()}};
    CHECK(on_pool.async_probe(5s, asio::use_future).get().outcome == Outcome::failure);
    BasicTcpProbe<asio::strand<asio::thread_pool::executor_type>> on_strand{
        asio::make_strand(pool), {.port = closed.number()}};
    CHECK(on_strand.async_probe(5s, asio::use_future).get().outcome == Outcome::failure);
}

TEST_CASE("a lack of descriptors is a prober error, never the target's failure") {
    asio::io_context io;
    tools::LoopbackServer server{io};
    TcpProbe probe{io, {.port = server.port()}};
    io.poll();
    rlimit old{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
    const rlimit none{.rlim_cur = 0, .rlim_max = old.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    const auto [error, result] = probe_once(io, probe);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &old) == 0);
    CHECK(error == std::errc::too_many_files_open);
    CHECK(is_local_fault(error));
    CHECK(result.outcome == Outcome::unknown);
    CHECK(result.message().ends_with(": socket: too many open files"));
    CHECK(probe_once(io, probe).result.passed()); // recovers by itself
}

TEST_CASE("a source address is used, and one that is not the machine's is a prober error") {
    asio::io_context io;
    tools::LoopbackServer server{io};
    TcpProbe from{io, {.port = server.port()}, {.source_address = "127.0.0.9"}};
    CHECK(probe_once(io, from).result.passed());
    TcpProbe foreign{io, {.port = server.port()}, {.source_address = "192.0.2.1"}};
    // A mistake in the settings, which does not end by itself as a lack of ports does.
    const Completion not_ours = probe_once(io, foreign);
    CHECK(not_ours.error == Errc::no_source_address);
    CHECK(not_ours.error == std::errc::address_not_available);
    CHECK_FALSE(is_local_fault(not_ours.error));
    CHECK(not_ours.result.outcome == Outcome::unknown);
    CHECK(not_ours.result.message().ends_with("cannot assign requested source address"));
    HttpGetProbe foreign_http{io, {.port = server.port()}, {.source_address = "192.0.2.1"}};
    const Completion not_ours_http = probe_once(io, foreign_http);
    CHECK(not_ours_http.error == Errc::no_source_address);
    CHECK(not_ours_http.result.outcome == Outcome::unknown);
    for (const auto& [host, source] :
         {std::pair{"", "::1"}, {"127.0.0.1", "::1"}, {"::1", "127.0.0.1"}}) {
        const ConfigErrors wrong{{"source_address", "must be of the same family as the host"}};
        CHECK_THROWS_MATCHES(
            TcpProbe(io, {.host = host, .port = 1}, {.source_address = source}), ConfigException,
            Catch::Matchers::Predicate<ConfigException>(
                [&](const ConfigException& thrown) { return thrown.errors() == wrong; }));
        CHECK_THROWS_MATCHES(
            HttpGetProbe(io, {.host = host, .port = 1}, {.source_address = source}),
            ConfigException,
            Catch::Matchers::Predicate<ConfigException>(
                [&](const ConfigException& thrown) { return thrown.errors() == wrong; }));
    }
    TcpProbe name{
        io, {.host = "localhost", .port = server.port()}, {.source_address = "127.0.0.1"}};
    CHECK(probe_once(io, name).result.passed());
}

TEST_CASE("a silent attempt proves the listener, and the server's program does not see it") {
    asio::io_context io;
    tools::LoopbackServer server{io};
    TcpProbe silent{io, {.port = server.port()}}; // the default
    CHECK(probe_once(io, silent).result.passed());
    const tools::BoundPort closed;
    TcpProbe refused{io, {.port = closed.number()}, {.close = TcpClose::silent}};
    CHECK(probe_once(io, refused).result.outcome == Outcome::failure);
    TcpProbe loud{io, {.port = server.port()}, {.close = TcpClose::reset}};
    CHECK(probe_once(io, loud).result.passed());
    while (server.resets == 0) io.run_one_for(20s);
    CHECK(server.connections == 1); // the second, not the first
}

TEST_CASE("no socket is left in TIME_WAIT, and the server sees each connection reset") {
    asio::io_context io;
    tools::LoopbackServer server{io};
    TcpProbe probe{io, {.port = server.port()}, {.close = TcpClose::reset}};
    constexpr int attempts = 20;
    for (int i = 0; i != attempts; ++i) REQUIRE(probe_once(io, probe).result.passed());
    while (server.resets != attempts) io.run_one_for(20s);
    CHECK(server.connections == attempts);
    CHECK(tools::in_time_wait(server.port()) == 0);
    // Closed in order, like the kubelet's, each connection leaves one, which is counted here.
    const TcpClose close = GENERATE(TcpClose::orderly, TcpClose::linger);
    TcpProbe orderly{io, {.port = server.port()}, {.close = close}};
    REQUIRE(probe_once(io, orderly).result.passed());
    while (server.connections != attempts + 1) io.run_one_for(20s);
    while (tools::in_time_wait(server.port()) == 0) io.poll();
    CHECK(server.resets == attempts);
}

TEST_CASE("a connection is reset, or closed in order like the kubelet's") {
    asio::io_context io;
    tools::LoopbackServer server{io};
    const auto ending = [&](const TcpOptions& options) {
        server.ending = {};
        TcpProbe probe{io, {.port = server.port()}, options};
        CHECK(probe_once(io, probe).result.passed());
        while (!server.ending) io.run_one_for(20s);
        return server.ending;
    };
    CHECK(ending({.close = TcpClose::reset}) == asio::error::connection_reset);
    CHECK(ending({.close = TcpClose::orderly}) == asio::error::eof);
    CHECK(ending({.close = TcpClose::linger}) == asio::error::eof);
}

TEST_CASE("each invalid setting is named") {
    asio::io_context io;
    try {
        TcpProbe probe{io, {.host = "a\nb"}, {.source_address = "here"}};
        FAIL("accepted");
    } catch (const ConfigException& exception) {
        CHECK(exception.errors() ==
              ConfigErrors{{"host", "must not contain CR, LF or NUL"},
                           {"port", "must be between 1 and 65535"},
                           {"source_address", "must be a literal IP address"}});
    }
    TcpProbe probe{io, {.host = "x", .port = 5}};
    CHECK(probe.action().host == "x");
    CHECK(probe.get_executor() == io.get_executor());
}
