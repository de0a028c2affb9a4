// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/http/response_parser.hpp>

using namespace probekit::http;
using namespace std::string_view_literals;
using Event = ResponseParser::Event;

namespace {

/// What a parser reads from a response.
struct Read {
    int status = -1;
    bool complete = false;
    std::string body = {};
    std::string error = {};
    std::vector<std::string> headers = {};

    friend bool operator==(const Read&, const Read&) = default;
};

/// Passes pieces to a parser, one after the other, then the end of the stream.
class Reader {
public:
    void feed(std::string_view piece) {
        if (event_ == Event::failed) return;
        const auto on_header = [this](std::string_view name, std::string_view value) {
            read_.headers.push_back(std::string{name} + "=" + std::string{value});
        };
        for (;;) {
            event_ = parser_.next(piece, on_header);
            if (event_ == Event::body) read_.body += parser_.body();
            if (event_ != Event::head && event_ != Event::body) return;
        }
    }

    [[nodiscard]] Read finish() {
        if (event_ == Event::more) event_ = parser_.finish();
        read_.status = parser_.status();
        read_.complete = event_ == Event::complete;
        if (event_ == Event::failed) read_.error = parser_.error();
        return read_;
    }

    [[nodiscard]] Event event() const { return event_; }

private:
    ResponseParser parser_;
    Event event_ = Event::more;
    Read read_;
};

Read read_whole(std::string_view text) {
    Reader reader;
    reader.feed(text);
    return reader.finish();
}

Read read_in_pieces(std::string_view text, std::size_t size) {
    Reader reader;
    for (std::size_t at = 0; at < text.size(); at += size) reader.feed(text.substr(at, size));
    return reader.finish();
}

Read read_split(std::string_view text, std::size_t at) {
    Reader reader;
    reader.feed(text.substr(0, at));
    reader.feed(text.substr(at));
    return reader.finish();
}

struct Row {
    std::string_view text;
    int status;
    std::string_view body;
    std::string_view error; // empty: complete
};

/// The result must not depend on the pieces.
void check(const Row& row) {
    CAPTURE(row.text);
    const Read read = read_whole(row.text);
    CHECK(read.status == row.status);
    CHECK(read.body == row.body);
    CHECK(read.error == row.error);
    CHECK(read.complete == row.error.empty());
    REQUIRE(read_in_pieces(row.text, 1) == read);
    REQUIRE(read_in_pieces(row.text, 7) == read);
    for (std::size_t at = 0; at <= row.text.size(); ++at) {
        CAPTURE(at);
        REQUIRE(read_split(row.text, at) == read);
    }
}

} // namespace

// The expected results are those observed of Go's net/http (1.25).

