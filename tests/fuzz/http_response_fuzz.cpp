// ResponseParser: the same whatever the pieces, and where other parsers accept a response as well,
// the same as theirs. Ours follows Go's net/http, theirs Node's: what is a response at all may
// differ, its status and body may not.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <probekit/http/response_parser.hpp>

#include "bytes.hpp"
#include "check.hpp"
#include "peer.hpp"

namespace {

using probekit::http::ResponseParser;

struct Response {
    bool complete = false;
    int status = -1;
    std::string body = {};
    std::string error = {};
    std::vector<std::string> headers = {};

    friend bool operator==(const Response&, const Response&) = default;
};

/// Hands the bytes over in pieces of 1 to `longest`, whose sizes come from `seed`; as one piece if
/// `longest` is 0.
Response read(std::string_view bytes, std::size_t longest, std::uint32_t seed) {
    Response response;
    ResponseParser parser;
    const auto see = [&](std::string_view name, std::string_view value) {
        response.headers.emplace_back(name).append(": ").append(value);
    };
    auto event = ResponseParser::Event::more;
    while (!bytes.empty() && event == ResponseParser::Event::more) {
        seed = seed * 1664525 + 1013904223;
        std::string_view piece = longest == 0 ? bytes : bytes.substr(0, 1 + (seed >> 8) % longest);
        bytes.remove_prefix(piece.size());
        while ((event = parser.next(piece, see)) == ResponseParser::Event::body ||
               event == ResponseParser::Event::head)
            if (event == ResponseParser::Event::body) response.body.append(parser.body());
        fuzz::check(event != ResponseParser::Event::more || piece.empty(),
                    "a piece is used up before more is wanted");
    }
    if (event == ResponseParser::Event::more) event = parser.finish();
    response.complete = event == ResponseParser::Event::complete;
    response.status = parser.status();
    if (!response.complete) response.error = parser.error();
    fuzz::check(response.complete || !response.error.empty(), "who refuses a response says why");
    return response;
}

bool mentions(const Response& response, std::string_view name) {
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::any_of(response.headers.begin(), response.headers.end(),
                       [&](std::string_view header) {
                           header = header.substr(0, header.find(':'));
                           return std::equal(header.begin(), header.end(), name.begin(), name.end(),
                                             [&](char a, char b) { return lower(a) == b; });
                       });
}

/// In the body as well: nobody knows where that begins.
std::size_t find_lone_cr(std::string_view bytes) {
    std::size_t cr = bytes.find('\r');
    while (cr != std::string_view::npos && bytes.substr(cr, 2) == "\r\n")
        cr = bytes.find('\r', cr + 2);
    return cr;
}

/// Whatever may be a status line is one of HTTP/1.1; also in the body, as nobody knows where that
/// begins.
bool speaks_only_http_11(std::string_view bytes) {
    constexpr std::string_view name = "HTTP/";
    for (std::size_t at = bytes.find(name); at != std::string_view::npos;
         at = bytes.find(name, at + 1))
        if (!bytes.substr(at + name.size()).starts_with("1.1")) return false;
    return true;
}

/// Where the parsers are known to frame differently, each in its own right.
bool framing_is_a_matter_of_taste(std::string_view bytes, const Response& ours) {
    // Of 204 and 304 Node reads what is announced, though there is none; what follows 101 is
    // another protocol's to Go.
    if (ours.status == 101 || ours.status == 204 || ours.status == 304) return true;
    // Only HTTP/1.1 has a Transfer-Encoding, as Go sees it. To Node a CR alone ends a line.
    // And "chunked" with a tab behind it is another word, while a space before the colon does not
    // make another name.
    const bool encoding_is_clear =
        speaks_only_http_11(bytes) && bytes.find('\t') == std::string_view::npos;
    return (mentions(ours, "transfer-encoding") && !encoding_is_clear) ||
           find_lone_cr(bytes) != std::string_view::npos ||
           bytes.find(" :") != std::string_view::npos;
}

void compare(std::string_view bytes, const Response& ours, const fuzz::Reading& theirs) {
    static const bool asks_peers = std::getenv("FUZZ_ALONE") == nullptr;
    if (!asks_peers) return;
    if (!ours.complete || !theirs.accepted) return;
    if (framing_is_a_matter_of_taste(bytes, ours)) return;
    fuzz::check(ours.status == theirs.status, "the status is the same to all");
    fuzz::check(ours.body == theirs.body, "the body is the same to all");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input{data, size};
    const unsigned seed = input.byte();
    const std::string_view bytes = input.rest();
    const Response whole = read(bytes, 0, 0);
    fuzz::check(whole == read(bytes, 1, 0), "byte by byte it is the same response");
    fuzz::check(whole == read(bytes, 1 + seed % 32, seed), "in any pieces it is the same response");
#if defined(PROBEKIT_HAS_HTTP_PARSER)
    compare(bytes, whole, fuzz::read_with_http_parser(bytes));
#endif
#if defined(PROBEKIT_HAS_LLHTTP)
    compare(bytes, whole, fuzz::read_with_llhttp(bytes));
#endif
    return 0;
}
