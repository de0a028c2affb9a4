// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/http/request.hpp>

using namespace probekit;
using namespace probekit::http;

namespace {

/// The lines between the request line and the blank line, joined by "|".
std::string lines_for(const std::vector<HttpHeader>& given, const char* url = "http://h:1/",
                      std::string_view referer = {}) {
    const RequestHeaders headers = make_request_headers(given, "ua");
    std::string text =
        make_request(HttpMethod::get, parse_url(url).url, headers, headers.host, referer);
    CHECK(text.starts_with("GET "));
    CHECK(text.ends_with("\r\n\r\n"));
    text = text.substr(text.find("\r\n") + 2);
    text.resize(text.size() - 4);
    for (std::size_t at = 0; (at = text.find("\r\n")) != std::string::npos;)
        text.replace(at, 2, "|");
    return text;
}

} // namespace

TEST_CASE("headers are sent in Go's order and by the kubelet's rules") {
    struct Row {
        std::vector<HttpHeader> given;
        std::string_view lines;
    };
    const Row row = GENERATE(values<Row>({
        {{}, "Host: h:1|User-Agent: ua|Accept: */*|Connection: close"},
        {{{"host", "example.com:81"}},
         "Host: example.com:81|User-Agent: ua|Accept: */*|Connection: close"},
        {{{"Host", "a"}, {"Host", "b"}}, "Host: a|User-Agent: ua|Accept: */*|Connection: close"},
        {{{"Host", ""}}, "Host: h:1|User-Agent: ua|Accept: */*|Connection: close"},
        {{{"Host", "a b/c"}}, "Host: |User-Agent: ua|Accept: */*|Connection: close"},
        {{{"Host", " a"}}, "Host: |User-Agent: ua|Accept: */*|Connection: close"},
        {{{"Host", "[fe80::1%en0]:80"}},
         "Host: [fe80::1]:80|User-Agent: ua|Accept: */*|Connection: close"},
        {{{"Host", "b\xc3\xbc"
                   "cher.example:81"}},
         "Host: xn--bcher-kva.example:81|User-Agent: ua|Accept: */*|Connection: close"},
        {{{"Host", "\xff"}}, "Host: |User-Agent: ua|Accept: */*|Connection: close"},
        {{{"User-Agent", " me "}}, "Host: h:1|User-Agent: me|Accept: */*|Connection: close"},
        {{{"User-Agent", "\t"}},
         "Host: h:1|User-Agent: |Accept: */*|Connection: close"}, // given, then trimmed
        {{{"User-Agent", ""}}, "Host: h:1|Accept: */*|Connection: close"},
        {{{"User-Agent", "a"}, {"user-agent", "b"}},
         "Host: h:1|User-Agent: a|Accept: */*|Connection: close"},
        {{{"Accept", "a"}, {"accept", "b"}},
         "Host: h:1|User-Agent: ua|Accept: a|Accept: b|Connection: close"},
        {{{"Accept", ""}, {"Accept", "b"}}, "Host: h:1|User-Agent: ua|Connection: close"},
        {{{"Accept", "a"}, {"Accept", ""}},
         "Host: h:1|User-Agent: ua|Accept: a|Accept: |Connection: close"},
        {{{"x-zeta", "1"}, {"X-Alpha", "2"}, {"x-zeta", "3"}, {"x-MiXed-case", " padded\t"}},
         "Host: h:1|User-Agent: ua|Accept: */*|X-Alpha: 2|X-Mixed-Case: padded|X-Zeta: 1|X-Zeta: "
         "3|Connection: close"},
        {{{"x_foo!bar", "1"}},
         "Host: h:1|User-Agent: ua|Accept: */*|X_foo!bar: 1|Connection: close"},
        {{{"X-Empty", ""}}, "Host: h:1|User-Agent: ua|Accept: */*|X-Empty: |Connection: close"},
        {{{"Content-Length", "5"}, {"transfer-encoding", "x"}, {"Trailer", "y"}},
         "Host: h:1|User-Agent: ua|Accept: */*|Connection: close"},
        {{{"Connection", "keep-alive"}},
         "Host: h:1|User-Agent: ua|Accept: */*|Connection: keep-alive|Connection: close"},
        {{{"Connection", "close"}, {"X", "1"}},
         "Host: h:1|User-Agent: ua|Accept: */*|Connection: close|X: 1"},
        {{{"Connection", "keep-alive, CLOSE"}},
         "Host: h:1|User-Agent: ua|Accept: */*|Connection: keep-alive, CLOSE"},
        {{{"Connection", "keep-alive"}, {"Connection", "close"}}, // only the first one counts
         "Host: h:1|User-Agent: ua|Accept: */*|Connection: keep-alive|Connection: "
         "close|Connection: close"},
        {{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}},
         "Host: h:1|User-Agent: ua|Accept: */*|Connection: Upgrade|Upgrade: websocket"},
        {{{"Upgrade", "websocket"}},
         "Host: h:1|User-Agent: ua|Accept: */*|Upgrade: websocket|Connection: close"},
    }));
    CHECK(lines_for(row.given) == row.lines);
}

