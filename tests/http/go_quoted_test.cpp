// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <string>
#include <string_view>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/core/detail/go_quoted.hpp>

using probekit::detail::go_quoted;

TEST_CASE("texts are quoted as Go's %q does") {
    struct Row {
        std::string_view text;
        std::string_view quoted;
    };
    using namespace std::string_view_literals;
    const Row row = GENERATE(values<Row>({
        {"", R"("")"},
        {"plain ~", R"("plain ~")"},
        {R"(a"b\c)", R"("a\"b\\c")"},
        {"\a\b\f\n\r\t\v", R"("\a\b\f\n\r\t\v")"},
        {"\x01\x1f\x7f\0"sv, R"("\x01\x1f\x7f\x00")"},
        {"\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80",
         "\"\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80\""},  // printable: as they are
        {"\xff\xfe", R"("\xff\xfe")"},                 // no UTF-8
        {"\xc3", R"("\xc3")"},                         // cut off
        {"\xc3(", R"("\xc3(")"},                       // no continuation
        {"\xc0\xaf", R"("\xc0\xaf")"},                 // overlong, two bytes
        {"\xe0\x80\xaf", R"("\xe0\x80\xaf")"},         // three bytes
        {"\xf0\x80\x80\xaf", R"("\xf0\x80\x80\xaf")"}, // four bytes
        {"\xed\xa0\x80", R"("\xed\xa0\x80")"},         // a surrogate
        {"\xf4\x90\x80\x80", R"("\xf4\x90\x80\x80")"}, // beyond the last code point
        {"\xc2\x85\xc2\xa0\xc2\xad", R"("\u0085\u00a0\u00ad")"},
        {"\xe2\x80\x8b\xe2\x80\xa8\xe3\x80\x80\xef\xbb\xbf", R"("\u200b\u2028\u3000\ufeff")"},
        {"\xee\x80\x80", R"("\ue000")"},
        {"\xf3\xb0\x80\x80", R"("\U000f0000")"},
        {"\xef\xbf\xbf", R"("\uffff")"},
    }));
    CHECK(go_quoted(row.text) == row.quoted);
}
