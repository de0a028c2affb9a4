#include <probekit/http/regex.hpp>

#include <algorithm>
#include <cstddef>
#include <random>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/http/expectation.hpp>

using namespace probekit;

namespace {

struct Search {
    bool is_valid = false;
    bool found = false;
    std::size_t steps = 0;
};

Search search(std::string_view pattern, std::string_view text, std::size_t most = http::max_steps) {
    const auto program = detail::RegexProgram::make(pattern);
    if (!program) return {};
    std::size_t left = most;
    const bool found = program->search(text, left);
    return {.is_valid = true, .found = found, .steps = most - left};
}

std::string repeated(std::string_view part, std::size_t size) {
    std::string text;
    while (text.size() < size) text += part;
    text.resize(size);
    return text;
}

std::string why_not(const http::Expectation& expectation, std::string_view body) {
    return http::first_mismatch(std::span{&expectation, 1},
                                {.status = 200, .body = body, .is_whole = true});
}

} // namespace

TEST_CASE("a regular expression matches a part of a text") {
    struct Row {
        std::string_view pattern;
        std::string_view text;
        bool found;
    };
    const Row row = GENERATE(values<Row>({
        {"", "", true},
        {"b", "abc", true},
        {"ready.*done", "not ready, nearly done", true},
        {"ready.*done", "done, then ready", false},
        {"a.c", "a\nc", false},
        {"^ok$", "ok", true},
        {"^ok$", "ok\n", false},
        {"^b|c$", "abc", true},
        {"^$", "", true},
        {"a^b", "ab", false},
        {"\\bup\\b", "is up.", true},
        {"\\bup\\b", "is upper", false},
        {"\\Bp", "up", true},
        {"(^|,)b", "a,b", true},
        {"(^|,){2}b", "b", true},
        {"(a|^){2}$", "xa", false},
        {"colou?r", "color", true},
        {"x{2}y", "xy", false},
        {"^x{2,3}$", "xxxx", false},
        {"^x{2,}$", "xxxx", true},
        {"^x{0}$", "x", false},
        {"^(ab){1,2}?$", "abab", true},
        {"^(?:a|b)+$", "abba", true},
        {"[^0-9]", "123", false},
        {"^[-a\\]]+$", "a]-", true},
        {"[[:digit:]]{3}", "a123", true},
        {"^[\\w-]+$", "a_b-c9", true},
        {"[]", "a", false},
        {"[^]", "\n", true},
        {"\\$\\.\\/\\-", "$./-", true},
        {"\\x41\\u0042\\cJ\\t", "AB\n\t", true},
        {"^\\0$", std::string_view{"\0", 1}, true},
        {"{\"status\":\"UP\"}", "{\"status\":\"UP\"}", true},
        {"a{,2}", "a{,2}", true},
        {"^\u00e9+$", "\u00e9\u00e9", true},
        {"()", "a", true},
        {"a||b", "c", true},
    }));
    CAPTURE(row.pattern, row.text);
    const Search result = search(row.pattern, row.text);
    CHECK(result.is_valid);
    CHECK(result.found == row.found);
}

TEST_CASE("a pattern that has no meaning, or too large a one, is not valid") {
    const std::string pattern =
        GENERATE(values<std::string>({"(",
                                      ")",
                                      "a)",
                                      "(a",
                                      "*",
                                      "a|*",
                                      "a**",
                                      "a+{2}",
                                      "{2}",
                                      "^*",
                                      "\\b+",
                                      "a{2,1}",
                                      "[a",
                                      "[b-a]",
                                      "[a-\\d]",
                                      "[[:none:]]",
                                      "\\",
                                      "\\1",
                                      "(a)\\1",
                                      "\\q",
                                      "\\x4",
                                      "\\u12",
                                      "\\u00e9",
                                      "\\c1",
                                      "\\01",
                                      "(?=a)",
                                      "(?!a)",
                                      "(?<n>a)",
                                      "(?i)a",
                                      "[\u00e9]",
                                      "a{1025}",
                                      "a{1024}",
                                      "(a{32}){33}",
                                      "((a{99999999999999999999}))",
                                      "((((){1000}){1000}){1000})",
                                      std::string(51, '(') + "a" + std::string(51, ')'),
                                      std::string(1024, 'a')}));
    CAPTURE(pattern);
    CHECK_FALSE(search(pattern, "").is_valid);
    CHECK(http::validate(std::vector{http::body().satisfies(http::regex(pattern))}).size() == 1);
}

TEST_CASE("the largest patterns are valid") {
    CHECK(search(std::string(1023, 'a'), std::string(1023, 'a')).found);
    CHECK(search("^(a{33}){31}$", std::string(1023, 'a')).found);
    CHECK_FALSE(search("^(a{33}){31}$", std::string(1022, 'a')).found);
    CHECK(search(std::string(50, '(') + "a" + std::string(50, ')'), "a").found);
}

