// ExchangeFsm against a server that sends arbitrary responses: it ends within its limits, says why,
// and its result does not depend on the pieces.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include <probekit/core/actions.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/result.hpp>
#include <probekit/http/exchange_fsm.hpp>
#include <probekit/http/exchange_plan.hpp>

#include "bytes.hpp"
#include "expect.hpp"

namespace {

using namespace probekit;
using Step = http::ExchangeFsm::Step;

struct Observed {
    Outcome outcome;
    int status;
    std::error_code error;
    std::string message;
    std::string output;
    std::uint64_t output_bytes;
    int requests;

    friend bool operator==(const Observed&, const Observed&) = default;
};

/// How a connection ends once the server has sent its response.
enum class End : std::uint8_t { closed, reset, silence };

/// `script` holds the server's responses. After each comes a byte 0xff and one that selects an End.
Observed attempt(const http::ExchangePlan& plan, std::string_view script, std::size_t piece) {
    ProbeResult result;
    http::ExchangeFsm exchange{plan, result};
    Observed observed{};
    std::string_view response;
    End end = End::closed;
    Step step = exchange.start();
    while (step != Step::done) {
        switch (step) {
        case Step::connect: {
            ++observed.requests;
            response = script.substr(0, script.find('\xff'));
            script.remove_prefix(std::min(response.size() + 1, script.size()));
            end = script.empty() ? End::closed
                                 : static_cast<End>(static_cast<unsigned char>(script.front()) % 3);
            script.remove_prefix(std::min<std::size_t>(1, script.size()));
            step = exchange.connected();
            break;
        }
        case Step::handshake: step = exchange.secured(); break;
        case Step::send:
            fuzz::expect(exchange.request().starts_with("GET ") &&
                             exchange.request().ends_with("\r\n\r\n"),
                         "a request is sent");
            step = exchange.sent();
            break;
        case Step::receive: {
            const std::string_view part = response.substr(0, piece);
            response.remove_prefix(part.size());
            if (!part.empty())
                step = exchange.received(part);
            else if (end == End::closed)
                step = exchange.ended();
            else if (end == End::reset)
                step = exchange.socket_failed({ECONNRESET, std::system_category()}, "a->b");
            else
                step = exchange.timed_out();
            break;
        }
        case Step::done: break;
        }
        fuzz::expect(observed.requests <= plan.max_requests(),
                     "there are no more requests than the limit");
    }
    observed.outcome = result.outcome;
    observed.status = result.status;
    observed.error = exchange.error();
    observed.message = plan.message(result, {});
    observed.output = result.output;
    observed.output_bytes = result.output_bytes;
    fuzz::expect(result.outcome != Outcome::unknown || observed.error,
                 "an unknown outcome has an error");
    fuzz::expect(!observed.error || observed.error == Errc::incomplete_body,
                 "an incomplete body is the only fault of a server that is an error");
    fuzz::expect(result.output.size() <= plan.body_limit(),
                 "no more of a body is kept than the limit");
    fuzz::expect(result.passed() || !observed.message.empty(),
                 "an attempt that has not passed has a message");
    return observed;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input{data, size};
    const unsigned options = input.byte();
    const unsigned piece = 1 + input.below(40);
    const http::ExchangePlan plan{
        {.port = 80, .path = "/d/a?q"},
        {.redirects = (options & 1) != 0 ? Redirects::none : Redirects::same_host,
         .max_requests = 1 + static_cast<int>((options >> 1) % 4),
         .body_limit = (options >> 3) % 4 * 20,
         .keep_output = (options & 32) != 0},
        {},
        (options & 64) != 0};
    const Observed whole = attempt(plan, input.rest(), size + 1);
    fuzz::expect(whole == attempt(plan, input.rest(), piece),
                 "the result does not depend on the pieces");
    return 0;
}
