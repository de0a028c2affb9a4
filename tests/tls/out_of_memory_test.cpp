// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <catch2/catch_test_macros.hpp>
#include <openssl/crypto.h>

#include <probekit/tls/https_get_probe.hpp>

#include "../probes/probe_once.hpp"
#include "tls_server.hpp"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

// OpenSSL's memory. After so many allocations this thread gets no more.
constexpr int plenty = 1 << 30;
thread_local int pieces_left = plenty;

bool fails() { return pieces_left == 0 || (pieces_left != plenty && --pieces_left == 0); }

void* allocate(std::size_t size, const char*, int) { return fails() ? nullptr : std::malloc(size); }
void* reallocate(void* memory, std::size_t size, const char*, int) {
    return fails() ? nullptr : std::realloc(memory, size);
}
void release(void* memory, const char*, int) { std::free(memory); }

// Set before anything else uses OpenSSL.
const int installed = CRYPTO_set_mem_functions(allocate, reallocate, release);

} // namespace

TEST_CASE("a lack of memory in OpenSSL is no fault of the target") {
    REQUIRE(installed == 1);
    const Certificates certificates;
    asio::io_context server_io; // on a thread of its own, which has memory
    TlsServer server{server_io, certificates.make("good", "IP:127.0.0.1"),
                     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"};
    std::thread thread{[&] { server_io.run(); }};
    asio::io_context io;
    tls::HttpsGetProbe probe{io,
                             {.port = server.port(), .scheme = HttpScheme::https},
                             {.verify = tls::Verify::full, .ca_file = certificates.authority()}};
    CHECK(probe_once(io, probe).result.passed());
    int errors = 0;
    for (int n = 1; n != 100'000; n += 1 + n / 50) { // ever further into the attempt
        pieces_left = n;
        const auto [error, result] = probe_once(io, probe, 20s);
        const bool was_reached = std::exchange(pieces_left, plenty) == 0;
        INFO("allocation " << n << ": " << result.message());
        if (error) {
            CHECK(error == std::errc::not_enough_memory);
            CHECK(result.outcome == Outcome::unknown);
            ++errors;
        } else {
            CHECK(result.passed()); // the memory that was missing was not needed
        }
        if (!was_reached) break;
    }
    CHECK(errors > 10);
    CHECK(probe_once(io, probe).result.passed());
    io.restart();
    io.run(); // until connections have been closed: the server waits for that
    asio::post(server_io, [&] { server.stop(); });
    thread.join();
}