TEST_CASE("headers that Go would not send are reported") {
    CHECK(make_request_headers({{"x-a", "a\x01"}}).error ==
          "net/http: invalid header field value for \"X-A\"");
    CHECK(make_request_headers({{"X", "a\x7f"}, {"Y", "\n"}}).error ==
          "net/http: invalid header field value for \"X\"");
    CHECK(make_request_headers({{"X", "a\tb\xff"}}).error == "");
    CHECK(make_request_headers({}, "a\r\nX: y").error ==
          "net/http: invalid header field value for \"User-Agent\"");
}

TEST_CASE("the library's User-Agent is sent unless another is given") {
    CHECK(make_request_headers({}).user_agent == "probekit/" PROBEKIT_VERSION);
    CHECK(make_request_headers({}, kubelet_user_agent(1, 35)).user_agent == "kube-probe/1.35");
}

TEST_CASE("user and password become an Authorization header unless one is given") {
    CHECK(lines_for({}, "http://u:p@h/") ==
          "Host: h|User-Agent: ua|Accept: */*|Authorization: Basic dTpw|Connection: close");
    CHECK(lines_for({}, "http://u%40@h/") ==
          "Host: h|User-Agent: ua|Accept: */*|Authorization: Basic dUA6|Connection: close");
    CHECK(lines_for({{"authorization", "x"}}, "http://u:p@h/") ==
          "Host: h|User-Agent: ua|Accept: */*|Authorization: x|Connection: close");
    CHECK(lines_for({{"authorization", " "}}, "http://u:p@h/") ==
          "Host: h|User-Agent: ua|Accept: */*|Authorization: |Connection: close");
    CHECK(lines_for({{"authorization", ""}}, "http://u:p@h/") ==
          "Host: h|User-Agent: ua|Accept: */*|Authorization: Basic dTpw|Connection: close");
}

TEST_CASE("a referer is sent in order, and replaces the user's") {
    CHECK(lines_for({{"Zeta", "1"}, {"Abc", "2"}}, "http://h/", "r") ==
          "Host: h|User-Agent: ua|Abc: 2|Accept: */*|Referer: r|Zeta: 1|Connection: close");
    CHECK(lines_for({{"Referer", "a"}, {"Referer", "b"}}, "http://h/", "a") ==
          "Host: h|User-Agent: ua|Accept: */*|Referer: a|Connection: close");
    CHECK(lines_for({{"Refererx", "a"}}, "http://h/", "r") ==
          "Host: h|User-Agent: ua|Accept: */*|Referer: r|Refererx: a|Connection: close");
}

TEST_CASE("base64 pads to four digits") {
    CHECK(base64("") == "");
    CHECK(base64("f") == "Zg==");
    CHECK(base64("fo") == "Zm8=");
    CHECK(base64("foo") == "Zm9v");
    CHECK(base64("\xff\xff\xfe") == "///+");
}

TEST_CASE("host names are converted to ASCII form") {
    struct Row {
        std::string_view host, ascii;
    };
    const Row row = GENERATE(values<Row>({
        {"plain.example:80", "plain.example:80"},
        {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "xn--wgv71a119e"},
        {"m\xc3\xbcnchen.de", "xn--mnchen-3ya.de"},
        {"a.\xc3\xa9.b:1", "a.xn--9ca.b:1"},
        {"\xf0\x9f\x92\xa9.la", "xn--ls8h.la"},
        {"\xff.x", "\xff.x"},
        {"Plain.Example", "Plain.Example"}, // ASCII names are sent unchanged
        {"B\xc3\xbc"
         "CHER.DE",
         "xn--bcher-kva.de"},
        {"\xc3\x9c.\xc3\x97", "xn--tda.xn--rca"}, // capital U umlaut; the multiplication sign stays
        {"\xce\x91\xce\xa9.\xd0\x90\xd0\xaf.\xd0\x81",
         "xn--mxa2c.xn--80a6d.xn--61a"},                     // Greek, Cyrillic
        {"\xef\xbc\xa1\xef\xbd\x82\xef\xbc\x91.x", "ab1.x"}, // full width
        {"\xe6\x97\xa5\xe3\x80\x82x\xef\xbc\x8ey\xef\xbd\xa1z",
         "xn--wgv.x.y.z"}, // full stops of East Asia
    }));
    CHECK(probekit::detail::ascii_host(row.host) == row.ascii);
}
