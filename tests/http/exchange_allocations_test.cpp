// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
//
// An exchange allocates nothing unless it has a failure to word or a redirect to follow. This
// program counts every allocation.
#include <cstddef>
#include <cstdlib>
#include <new>
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

std::size_t allocations = 0;

} // namespace

void* operator new(std::size_t size) {
    ++allocations;
    if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc{};
}
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

TEST_CASE("an ordinary response is read without allocating") {
    const std::string_view response =
        GENERATE("HTTP/1.1 200 OK\r\nServer: some-server/1.2.3\r\nDate: Thu, 01 Jan 1970 "
                 "00:00:00 GMT\r\nContent-Type: text/plain; charset=utf-8\r\n"
                 "Content-Length: 2\r\nConnection: close\r\n\r\nok",
                 "HTTP/1.1 204 No Content\r\nLocation: /elsewhere/but/not/to/be/followed\r\n\r\n",
                 "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
    const ExchangePlan plan{{.port = 80, .path = "/a/path/that/is/longer/than/a/small/string"}};
    ProbeResult result;
    const std::size_t before = allocations;
    ExchangeFsm fsm{plan, result};
    Step step = fsm.start();
    step = fsm.connected();
    step = fsm.sent();
    step = fsm.received(response);
    const std::size_t made = allocations - before;
    CHECK(step == Step::done);
    CHECK(made == 0);
    CHECK(result.output == "");
}

TEST_CASE("a failure to connect is reported without allocating") {
    const ExchangePlan plan{{.host = "h", .port = 80}};
    const std::error_code code = GENERATE(std::make_error_code(std::errc::connection_refused),
                                          make_error_code(Errc::timed_out));
    ProbeResult result;
    const std::size_t before = allocations;
    ExchangeFsm fsm{plan, result};
    Step step = fsm.start();
    step = fsm.connect_failed(Phase::connect, code);
    const std::size_t made = allocations - before;
    CHECK(step == Step::done);
    CHECK(made == 0);
    CHECK(result.cause == code);
}
