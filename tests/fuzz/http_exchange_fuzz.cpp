// ExchangeFsm over a server that answers anything: it ends within its limits, says why, and does
// not care for pieces.
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
#include "check.hpp"

namespace {

using namespace probekit;
using Step = http::ExchangeFsm::Step;

struct Seen {
    Outcome outcome;
    int status;
    std::error_code error;
    std::string message;
    std::string output;
    std::uint64_t output_bytes;
    int requests;

    friend bool operator==(const Seen&, const Seen&) = default;
};

/// What becomes of a connection once the server has sent what it has to send.
enum class End : std::uint8_t { closed, reset, silence };

/// Every answer is followed by a byte 0xff and one that says how its connection ends.
Seen look(const http::ExchangePlan& plan, std::string_view script, std::size_t piece) {
    ProbeResult result;
    http::ExchangeFsm exchange{plan, result};
    Seen seen{};
    std::string_view answer;
    End end = End::closed;
    Step step = exchange.start();
    while (step != Step::done) {
        switch (step) {
        case Step::connect: {
            ++seen.requests;
            answer = script.substr(0, script.find('\xff'));
            script.remove_prefix(std::min(answer.size() + 1, script.size()));
            end = script.empty() ? End::closed
                                 : static_cast<End>(static_cast<unsigned char>(script.front()) % 3);
            script.remove_prefix(std::min<std::size_t>(1, script.size()));
            step = exchange.connected();
            break;
        }
        case Step::handshake: step = exchange.secured(); break;
        case Step::send:
            fuzz::check(exchange.request().starts_with("GET ") &&
                            exchange.request().ends_with("\r\n\r\n"),
                        "what is sent is a request");
            step = exchange.sent();
            break;
        case Step::receive: {
            const std::string_view part = answer.substr(0, piece);
            answer.remove_prefix(part.size());
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
        fuzz::check(seen.requests <= plan.max_requests(),
                    "there are no more requests than allowed");
    }
    seen.outcome = result.outcome;
    seen.status = result.status;
    seen.error = exchange.error();
    seen.message = plan.message(result, {});
    seen.output = result.output;
    seen.output_bytes = result.output_bytes;
    fuzz::check(result.outcome != Outcome::unknown || seen.error,
                "nothing is unknown without an error");
    fuzz::check(!seen.error || seen.error == Errc::incomplete_body,
                "the server's faults are no errors but one");
    fuzz::check(result.output.size() <= plan.body_limit(),
                "no more of a body is kept than allowed");
    fuzz::check(result.passed() || !seen.message.empty(), "who has not passed is told why");
    return seen;
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
    const Seen whole = look(plan, input.rest(), size + 1);
    fuzz::check(whole == look(plan, input.rest(), piece), "pieces make no difference");
    return 0;
}
