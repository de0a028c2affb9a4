// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <string>
#include <string_view>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/http/url.hpp>

using namespace probekit::http;

// How Go's net/url (1.25) parses and prints these texts.

TEST_CASE("a URL is parsed and printed") {
    struct Row {
        std::string_view text;
        std::string_view again; // as Go prints it; "=": unchanged
    };
    const Row row = GENERATE(values<Row>({
        {"http://host/path?query#fragment", "="},
        {"HTTP://Host/Path", "http://Host/Path"},
        {"http://u:p@host:80/", "="},
        {"http://u@host/", "="},
        {"http://u:@host/", "="},
        {"http://u%40x:p%3Aq@host/", "="},
        {"http://a@b@host/", "http://a%40b@host/"},
        {"http://[::1]:80/", "="},
        {"http://[fe80::1%25en0]/", "="},
        {"http://[fe80::1%25a%20b]/", "="},
        {"http://host", "="},
        {"http://host?", "="},
        {"http://host/??", "="},
        {"http://host:/", "="},
        {"http://%E6%97%A5/", "="},
        {"http://\xe6\x97\xa5/", "http://%E6%97%A5/"},
        {"mailto:a@b?c", "="},
        {"//host/path", "="},
        {"///path", "="},
        {"/a%2fb%41", "="},
        {"/a b", "/a%20b"},
        {"/a%20b c", "/a%20b%20c"},
        {"/%c3%a9 x", "/%C3%A9%20x"},
        {"/[x]!'()*", "="},
        {"/a|b^c`d{e}\"<>\\", "/a%7Cb%5Ec%60d%7Be%7D%22%3C%3E%5C"},
        {"/a?b c\"\\", "="},
        {"?q", "="},
        {"#f g", "#f%20g"},
        {"*", "="},
        {"", "="},
        {"a/b:c", "="},
    }));
    CAPTURE(row.text);
    const ParsedUrl parsed = parse_url(row.text);
    REQUIRE(parsed.error == "");
    CHECK(parsed.url.text() == (row.again == "=" ? row.text : row.again));
}