TEST_CASE("bodies are framed as the head says") {
    check(GENERATE(values<Row>({
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more", 200, "ok", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore", 200, "", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", 200, "ok", "unexpected EOF"},
        {"HTTP/1.1 200 OK\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 200 OK\r\n\r\n", 200, "", ""},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 204 X\r\nContent-Length: 4\r\n\r\nbody", 204, "", ""},
        {"HTTP/1.1 304 X\r\nTransfer-Encoding: chunked\r\n\r\nzz", 304, "", ""},
        {"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200, "ok", ""},
        {"HTTP/1.1 101 X\r\n\r\nhello", 101, "", ""},
        {"HTTP/1.1 101 X\r\nUpgrade: a\r\nConnection: x, Upgrade\r\n\r\nhello", 101, "hello", ""},
        {"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 199 X\r\nContent-Length: 9\r\n\r\nHTTP/1.1 500 "
         "X\r\n\r\n",
         500, "", ""},
        {"HTTP/1.1 099 X\r\n\r\nok", 99, "ok", ""},
    })));
}

TEST_CASE("status lines are accepted exactly as leniently as by Go") {
    check(GENERATE(values<Row>({
        {"HTTP/1.1 200\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 200 \r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1   200  OK\r\n\r\nok", 200, "ok", ""},
        {"HTTP/2.0 200 OK\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 000 OK\r\n\r\nok", 0, "ok", ""},
        {"HTTP/1.1 +20 OK\r\n\r\nok", 20, "ok", ""},
        {"HTTP/1.1 -00 OK\r\n\r\nok", 0, "ok", ""},
        {"HTTP/1.1 -20 OK\r\n\r\n", -1, "", R"(malformed HTTP status code "-20")"},
        {"HTTP/1.1 20 OK\r\n\r\n", -1, "", R"(malformed HTTP status code "20")"},
        {"HTTP/1.1 2000 OK\r\n\r\n", -1, "", R"(malformed HTTP status code "2000")"},
        {"HTTP/1.1 200OK\r\n\r\n", -1, "", R"(malformed HTTP status code "200OK")"},
        {"HTTP/1.1\t200 OK\r\n\r\n", -1, "", R"(malformed HTTP status code "OK")"},
        {"HTTP/1.1 \r\n\r\n", -1, "", R"(malformed HTTP status code "")"},
        {"HTTP/1.1 200\r\r\n\r\n", -1, "", R"(malformed HTTP status code "200\r")"},
        {" HTTP/1.1 200 OK\r\n\r\n", -1, "", R"(malformed HTTP status code "HTTP/1.1")"},
        {"HTTP/1.1\r\n\r\n", -1, "", R"(malformed HTTP response "HTTP/1.1")"},
        {"\r\nHTTP/1.1 200 OK\r\n\r\n", -1, "", R"(malformed HTTP response "")"},
        {"SSH-2.0-OpenSSH_9.2\r\n", -1, "", R"(malformed HTTP response "SSH-2.0-OpenSSH_9.2")"},
        {"\x15\x03\x01\x00\x02\x02"sv, -1, "",
         R"(malformed HTTP response "\x15\x03\x01\x00\x02\x02")"},
        {"HTTP/1 200 OK\r\n\r\n", 200, "", R"(malformed HTTP version "HTTP/1")"},
        {"HTTP/1.11 200 OK\r\n\r\n", 200, "", R"(malformed HTTP version "HTTP/1.11")"},
        {"http/1.1 200 OK\r\n\r\n", 200, "", R"(malformed HTTP version "http/1.1")"},
        {"HTTP/a.b 200 OK\r\n\r\n", 200, "", R"(malformed HTTP version "HTTP/a.b")"},
        {"ICY 200 OK\r\n\r\n", 200, "", R"(malformed HTTP version "ICY")"},
    })));
}

TEST_CASE("a truncated head is judged by the part that has come") {
    check(GENERATE(values<Row>({
        {"hello", -1, "", R"(malformed HTTP response "hello")"},
        {"HTTP/1.1 20", -1, "", R"(malformed HTTP status code "20")"},
        {"HTTP/1.1 200", 200, "", "unexpected EOF"},
        {"HTTP/1.1 200\r", -1, "", R"(malformed HTTP status code "200\r")"},
        {"HTTP/1.1 200 OK\r\n", 200, "", "unexpected EOF"},
        {"HTTP/1.1 200 OK\r\nContent-Le", 200, "",
         R"(malformed MIME header: missing colon: "Content-Le")"},
        {"HTTP/1.1 200 OK\r\nFoo: b", 200, "", "unexpected EOF"},
        {"HTTP/1.1 200 OK\r\nFoo: b\r", 200, "", R"(malformed MIME header line: "Foo: b\r")"},
        {"HTTP/1.1 200 OK\r\nFoo: b\r\n", 200, "", "unexpected EOF"},
        {"HTTP/1.1 200 OK\r\nFoo: b\r\n\r", 200, "",
         R"(malformed MIME header: missing colon: "\r")"},
        {"HTTP/1.1 200 OK\r\nFoo: b\r\n ", 200, "", "unexpected EOF"},
        {"HTTP/1.1 200 OK\r\nFoo: b\r\n c", 200, "", "unexpected EOF"},
        {"HTTP/1.1 200 OK\r\nFoo: b\r\n c\x01", 200, "",
         R"(malformed MIME header line: "Foo: b c\x01")"},
        {"HTTP/1.1 200 OK\r\n Foo", 200, "", R"(malformed MIME header initial line: " Foo")"},
        {"HTTP/1.1 100 C\r\n\r\n", 100, "", "unexpected EOF"},
        {"HTTP/1.1 100 C\r\n\r\ngarbage", 100, "", R"(malformed HTTP response "garbage")"},
    })));
}

TEST_CASE("a status line truncated where Go's buffer is full is discarded") {
    for (const std::size_t size : {4096u, 8192u}) {
        const std::string text(size, 'x');
        CHECK(read_whole(text).error == "unexpected EOF");
        CHECK(read_whole(text + "x").error == "malformed HTTP response \"" + text + "x\"");
        CHECK(read_whole(text.substr(1)).error ==
              "malformed HTTP response \"" + text.substr(1) + "\"");
        CHECK(read_whole(text.substr(1) + "\r").error ==
              "malformed HTTP response \"" + text.substr(1) + "\\r\"");
        CHECK(read_whole(text + "\n").error == "malformed HTTP response \"" + text + "\"");
        CHECK(read_in_pieces(text, 7).error == "unexpected EOF");
    }
}

TEST_CASE("header lines are accepted exactly as leniently as by Go") {
    check(GENERATE(values<Row>({
        {"HTTP/1.1 200 OK\r\nFoo:\r\nBar:x\r\nBaz: \t y \r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 200 OK\r\nFoo : bar\r\nFo o: bar\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 200 OK\r\nFoo: \xe9\t\xff\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 200 OK\r\nFoo: a\r\n\tb\r\n  c\r\nContent-Length: 2\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length :1\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 200 OK\r\ncontent-LENGTH:\r\n 2\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 200 OK\r\nFoo\r\n\r\nok", 200, "",
         R"(malformed MIME header: missing colon: "Foo")"},
        {"HTTP/1.1 200 OK\r\nFoo\r\n: bar\r\n\r\nok", 200, "",
         R"(malformed MIME header: missing colon: "Foo")"},
        {"HTTP/1.1 200 OK\r\n Foo: bar\r\n\r\nok", 200, "",
         R"(malformed MIME header initial line: " Foo: bar")"},
        {"HTTP/1.1 200 OK\r\n "
         "234567890123456789012345678901234567890123456789012345678901234567890123456789012\r\n\r"
         "\n",
         200, "", "message too large"},
        {"HTTP/1.1 200 OK\r\n: a\r\n\r\nok", 200, "", R"(malformed MIME header line: ": a")"},
        {"HTTP/1.1 200 OK\r\nFoo\t: a\r\n\r\nok", 200, "",
         R"(malformed MIME header line: "Foo\t: a")"},
        {"HTTP/1.1 200 OK\r\nF\xe9: a\r\n\r\nok", 200, "",
         R"(malformed MIME header line: "F\xe9: a")"},
        {"HTTP/1.1 200 OK\r\nFoo(: a\r\n\r\nok", 200, "",
         R"(malformed MIME header line: "Foo(: a")"},
        {"HTTP/1.1 200 OK\r\nFoo: a\0b\r\n\r\nok"sv, 200, "",
         R"(malformed MIME header line: "Foo: a\x00b")"},
        {"HTTP/1.1 200 OK\r\nFoo: a\rb\r\n\r\nok", 200, "",
         R"(malformed MIME header line: "Foo: a\rb")"},
        {"HTTP/1.1 200 OK\r\nFoo: a\x7f\r\n b\r\n\r\nok", 200, "",
         R"(malformed MIME header line: "Foo: a\x7f b")"},
        {"HTTP/1.1 200 OK\r\nx-foo: a\x01\r\n\r\nok", 200, "",
         R"(malformed MIME header line: "X-Foo: a\x01")"},
        {"HTTP/1.1 200 OK\r\nx foo: a\x01\r\n\r\nok", 200, "",
         R"(malformed MIME header line: "x foo: a\x01")"},
    })));
}

TEST_CASE("contradictory framing is rejected, in Go's order") {
    check(GENERATE(values<Row>({
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 02\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 02\r\n\r\nok", 200, "",
         R"(http: message cannot contain multiple Content-Length headers; got ["2" "02"])"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
         200, "",
         R"(http: message cannot contain multiple Content-Length headers; got ["2" "2" "3"])"},
        {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok", 200, "", R"(bad Content-Length "-1")"},
        {"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", 200, "", R"(bad Content-Length "+2")"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok", 200, "",
         R"(bad Content-Length "0x2")"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2 2\r\n\r\nok", 200, "",
         R"(bad Content-Length "2 2")"},
        {"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nok", 200, "",
         R"(invalid empty Content-Length "")"},
        {"HTTP/1.1 200 OK\r\nContent-Length: x\r\nContent-Length: x\r\n\r\nok", 200, "",
         R"(bad Content-Length "x")"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\nok", 200, "ok",
         "unexpected EOF"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nok", 200, "",
         R"(bad Content-Length "9223372036854775808")"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok", 200, "",
         R"(bad Content-Length "99999999999999999999")"},
        {"HTTP/1.1 204 X\r\nContent-Length: x\r\n\r\n", 204, "", R"(bad Content-Length "x")"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok", 200, "",
         R"(unsupported transfer encoding: "gzip")"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: \r\n\r\nok", 200, "",
         R"(unsupported transfer encoding: "")"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\nok", 200, "",
         R"(unsupported transfer encoding: "gzip, chunked")"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\nok",
         200, "", R"(too many transfer encodings: ["chunked" "chunked"])"},
        {"HTTP/1.1 200 OK\r\nContent-Length: x\r\nTransfer-Encoding: gzip\r\n\r\nok", 200, "",
         R"(unsupported transfer encoding: "gzip")"},
        {"HTTP/1.1 200 OK\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\nok", 200, "",
         R"(bad Content-Length "x")"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: "
         "CHUNKED\r\n\r\n2\r\nok\r\n0\r\n\r\n",
         200, "ok", ""},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200,
         "2\r\nok\r\n0\r\n\r\n", ""},
        {"HTTP/0.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "ok",
         ""},
        {"HTTP/1.1 200 OK\r\nTrailer: a, content-length\r\nTransfer-Encoding: "
         "chunked\r\n\r\n0\r\n\r\n",
         200, "", R"(bad trailer key "Content-Length")"},
        {"HTTP/1.1 200 OK\r\nTrailer: Content-Length\r\n\r\nok", 200, "ok", ""},
        {"HTTP/1.1 100 C\r\nTransfer-Encoding: gzip\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 100, "",
         R"(unsupported transfer encoding: "gzip")"},
    })));
}

TEST_CASE("chunks are decoded as strictly as by Go") {
    struct ChunkRow {
        std::string_view chunks, body, error;
    };
    const ChunkRow row = GENERATE(values<ChunkRow>({
        {"2\r\nok\r\n0\r\n\r\n", "ok", ""},
        {"1\r\no\r\n1\r\nk\r\n0\r\n\r\nGARBAGE", "ok", ""},
        {"0\r\n\r\n", "", ""},
        {"A\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""},
        {"0002 \t;x=\"y\"\r\nok\r\n0\r\n\r\n", "",
         "invalid byte in chunk length"}, // blanks are trimmed at the end only
        {"0002;x=\"y\"\r\nok\r\n000\r\n\r\n", "ok", ""},
        {"2 \r\nok\r\n0\r\n\r\n", "ok", ""},
        {"2\r\nok\r\n0\r\nX: 1\r\n y\r\nZ: 2\r\n\r\n", "ok", ""},
        {"zz\r\nok", "", "invalid byte in chunk length"},
        {" 2\r\nok", "", "invalid byte in chunk length"},
        {";x\r\nok", "", "empty hex number for chunk length"},
        {"\r\nok", "", "empty hex number for chunk length"},
        {"fffffffffffffffff\r\nok", "", "http chunk length too large"},
        {"ffffffffffffffff\r\nok", "ok", "unexpected EOF"},
        {"2\nok", "", "chunked line ends with bare LF"},
        {"2\r\r\nok", "", "invalid CR in chunked line"},
        {"2\r\nokXX0\r\n\r\n", "ok", "malformed chunked encoding"},
        {"2\r\nok\n0\r\n\r\n", "ok", "malformed chunked encoding"},
        {"", "", "unexpected EOF"},
        {"2", "", "unexpected EOF"},
        {"2\r\no", "o", "unexpected EOF"},
        {"2\r\nok", "ok", "unexpected EOF"},
        {"2\r\nok\r", "ok", "unexpected EOF"},
        {"2\r\nok\r\n", "ok", "unexpected EOF"},
        {"2\r\nok\r\n0\r\n", "ok", "http: unexpected EOF reading trailer"},
        {"2\r\nok\r\n0\r\n\r", "ok", "http: unexpected EOF reading trailer"},
        {"2\r\nok\r\n0\r\nX: 1\r\n", "ok", "http: suspiciously long trailer after chunked body"},
        {"2\r\nok\r\n0\r\nX: 1\n\n", "ok", "http: suspiciously long trailer after chunked body"},
        {"2\r\nok\r\n0\r\nX 1\r\n\r\n", "ok", R"(malformed MIME header: missing colon: "X 1")"},
        {"2\r\nok\r\n0\r\n X: 1\r\n\r\n", "ok", R"(malformed MIME header initial line: " X: 1")"},
        {"2\r\nok\r\n0\r\nX: \x01\r\n\r\n", "ok", R"(malformed MIME header line: "X: \x01")"},
    }));
    const std::string text =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string{row.chunks};
    check({text, 200, row.body, row.error});
}

TEST_CASE("the announcements of chunks are bounded") {
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    const auto error_of = [&](const std::string& body) {
        const Read read = read_whole(head + body);
        CHECK(read_in_pieces(head + body, 1) == read);
        CHECK(read_in_pieces(head + body, 1000) == read);
        return read.error;
    };
    const std::string end = "0\r\n\r\n";
    CHECK(error_of("1;" + std::string(4092, 'e') + "\r\nx\r\n" + end) == "");
    CHECK(error_of("1;" + std::string(4093, 'e') + "\r\nx\r\n" + end) == "header line too long");
    CHECK(error_of(std::string(4096, '0')) == "header line too long");
    CHECK(error_of("0\r\nX: " + std::string(4089, 'y') + "\r\n\r\n") == "");
    CHECK(error_of("0\r\nX: " + std::string(4090, 'y') + "\r\n\r\n") ==
          "http: suspiciously long trailer after chunked body");

    std::string tiny;
    for (int i = 0; i != 5000; ++i) tiny += "1\r\nx\r\n";
    CHECK(error_of(tiny + end) == "");
    std::string wordy;
    for (int i = 0; i != 9; ++i) wordy += "1;" + std::string(3000, 'e') + "\r\nx\r\n";
    CHECK(error_of(wordy + end) == "chunked encoding contains too much non-data");
}

TEST_CASE("the length of heads is bounded as in Go") {
    const std::string start = "HTTP/1.1 200 OK\r\nX: ";
    const std::string end = "\r\n\r\n";
    const std::size_t most = ResponseParser::max_head - start.size() - end.size();
    const std::string too_long =
        "net/http: server response headers exceeded 10485760 bytes; aborted";
    for (const std::size_t piece :
         {std::size_t{100'000'000}, std::size_t{16'384}, std::size_t{4'099}}) {
        CAPTURE(piece);
        const Read fits = read_in_pieces(start + std::string(most, 'y') + end + "ok", piece);
        CHECK(fits.error == "");
        CHECK(fits.body == "ok");
        CHECK(read_in_pieces(start + std::string(most + 1, 'y') + end + "ok", piece).error ==
              too_long);
    }

    SECTION("interim responses count too") {
        std::string text;
        while (text.size() <= ResponseParser::max_head)
            text += "HTTP/1.1 103 E\r\nLink: </a>\r\n\r\n";
        CHECK(read_whole(text).error == too_long);
    }
}

TEST_CASE("a header that is too long is skipped, whatever the pieces") {
    const auto at_most =
        GENERATE(std::size_t{10}, ResponseParser::max_line - 4, ResponseParser::max_line - 3,
                 ResponseParser::max_line, std::size_t{100'000});
    const std::string text =
        "HTTP/1.1 200 OK\r\nLong:" + std::string(at_most, 'y') + "\r\nA: b\r\n\r\nok";
    CAPTURE(at_most);
    const Read read = read_whole(text);
    CHECK(read.body == "ok");
    CHECK(read.headers.size() == (at_most + 5 <= ResponseParser::max_line ? 2u : 1u));
    CHECK(read.headers.back() == "A=b");
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{4'096}, std::size_t{16'384}, std::size_t{16'400}})
        CHECK(read_in_pieces(text, piece) == read);
}

TEST_CASE("each header is passed on once, trimmed and unfolded") {
    const Read read = read_whole(
        "HTTP/1.1 103 E\r\nLink: </a>\r\n\r\n"
        "HTTP/1.1 200 OK\r\nA:b\r\nC: \t d e \r\nF: g\r\n   h \r\n\ti\r\nJ :k\r\nL:\r\n\r\n");
    CHECK(read.headers == std::vector<std::string>{"Link=</a>", "A=b", "C=d e", "F=g h i", "L="});
}

TEST_CASE("the end of a response is reported with its last byte") {
    const auto complete = [](std::string_view text) {
        Reader all_but_one;
        all_but_one.feed(text.substr(0, text.size() - 1));
        CHECK(all_but_one.event() == Event::more);
        Reader all;
        all.feed(text);
        return all.event() == Event::complete;
    };
    CHECK(complete("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    CHECK(complete("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    CHECK(complete("HTTP/1.1 204 OK\r\n\r\n"));
    CHECK(complete("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
}

TEST_CASE("a malformed line is rejected at its end, not at that of the stream") {
    Reader status;
    status.feed("HTTP/1.1 2x0\r\n");
    CHECK(status.event() == Event::failed);
    Reader header;
    header.feed("HTTP/1.1 200 OK\r\nFoo\r\n");
    CHECK(header.event() == Event::failed);
}

TEST_CASE("the length of a body is known from the head on") {
    const auto length = [](std::string_view text) {
        ResponseParser parser;
        REQUIRE(parser.next(text) == Event::head);
        return parser.length();
    };
    CHECK(length("HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\nabc") == 20'000);
    CHECK(length("HTTP/1.1 204 OK\r\nContent-Length: 20000\r\n\r\n") == 0);
    CHECK(length("HTTP/1.1 200 OK\r\n\r\n") == ResponseParser::unknown_length);
    CHECK(length("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") ==
          ResponseParser::unknown_length);
}

TEST_CASE("the parser knows whether anything has been received") {
    ResponseParser parser;
    CHECK_FALSE(parser.started());
    CHECK(parser.between_heads());
    std::string_view piece = "HTTP/1.1 100 C\r\n";
    CHECK(parser.next(piece) == Event::more);
    CHECK(parser.started());
    CHECK_FALSE(parser.between_heads());
    piece = "\r\n";
    CHECK(parser.next(piece) == Event::more);
    CHECK(parser.between_heads());
}