// What must never hold up an event loop: each of these took seconds with std::regex.
TEST_CASE("the steps of a search are linear in the text, whatever target and pattern are") {
    struct Row {
        std::string pattern;
        std::string part;
    };
    const Row row = GENERATE(values<Row>({{"a*b", "a"},
                                          {"(a+)+b", "a"},
                                          {"\"status\"\\s*:\\s*\"UP\"", " "},
                                          {"ready.*done", "ready "},
                                          {"(.*)(.*)(.*)(.*)(.*)x", "a"},
                                          {"(a|aa|aaa)*b", "a"},
                                          {"(\\w+\\s?)*$x", "word "}}));
    CAPTURE(row.pattern);
    const auto steps = [&](std::size_t size) {
        const Search result = search(row.pattern, repeated(row.part, size));
        CHECK_FALSE(result.found);
        return result.steps;
    };
    CHECK(steps(10'240) <= 10'240 * (row.pattern.size() + 1));
    CHECK(steps(20'480) <= 2 * steps(10'240) + 2 * row.pattern.size());
}

TEST_CASE("a pattern of a hundred characters needs a third of the steps for ten kilobytes") {
    const std::string pattern =
        GENERATE(repeated("a?", 100), repeated("a*", 100), repeated(".?", 100),
                 repeated("(a*)*", 100), "(" + repeated("a|", 97) + ")",
                 "(" + repeated("a|", 97) + ")*", "[ab]*a[ab]{500}c", repeated("\\w*", 99));
    CAPTURE(pattern);
    CHECK(search(pattern + "#", repeated("aab", 10'240)).steps <= http::max_steps / 3);
    CHECK_FALSE(search(pattern + "#", repeated("aab", 10'240)).found);
}

TEST_CASE("an expectation that takes more steps than there are fails, negated or not") {
    const std::string body = repeated("a", http::max_body);
    const http::Expectation dear =
        http::body(http::whole_body).satisfies(http::regex("(a?){500}c"));
    const std::string gave_up = " body to match \"(a?){500}c\", gave up after 6291456 steps";
    CHECK(why_not(dear, body) == "expected" + gave_up);
    CHECK(why_not(!dear, body) == "expected not" + gave_up);
    CHECK(why_not(http::any_of({dear, http::body().contains("a")}), body)
              .ends_with("gave up after 6291456 steps"));
    // All expectations of an attempt have the same steps.
    std::vector<http::Expectation> many(5, http::body(http::whole_body).contains("a"));
    const http::Response response{.status = 200, .body = body, .is_whole = true};
    CHECK(http::first_mismatch(many, response).empty());
    many.push_back(many.back());
    CHECK(http::first_mismatch(many, response) ==
          "expected body to contain \"a\", gave up after 6291456 steps");
}

TEST_CASE("a text is looked for in linear time, too") {
    // In quadratic time this is some minutes.
    const std::string body = repeated("a", http::max_body);
    const std::string text = repeated("a", http::max_body / 2);
    const auto whole = http::body(http::whole_body);
    CHECK_FALSE(why_not(whole.contains(text + "b"), body).empty());
    CHECK_FALSE(why_not(whole.contains("b" + text), body).empty());
    CHECK(why_not(whole.contains(text), body).empty());
    CHECK(why_not(whole.contains(""), "").empty());
}

TEST_CASE("random expressions find what std::regex finds") {
    std::mt19937 random{1}; // NOLINT(*-msc51-cpp): the same each time
    const auto one_of = [&](const auto& all) { return all[random() % std::size(all)]; };
    const char* const atoms[] = {"a",     "b",       "ab",  "[ab]", "[^a]", ".",
                                 "(a|b)", "(?:ab|)", "\\w", "\\d",  "(a*)", "c"};
    const char* const places[] = {"^", "$", "\\b", "\\B"};
    const char* const counts[] = {"",    "",      "",      "*",    "+",   "?",
                                  "{2}", "{1,2}", "{0,2}", "{2,}", "{0}", "*?"};
    for (int i = 0; i != 2'000; ++i) {
        std::string pattern;
        for (std::size_t length = 1 + random() % 5; length != 0; --length) {
            if (random() % 8 == 0) pattern += "|";
            if (random() % 4 == 0)
                pattern += one_of(places);
            else
                pattern.append(one_of(atoms)).append(one_of(counts));
        }
        if (random() % 3 == 0) pattern = "(" + pattern + ")" + one_of(counts);
        CAPTURE(pattern);
        const std::regex judge{pattern, std::regex::ECMAScript};
        for (int j = 0; j != 4; ++j) {
            std::string text;
            for (std::size_t length = random() % 6; length != 0; --length)
                text += one_of("abc 1\n");
            text.erase(std::remove(text.begin(), text.end(), '\0'), text.end());
            CAPTURE(text);
            const Search result = search(pattern, text);
            REQUIRE(result.is_valid);
            REQUIRE(result.found == std::regex_search(text, judge));
        }
    }
}