TEST_CASE("errors in a URL are reported in Go's words") {
    struct Row {
        std::string_view text;
        std::string_view error;
    };
    const Row row = GENERATE(values<Row>({
        {"http://[::1", R"(parse "http://[::1": missing ']' in host)"},
        {"http://127.0.0.1:abc/",
         R"(parse "http://127.0.0.1:abc/": invalid port ":abc" after host)"},
        {"http://a:b:c/", R"(parse "http://a:b:c/": invalid port ":c" after host)"},
        {"http://[::1]x/", R"(parse "http://[::1]x/": invalid port "x" after host)"},
        {"http://x[::1]/", R"(parse "http://x[::1]/": invalid IP-literal)"},
        {"http://[1.2.3.4]/", R"(parse "http://[1.2.3.4]/": invalid IP-literal)"},
        {"http://[zz]/",
         R"(parse "http://[zz]/": invalid host: ParseAddr("zz"): unable to parse IP)"},
        {"http://[%25x]/",
         R"(parse "http://[%25x]/": invalid host: ParseAddr("%x"): missing IPv6 address)"},
        {"http://a b/", R"(parse "http://a b/": invalid character " " in host name)"},
        {"http://bad%20host/", R"(parse "http://bad%20host/": invalid URL escape "%20")"},
        {"http://%zz/", R"(parse "http://%zz/": invalid URL escape "%zz")"},
        {"http://[::1%25a%2fb]/", R"(parse "http://[::1%25a%2fb]/": invalid URL escape "%2f")"},
        {"http://u p@h/", R"(parse "http://u p@h/": net/url: invalid userinfo)"},
        {"http://u%zz@h/", R"(parse "http://u%zz@h/": invalid URL escape "%zz")"},
        {"http://u:%z@h/", R"(parse "http://u:%z@h/": invalid URL escape "%z")"},
        {"/%", R"(parse "/%": invalid URL escape "%")"},
        {"/%4", R"(parse "/%4": invalid URL escape "%4")"},
        {"/%zzz", R"(parse "/%zzz": invalid URL escape "%zz")"},
        {"/a#%zz", R"(parse "/a#%zz": invalid URL escape "%zz")"},
        {"/%zz#f", R"(parse "/%zz": invalid URL escape "%zz")"},
        {"/a\tb", R"(parse "/a\tb": net/url: invalid control character in URL)"},
        {"/a\x7f", R"(parse "/a\x7f": net/url: invalid control character in URL)"},
        {":x", R"(parse ":x": missing protocol scheme)"},
        {"1:2", R"(parse "1:2": first path segment in URL cannot contain colon)"},
        {"a b:c", R"(parse "a b:c": first path segment in URL cannot contain colon)"},
    }));
    CAPTURE(row.text);
    CHECK(parse_url(row.text).error == row.error);
}

TEST_CASE("brackets must hold an IPv6 address") {
    struct Row {
        std::string_view address;
        std::string_view problem;
    };
    const Row row = GENERATE(values<Row>({
        {"::", ""},
        {"1:2:3:4:5:6:7:8", ""},
        {"1::8", ""},
        {"1::", ""},
        {"::ffff:1.2.3.4", ""},
        {"1:2:3:4:5:6:1.2.3.4", ""},
        {"::1%en0", ""},
        {"1:2", "address string too short"},
        {"1:2:3:4:5:6:7:8:9", "trailing garbage after address (at \"9\")"},
        {"1:2:3:4:5:6:7::8", "the :: must expand to at least one field of zeros"},
        {"1::2::3", "multiple :: in address (at \":3\")"},
        {"12345::", "each group must have 4 or less digits (at \"12345::\")"},
        {":1", "each colon-separated field must have at least one digit (at \":1\")"},
        {"::g", "each colon-separated field must have at least one digit (at \"g\")"},
        {"1g::", "unexpected character, want colon (at \"g::\")"},
        {"1:", "colon must be followed by more characters (at \":\")"},
        {"::1%", "zone must be a non-empty string"},
        {"1:1.2.3.4",
         "embedded IPv4 address must replace the final 2 fields of the address (at \"1.2.3.4\")"},
        {"::1:2:3:4:5:6:7:1.2.3.4",
         "too many hex fields to fit an embedded IPv4 at the end of the address (at \"1.2.3.4\")"},
        {"::1.2.3", "IPv4 address too short"},
        {"::1.2.3.4.5", "IPv4 address too long"},
        {"::01.2.3.4", "IPv4 field has octet with leading zero"},
        {"::256.2.3.4", "IPv4 field has value >255"},
        {"::1.2.3.x", "unexpected character (at \"x\")"},
        {"1..2.3", "IPv4 field must have at least one digit (at \".2.3\")"},
    }));
    CAPTURE(row.address);
    const std::string problem = probekit::detail::bracketed_host_problem(row.address);
    const std::string expected = "invalid host: ParseAddr(\"" + std::string{row.address} + "\"): ";
    CHECK(problem == (row.problem.empty() ? std::string{} : expected + std::string{row.problem}));
}

TEST_CASE("a reference is resolved against its base") {
    struct Row {
        std::string_view reference;
        std::string_view resolved;
        std::string_view base = "http://u@h:1/d/a?q=1#frag";
    };
    const Row row = GENERATE(values<Row>({
        {"/b", "http://u@h:1/b"},
        {"b", "http://u@h:1/d/b"},
        {"?x=1", "http://u@h:1/d/a?x=1"},
        {"?", "http://u@h:1/d/a?"},
        {"#f", "http://u@h:1/d/a?q=1#f"},
        {"", "http://u@h:1/d/a?q=1#frag"},
        {".", "http://u@h:1/d/"},
        {"..", "http://u@h:1/"},
        {"../../../c", "http://u@h:1/c"},
        {"./b:c", "http://u@h:1/d/b:c"},
        {"/a/../b/./c", "http://u@h:1/b/c"},
        {"/a/b/..", "http://u@h:1/a/"},
        {"//other/x", "http://other/x"},
        {"///b", "http://u@h:1///b"},
        {"https://h/x/../y", "https://h/y"},
        {"mailto:x", "mailto:x"},
        {"/%2e%2e/x", "http://u@h:1/%2e%2e/x"},
        {"b", "http://h/b", "http://h"},
        {"", "mailto:x", "mailto:x"},
    }));
    CAPTURE(row.reference);
    CHECK(resolve(parse_url(row.base).url, parse_url(row.reference).url).text() == row.resolved);
}

TEST_CASE("a host has a name and may have a port") {
    struct Row {
        std::string_view host, name, port;
    };
    const Row row = GENERATE(values<Row>({
        {"h", "h", ""},
        {"h:80", "h", "80"},
        {"h:", "h", ""},
        {"h:x", "h:x", ""},
        {"[::1]:80", "::1", "80"},
        {"[::1]", "::1", ""},
        {"[fe80::1%en0]:80", "fe80::1%en0", "80"},
        {"", "", ""},
    }));
    const Url url{.host = std::string{row.host}};
    CHECK(url.hostname() == row.name);
    CHECK(url.port() == row.port);
}

TEST_CASE("messages hide passwords, and referers leave out users") {
    const Url url = parse_url("http://u%20x:p@h/?q#f").url;
    CHECK(url.text_for_messages() == "http://u x:***@h/?q#f");
    CHECK(url.text_without_user() == "http://h/?q#f");
    CHECK(parse_url("http://u%20x@h/").url.text_for_messages() == "http://u%20x@h/");
}

TEST_CASE("a request target is never empty") {
    CHECK(parse_url("http://h").url.request_target() == "/");
    CHECK(parse_url("http://h?").url.request_target() == "/?");
    CHECK(parse_url("http://h/a?b#c").url.request_target() == "/a?b");
    CHECK(parse_url("http:x?y").url.request_target() == "x?y");
}
