// ResponseParser: the result does not depend on the pieces, and where other parsers accept a
// response too, it equals theirs. Ours follows Go's net/http, the others Node: they may differ in
// what they accept, but not in its status and body.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <probekit/http/response_parser.hpp>

#include "bytes.hpp"
#include "expect.hpp"
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

/// Passes the bytes on in pieces of 1 to `longest` bytes, whose sizes come from `seed`. If
/// `longest` is 0, in one piece.
Response read(std::string_view bytes, std::size_t longest, std::uint32_t seed) {
    Response response;
    ResponseParser parser;
    const auto on_header = [&](std::string_view name, std::string_view value) {
        response.headers.emplace_back(name).append(": ").append(value);
    };
    auto event = ResponseParser::Event::more;
    while (!bytes.empty() && event == ResponseParser::Event::more) {
        seed = seed * 1664525 + 1013904223;
        std::string_view piece = longest == 0 ? bytes : bytes.substr(0, 1 + (seed >> 8) % longest);
        bytes.remove_prefix(piece.size());
        while ((event = parser.next(piece, on_header)) == ResponseParser::Event::body ||
               event == ResponseParser::Event::head)
            if (event == ResponseParser::Event::body) response.body.append(parser.body());
        fuzz::expect(event != ResponseParser::Event::more || piece.empty(),
                     "a piece is used up before the next is asked for");
    }
    if (event == ResponseParser::Event::more) event = parser.finish();
    response.complete = event == ResponseParser::Event::complete;
    response.status = parser.status();
    if (!response.complete) response.error = parser.error();
    fuzz::expect(response.complete || !response.error.empty(), "a rejected response has an error");
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

/// Searches the body too, since only the parsers know where it begins.
std::size_t find_lone_cr(std::string_view bytes) {
    std::size_t cr = bytes.find('\r');
    while (cr != std::string_view::npos && bytes.substr(cr, 2) == "\r\n")
        cr = bytes.find('\r', cr + 2);
    return cr;
}

/// Whether every possible status line is one of HTTP/1.1. Searches the body too, since only the
/// parsers know where it begins.
bool speaks_only_http_11(std::string_view bytes) {
    constexpr std::string_view name = "HTTP/";
    for (std::size_t at = bytes.find(name); at != std::string_view::npos;
         at = bytes.find(name, at + 1))
        if (!bytes.substr(at + name.size()).starts_with("1.1")) return false;
    return true;
}

/// Whether the parsers are known to frame such a response differently, for reasons of their own.
bool framing_is_ambiguous(std::string_view bytes, const Response& ours) {
    // After 204 and 304 Node reads the body that is announced, though there is none. After 101 Go
    // expects another protocol.
    if (ours.status == 101 || ours.status == 204 || ours.status == 304) return true;
    // For Go only HTTP/1.1 has a Transfer-Encoding. For Node a CR alone ends a line, "chunked" with
    // a tab after it is another word, and a space before the colon is not part of the name.
    const bool encoding_is_clear =
        speaks_only_http_11(bytes) && bytes.find('\t') == std::string_view::npos;
    return (mentions(ours, "transfer-encoding") && !encoding_is_clear) ||
           find_lone_cr(bytes) != std::string_view::npos ||
           bytes.find(" :") != std::string_view::npos;
}

using Peer = fuzz::Reading (*)(std::string_view bytes);

/// Those that are installed.
std::vector<Peer> peers() {
    std::vector<Peer> installed;
#if defined(PROBEKIT_HAS_HTTP_PARSER)
    installed.push_back(fuzz::read_with_http_parser);
#endif
#if defined(PROBEKIT_HAS_LLHTTP)
    installed.push_back(fuzz::read_with_llhttp);
#endif
    return installed;
}

void compare(std::string_view bytes, const Response& ours, const fuzz::Reading& theirs) {
    if (!ours.complete || !theirs.accepted) return;
    if (framing_is_ambiguous(bytes, ours)) return;
    fuzz::expect(ours.status == theirs.status, "all parsers read the same status");
    fuzz::expect(ours.body == theirs.body, "all parsers read the same body");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input{data, size};
    const unsigned seed = input.byte();
    const std::string_view bytes = input.rest();
    const Response whole = read(bytes, 0, 0);
    fuzz::expect(whole == read(bytes, 1, 0), "the response is the same byte by byte");
    fuzz::expect(whole == read(bytes, 1 + seed % 32, seed),
                 "the response is the same in any pieces");
    for (const Peer read_by_peer : peers()) compare(bytes, whole, read_by_peer(bytes));
    return 0;
}
