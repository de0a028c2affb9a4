// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>

#include <probekit/http/detail/characters.hpp>

using namespace probekit::detail;

TEST_CASE("a control character is found at every place, and no other byte is") {
    for (int value = 0; value != 256; ++value) {
        const char c = static_cast<char>(value);
        const bool is_one = value < 0x20 || value == 0x7f;
        CHECK(is_control(c) == is_one);
        for (std::size_t size = 1; size != 20; ++size) {
            for (std::size_t at = 0; at != size; ++at) {
                std::string text(size, 'x');
                text[at] = c;
                CAPTURE(value, size, at);
                REQUIRE(has_control(text) == (is_one && c != '\t'));
            }
        }
    }
}

TEST_CASE("a tab does not hide a control character behind it") {
    CHECK(has_control("\t\t\t\t\t\t\t\x01"));
    CHECK(has_control("\t\x80\xff\x7f    "));
    CHECK_FALSE(has_control("\t\x80\xff \t   "));
}

TEST_CASE("a header's name is recognised in any case") {
    CHECK(is_header("Content-LENGTH", "content-length"));
    CHECK_FALSE(is_header("Content-Lengt", "content-length"));
    CHECK_FALSE(is_header("Content_Length", "content-length"));
    CHECK_FALSE(is_header("Contend-Length", "content-length"));
}

TEST_CASE("names are compared without regard to the case of ASCII letters only") {
    CHECK(iequals("Content-LENGTH", "content-length"));
    CHECK_FALSE(iequals("content-length", "content-lengt"));
    CHECK_FALSE(iequals("\xc3\x89", "\xc3\xa9"));
    CHECK_FALSE(iequals("[", "{"));
}

TEST_CASE("elements of a list are trimmed, and empty ones are kept") {
    std::vector<std::string> seen;
    CHECK_FALSE(any_element(" a,\tb ,,c", [&](std::string_view element) {
        seen.emplace_back(element);
        return false;
    }));
    CHECK(seen == std::vector<std::string>{"a", "b", "", "c"});
    CHECK(any_element("a, close", [](std::string_view element) { return element == "close"; }));
}

TEST_CASE("a word is bounded by blanks and commas") {
    CHECK(has_word("close", "close"));
    CHECK(has_word("keep-alive, Close", "close"));
    CHECK(has_word("x close,y", "close"));
    CHECK_FALSE(has_word("closed", "close"));
    CHECK_FALSE(has_word("un-close", "close"));
    CHECK_FALSE(has_word("", "close"));
}
